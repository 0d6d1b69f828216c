"""Quantized weights and activations, and weights of 16 bits: widths that are measured, not declared."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from micronet_verify.testing.cases.case import Case, dense, one
from micronet_verify.testing.program import Array, Program, Step

_CODES = np.array([[127, -128, 3, 5, 7, 11, 13, 17], [19, 23, -29, 31, 37, -41, 43, 127], [-127, 2, 4, -6, 8, 10, -12, 15]], np.int8)
_SCALES = np.array([0.0123, 0.0345, 0.0456], np.float32)
_UINT8 = (_CODES.astype(np.int16) + 128).astype(np.uint8)
_ZERO = np.array([100, 128, 7], np.uint8)
# All numbers of four bits but 0, and each pair of neighbours two different ones.
_INT4 = np.array([[7, -8, 3, 5, -1, 4, 1, 6], [2, -3, 4, -5, -6, -7, -2, 7], [-4, 1, -7, 2, 6, -8, 5, 3]], np.int8)
# Of so many sizes that no grid of 16 bits has them all.
_HALF = {
    name: (array * 2.0 ** np.arange(-10, 6, 2)[: array.shape[-1]]).astype(np.float16)
    for name, array in (("weight", dense(5, 8, seed=30)), ("bias", dense(5, seed=31)))
}
_SQUARE = np.concatenate([_CODES, _CODES[:, ::-1], _CODES[1:, [3, 0, 2, 7, 1, 5, 6, 4]]])
_EIGHT = np.array([0.0123, 0.0345, 0.0456, 0.0567, 0.0178, 0.0289, 0.0391, 0.0412], np.float32)
_INT8: Mapping[str, Array] = {"codes": _CODES, "scale": _SCALES}
_ONE_SCALE = np.array(0.0173, np.float32)


def _products(program: Program, storage: int, width: int) -> Case:
    """Three rows of eight codes: a multiply of ``width`` bits for each, sums of 32 bits."""
    return Case(program, storage, 3 * 8, 3 * 7, "quantized", width * 3 * 8 + 32 * 3 * 7)


def _behind_quantizer(name: str, arrays: Mapping[str, Array], spread: float = 1.0, unit: float = 0.0) -> Program:
    steps = (Step("quantize", ("x",), arrays, name="q"), Step("quantized_linear", ("q",), _INT8))
    return Program(name, (8,), steps, spread=spread, unit=unit)


QUANTIZED: tuple[Case, ...] = (
    # int8 codes with a 32-bit scale per output; the operand is as wide as fp32 is.
    _products(one("quantized_linear", (8,), arrays=_INT8), 8 * 3 * 8 + 32 * 3, 32),
    # Both operands of 8 bits make multiplies of 8 (O2); sums stay at 32 (O12). One more scale is stored; going back to fp32 is free (O11).
    _products(_behind_quantizer("quantized-both", {"scale": _ONE_SCALE}), 8 * 3 * 8 + 32 * (3 + 1), 8),
    # Codes of uint8 and a zero point of 8 bits for each output.
    _products(
        one("quantized_linear", (8,), "quantized-uint8", {"codes": _UINT8, "scale": _SCALES, "zero": _ZERO}), 8 * 3 * 8 + (32 + 8) * 3, 32
    ),
    _products(one("quantized_linear", (8,), "quantized-int4", {"codes": _INT4, "scale": _SCALES}, bits=4), 4 * 3 * 8 + 32 * 3, 32),
    # As many outputs as inputs: scales of one could be taken for those of the other.
    Case(
        one("quantized_linear", (8,), "quantized-square", {"codes": _SQUARE, "scale": _EIGHT}),
        8 * 8 * 8 + 32 * 8,
        8 * 8,
        8 * 7,
        "quantized",
        32 * (8 * 8 + 8 * 7),
    ),
    # Codes of uint8 around a zero point that is not their middle, of examples that reach over both ends of their range.
    _products(
        _behind_quantizer("quantized-activations-uint8", {"scale": _ONE_SCALE, "zero": np.array(100, np.uint8)}, spread=2.0),
        8 * 3 * 8 + 32 * (3 + 1) + 8,
        8,
    ),
    # Every other number lies between two codes. A scale that is a power of two is its exponent, of 8 bits.
    _products(_behind_quantizer("quantized-ties", {"scale": np.array(0.25, np.float32)}, unit=0.125), 8 * 3 * 8 + 32 * 3 + 8, 8),
    # fp16 holds these weights: they are stored in 16 bits, and multiplied by a float32.
    Case(one("linear", (8,), "half", _HALF), 16 * (5 * 8 + 5), 5 * 8, 5 * (7 + 1), "quantized", 32 * (5 * 8 + 5 * 8)),
)
