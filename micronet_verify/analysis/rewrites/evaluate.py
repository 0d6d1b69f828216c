"""What is done once, among constants (rule S2: what inference needs is the result): by the interpreter's functions, one a kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.tensors.constants import Constant
from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.formats import NumericFormat, numeric_format, numpy_dtype
from micronet_verify.facts.graph import Attribute, Node, Value
from micronet_verify.facts.shapes import integer, ints
from micronet_verify.facts.validate import place
from micronet_verify.interpreter import moves
from micronet_verify.interpreter.kinds import FUNCTIONS
from micronet_verify.interpreter.node_call import ABSENT, Missing, NodeCall, call_of, settled
from micronet_verify.interpreter.quantizers import quantize, spread

__all__ = ["cast", "compute", "is_arithmetic", "mean_variance_scale", "moved", "pieces", "quantized", "spread"]

Array = NDArray[Any]

# What frameworks do not agree on for negative numbers, unless the node says it.
_UNSIGNED = frozenset({"mod", "floor_div"})
_ARITHMETIC = frozenset({"elementwise", "reduce", "softmax", "normalise", "cumulative"})
MOST_COUNTED = 1 << 20


def is_arithmetic(node: Node, operands: Sequence[Constant]) -> bool:
    """Whether this node, among these constants, can be done once."""
    op = node.attributes.get("op")
    if node.kind == "elementwise" and op in _UNSIGNED and "rounding" not in node.attributes:
        return all(map(_counts, operands))
    return node.kind in _ARITHMETIC


def _counts(constant: Constant) -> bool:
    """Whether a constant holds whole numbers of which none is negative; large ones are not looked through."""
    if not constant.format.is_integer or constant.format.family == "uint":
        return constant.format.family == "uint"
    return constant.numel <= MOST_COUNTED and int(constant.load().min(initial=0)) >= 0


def compute(node: Node, operands: Sequence[Array], formats: Sequence[NumericFormat | None], result: Value) -> Array:
    """The node's value, in the format of its result. ``formats``: of all operands, ``None`` where one is absent.

    Raises ``SubmissionFault`` where its operands have none.
    """
    left = iter(operands)
    try:
        with np.errstate(all="ignore"):
            all_operands = [ABSENT if fmt is None else next(left) for fmt in formats]
            found = FUNCTIONS[node.kind](call_of(node, formats, (result,)), all_operands)
            return _stored(settled(np.asarray(found), result.format, double=False), result.format)
    except (ValueError, TypeError, Missing) as error:
        raise SubmissionFault(Problem(f"constants that have no {node.attributes['op']} ({error})", "have one", place(node))) from None


def quantized(node: Node, x: Array, scale: Array, zero: Array | None, result: Value) -> Array:
    """Codes of constant ``x`` in the format of ``result``."""
    operands = (x, scale, ABSENT if zero is None else zero)
    with np.errstate(all="ignore"):
        return _stored(quantize(_step(node, operands[: 2 if zero is None else 3], result), operands), result.format)


def cast(node: Node, x: Array, source: NumericFormat, result: Value) -> Array:
    """Constant ``x`` of format ``source`` in that of ``result``."""
    with np.errstate(all="ignore"):
        return _stored(moves.cast(x, source, result.format, bool(node.attributes.get("saturate")), False), result.format)


def pieces(node: Node) -> Iterator[Node]:
    """A move for each of a node's results: a split is slices, whose places are added up once for all of them."""
    if node.kind != "move" or node.attributes["op"] != "split":
        yield from repeat(node, len(node.outputs))
        return
    axis, start = integer(node.attributes, "axis"), 0
    for name, size in zip(node.outputs, ints(node.attributes, "sizes"), strict=True):
        cut: dict[str, Attribute] = {"op": "slice", "axes": (axis,), "starts": (start,), "ends": (start + size,), "steps": (1,)}
        yield replace(node, outputs=(name,), attributes=cut)
        start += size


def moved(node: Node, operands: Sequence[Array]) -> Array:
    """A move of one result (``pieces``) or a constant permutation of constants, or of their places: a view where numpy can make one."""
    found = FUNCTIONS[node.kind](NodeCall(node, (None,) * len(operands), (), np.dtype(np.float32)), operands)
    assert not isinstance(found, tuple)
    return found


def _step(node: Node, operands: Sequence[Array], result: Value) -> NodeCall:
    return call_of(node, [numeric_format(operand.dtype.name) for operand in operands], (result,))


def _stored(array: Array, fmt: NumericFormat) -> Array:
    """An array in the dtype in which a tensor of the format lies in a file."""
    return array.astype(numpy_dtype(fmt), copy=False)


def mean_variance_scale(mean: Array, variance: Array, scale: Array | None, shift: Array | None, eps: float) -> tuple[Array, Array]:
    """Batch normalisation as y = a·x + b: a = scale / sqrt(variance + eps), b = shift − mean·a (Ioffe & Szegedy, 2015)."""
    a = (1.0 if scale is None else np.asarray(scale, np.float64)) / np.sqrt(np.asarray(variance, np.float64) + eps)
    b = (0.0 if shift is None else np.asarray(shift, np.float64)) - np.asarray(mean, np.float64) * a
    return np.asarray(a), np.asarray(b)
