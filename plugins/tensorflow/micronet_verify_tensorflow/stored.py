"""Tensors of a model's files: left where their bytes lie, decoded only where they must be."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.facts.formats import NumericFormat, numpy_dtype
from micronet_verify.facts.graph import Shape, Value
from micronet_verify.framework.builder import GraphBuilder


@dataclass(frozen=True, slots=True)
class Stored:
    """``place`` is (path, offset) where the bytes can be used as they are; ``splat`` one number that fills the tensor."""

    shape: Shape
    format: NumericFormat
    load: Callable[[], NDArray[Any]]
    place: tuple[str, int] | None = None
    splat: bool = False

    @property
    def numel(self) -> int:
        return math.prod(self.shape)

    def put(self, builder: GraphBuilder, label: str, perm: tuple[int, ...] | None = None) -> Value:
        """The tensor as a constant of the graph, its axes in the order ``perm``."""
        order = perm or tuple(range(len(self.shape)))
        shape = tuple(self.shape[axis] for axis in order)
        if self.splat and self.numel > 1:
            number = builder.constant(self.load().reshape(-1)[:1].reshape(()), label, self.format)
            return builder.emit("move", number, op="expand", shape=shape)
        if self.place is None:
            return builder.constant(self.load().transpose(order), label, self.format)
        steps = [math.prod(self.shape[axis + 1 :]) for axis in range(len(self.shape))]
        strides = None if perm is None else tuple(steps[axis] for axis in order)
        return builder.constant_at(*self.place, shape, self.format, label, strides)


def in_file(path: str, offset: int, shape: Shape, fmt: NumericFormat, data: NDArray[np.uint8]) -> Stored:
    """A tensor whose bytes ``data`` lie at ``offset`` of the file ``path``."""
    return Stored(shape, fmt, lambda: data.view(numpy_dtype(fmt)).reshape(shape), (path, offset))


def in_memory(array: NDArray[Any], fmt: NumericFormat) -> Stored:
    return Stored(tuple(array.shape), fmt, lambda: array)
