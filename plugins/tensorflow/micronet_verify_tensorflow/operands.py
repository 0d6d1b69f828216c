"""What a ref of a TensorFlow graph stands for while it is translated: a tensor, a variable's handle, or a list of tensors."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.facts.formats import NumericFormat, numeric_format
from micronet_verify.facts.graph import Shape, Value
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify_tensorflow.stored import Stored

# Whole numbers up to this many describe shapes, and floats up to this many are bounds, scales of a resize and the like.
MOST_INTEGERS = 4096
MOST_FLOATS = 64
SHAPE_TYPES = frozenset({"int32", "int64", "bool"})
Laid = Callable[[tuple[int, ...]], Value]


class Operand:
    """A tensor: its shape and format, its value in the neutral graph (made when first used) and, if known, its numbers.

    ``known`` holds the numbers of a small tensor that no input of the model can change; ``static`` says that no input can
    change it, small or not; ``load`` reads it, where it is a tensor of the files. ``laid`` makes its value with the axes in
    another order, where that is more than a transpose.
    """

    __slots__ = ("_known", "_make", "_value", "format", "laid", "load", "shape", "static")

    def __init__(
        self,
        shape: Shape,
        fmt: NumericFormat,
        make: Callable[[], Value] | None = None,
        *,
        value: Value | None = None,
        known: Callable[[], NDArray[Any]] | NDArray[Any] | None = None,
        static: bool = False,
        laid: Laid | None = None,
        load: Callable[[], NDArray[Any]] | None = None,
    ) -> None:
        self.shape, self.format, self.static, self.laid, self.load = shape, fmt, static, laid, load
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
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Handle:
    """The handle of a variable; reading it gives ``operand``."""

    name: str
    operand: Operand


@dataclass(frozen=True, slots=True)
class TensorList:
    """A list of tensors. ``items``: ``None`` where nothing was written; ``whole``: the tensor it was made from, unchanged."""

    items: tuple[Operand | None, ...]
    whole: Operand | None = None


Item = Operand | Handle | TensorList


def computed(value: Value, static: bool, known: NDArray[Any] | None = None, laid: Laid | None = None) -> Operand:
    """The result of a node of the neutral graph."""
    return Operand(value.shape, value.format, value=value, static=static, known=known, laid=laid)


def stored(builder: GraphBuilder, tensor: Stored, label: str) -> Operand:
    """A tensor of the files."""
    small = tensor.numel <= (MOST_FLOATS if tensor.format.family == "float" else MOST_INTEGERS)
    made: dict[tuple[int, ...] | None, Value] = {}

    def put(perm: tuple[int, ...] | None = None) -> Value:
        if perm not in made:
            made[perm] = tensor.put(builder, label, perm)
        return made[perm]

    return Operand(tensor.shape, tensor.format, put, known=tensor.load if small else None, static=True, laid=put, load=tensor.load)


def folded(builder: GraphBuilder, array: NDArray[Any], label: str) -> Operand:
    """The result of shape arithmetic; it becomes a constant only if something else than a shape uses it."""
    data = np.asarray(array)
    fmt = numeric_format(data.dtype.name)
    return Operand(tuple(data.shape), fmt, lambda: builder.constant(data, label, fmt), known=data, static=True)
