"""The contract's programs of codes as .tflite files written by hand: the converter quantizes a network as a whole, and has no program of
weights in int4 or of one fake quantizer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.testing import Program, Step, Unsupported
from tests.plugins.tflite.writer import File, Sub

QUANTIZED = frozenset({"quantize", "quantized_linear"})


def write(program: Program, folder: Path) -> Path:
    """QUANTIZE and DEQUANTIZE around float operators; codes of weights are a constant that is dequantized."""
    if program.operators - QUANTIZED:
        raise Unsupported("codes beside other operators")
    if program.unit:
        raise Unsupported("ties to even: its quantizers round them away from 0")
    file, sub = File.new()
    values = {"x": sub.input((-1, *program.shape))}
    for step in program.steps:
        values[step.name] = (_quantize if step.op == "quantize" else _linear)(sub, step, values[step.inputs[0]])
    sub.outputs = [values["y"]]
    return file.save(folder / "model.tflite")


def _quantize(sub: Sub, step: Step, x: int) -> int:
    zero = step.arrays.get("zero", np.int8(0))
    shape = (-1, *sub.tensors[x].shape[1:])
    codes = sub.tensor(shape, zero.dtype.name, scale=float(step.arrays["scale"]), zero=int(zero))
    sub.op("QUANTIZE", [x], [codes], "Quantize")
    return sub.op("DEQUANTIZE", [codes], [sub.tensor(shape)], "Dequantize", version=2)[0]


def _linear(sub: Sub, step: Step, x: int) -> int:
    codes, scale = step.arrays["codes"], step.arrays["scale"]
    zero = step.arrays["zero"].tolist() if "zero" in step.arrays else [0] * len(scale)
    if step.options.get("bits") == 4:
        constant = sub.tensor(codes.shape, "int4", _packed(codes), scale=scale.tolist(), zero=zero)
    else:
        constant = sub.constant(codes, scale=scale.tolist(), zero=zero)
    (weight,) = sub.op("DEQUANTIZE", [constant], [sub.tensor(codes.shape)], "Dequantize", version=5)
    return sub.op("FULLY_CONNECTED", [x, weight, -1], [sub.tensor((-1, len(codes)), name=step.name)], "FullyConnected")[0]


def _packed(codes: NDArray[Any]) -> bytes:
    """Two numbers of four bits in a byte, the first in its lower half."""
    low, high = codes.reshape(-1, 2).T.astype(np.uint8) & 15
    return bytes(low | high << 4)
