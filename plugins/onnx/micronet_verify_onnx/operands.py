"""What an ONNX name stands for while a graph is translated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.facts.formats import NumericFormat, numeric_format
from micronet_verify.facts.graph import Shape, Value
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify_onnx.tensors import Stored

# Whole numbers up to this many describe shapes, and floats up to this many are bounds, scales of a resize and the like.
MOST_INTEGERS = 4096
MOST_FLOATS = 64
SHAPE_TYPES = frozenset({"int32", "int64", "bool"})


class Operand:
    """A tensor: its shape and format, its value in the neutral graph (made when first used) and, if known, its numbers.

    ``known`` holds the numbers of a small tensor that no input of the model can change. ``static`` says that no input
    can change it, small or not. ``stored`` is the tensor of the file, where it is one.
    """

    __slots__ = ("_known", "_make", "_value", "format", "shape", "static", "stored")

    def __init__(
        self,
        shape: Shape,
        fmt: NumericFormat,
        make: Callable[[], Value] | None,
        *,
        value: Value | None = None,
        known: Callable[[], NDArray[Any]] | NDArray[Any] | None = None,
        static: bool = False,
        stored: Stored | None = None,
    ) -> None:
        self.shape, self.format, self.static, self.stored = shape, fmt, static, stored
        self._make, self._value, self._known = make, value, known

    @property
    def value(self) -> Value:
        if self._value is None:
            assert self._make is not None
            self._value = self._make()
        return self._value

    @property
    def known(self) -> NDArray[Any] | None:
        if callable(self._known):
            self._known = self._known()
        return self._known

    @property
    def numel(self) -> int:
        product = 1
        for size in self.shape:
            product *= size
        return product


def computed(value: Value, static: bool, known: NDArray[Any] | None = None) -> Operand:
    """The result of a node of the neutral graph."""
    return Operand(value.shape, value.format, None, value=value, static=static, known=known)


def stored(builder: GraphBuilder, tensor: Stored, label: str) -> Operand:
    """A tensor of the file."""
    small = tensor.numel <= (MOST_FLOATS if tensor.format.family == "float" else MOST_INTEGERS)
    return Operand(
        tensor.shape, tensor.format, lambda: tensor.put(builder, label), known=tensor.load if small else None, static=True, stored=tensor
    )


def folded(builder: GraphBuilder, array: NDArray[Any], label: str) -> Operand:
    """The result of shape arithmetic; it becomes a constant only if something else than a shape uses it."""
    data = np.asarray(array)
    fmt = numeric_format(data.dtype.name)
    return Operand(tuple(data.shape), fmt, lambda: builder.constant(data, label, fmt), known=data, static=True)
