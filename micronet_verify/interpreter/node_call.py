"""One node as its function sees it, and how numbers are held while a graph runs.

Integers and truth values are held in the numpy dtype of their format and wrap around in its width. Floats of 32 bits and
fewer are held as float32, so that a float16 is a float32 that was rounded; in double precision all floats are held as
float64 and nothing is rounded, but for what rounds by its meaning: casts and quantizers. Constants are held as they lie in
the artifact, and each function converts the part that it reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.facts.formats import NumericFormat, numpy_dtype
from micronet_verify.facts.graph import Attribute, Node, Value

Array = NDArray[Any]
Operands = Sequence[Array]
SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)


class Missing(Exception):
    """The interpreter lacks an operator: ``what`` names it, ``node`` is the one that needs it."""

    def __init__(self, node: Node, what: str) -> None:
        super().__init__(what)
        self.node, self.what = node, what


@dataclass(frozen=True, slots=True)
class NodeCall:
    """A node about to run: the formats of its operands (``None``: absent), its results, and the dtype in which it computes floats.

    ``double``: the run is in double precision, where float results are not rounded to their formats.
    """

    node: Node
    operands: tuple[NumericFormat | None, ...]
    results: tuple[Value | None, ...]
    dtype: np.dtype[Any]
    double: bool = False

    @property
    def attributes(self) -> Mapping[str, Attribute]:
        return self.node.attributes

    @property
    def result(self) -> Value:
        """The first result. Functions of several results look at ``results``."""
        first = self.results[0]
        assert first is not None
        return first

    def has(self, at: int) -> bool:
        """Whether the optional operand ``at`` is there."""
        return at < len(self.operands) and self.operands[at] is not None


Function = Callable[[NodeCall, Operands], Array | tuple[Array, ...]]
"""What runs a node of one kind; absent operands are arrays of no elements. Results are rounded to their formats afterwards."""
ABSENT: Array = np.empty(0, np.float32)


def call_of(node: Node, operands: Sequence[NumericFormat | None], results: Sequence[Value | None], double: bool = False) -> NodeCall:
    formats = [fmt for fmt in (*operands, *(value.format for value in results if value)) if fmt is not None]
    wide = double or any(fmt.family == "float" and fmt.bits > 32 for fmt in formats)
    return NodeCall(node, tuple(operands), tuple(results), DOUBLE if wide else SINGLE, double)


def number_type(fmt: NumericFormat, double: bool) -> np.dtype[Any]:
    """The dtype in which values of a format are held while a graph runs."""
    if fmt.family != "float":
        return numpy_dtype(fmt)
    return DOUBLE if double or fmt.bits > 32 else SINGLE


def is_computed_in_floats(call: NodeCall) -> bool:
    return call.result.format.family == "float"


def settled(array: Array, fmt: NumericFormat, double: bool) -> Array:
    """A computed result in its format: rounded unless the run is in double precision, wrapped around where it is an integer."""
    if fmt.family != "float":
        return wrapped(array, fmt)
    array = np.asarray(array)
    return array.astype(DOUBLE, copy=False) if double else rounded(array, fmt)


def rounded(array: Array, fmt: NumericFormat) -> Array:
    """Numbers rounded to a float format, held in float32 (or float64 where the format is that wide)."""
    dtype = numpy_dtype(fmt)
    if fmt.bits >= 32:
        return array.astype(dtype, copy=False)
    return array.astype(dtype, copy=False).astype(SINGLE)


def wrapped(array: Array, fmt: NumericFormat) -> Array:
    """Whole numbers, or floats that are truncated, modulo 2^bits of an integer format; truth values of ``bool``."""
    dtype = numpy_dtype(fmt)
    if array.dtype == dtype and (dtype.itemsize * 8 == fmt.bits or fmt.name == "int1"):
        return array
    if fmt.family == "bool":
        return array.astype(bool) if array.dtype != bool else array
    if array.dtype.kind not in "iub":
        array = np.asarray(array, DOUBLE).astype(np.uint64 if fmt.name == "uint64" and np.all(array >= 0) else np.int64)
    if dtype.itemsize * 8 > fmt.bits and fmt.name != "int1":  # the codes of int1 are −1 and 1
        spare = np.int64(dtype.itemsize * 8 - fmt.bits)
        held = array.astype(dtype)
        return np.asarray(np.right_shift(np.left_shift(held, spare.astype(dtype)), spare.astype(dtype)))
    return array.astype(dtype)


def limits(fmt: NumericFormat) -> tuple[float, float]:
    """The least and the greatest finite number of a format."""
    if fmt.family == "float":
        import ml_dtypes

        info = ml_dtypes.finfo(numpy_dtype(fmt))
        return float(info.min), float(info.max)
    if fmt.family == "int":
        return -(2 ** (fmt.bits - 1)), 2 ** (fmt.bits - 1) - 1
    return 0, 2**fmt.bits - 1
