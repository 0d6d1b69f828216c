"""Tensors of a model's files: left where their bytes lie, decoded only where they must be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.facts.formats import NumericFormat, numeric_format
from micronet_verify.facts.graph import Shape, Value
from micronet_verify.facts.tensors import row_major
from micronet_verify.framework.builder import GraphBuilder

Array = NDArray[Any]
Order = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor of the file. ``place`` is (path, offset) where its bytes can be used as they are; ``load`` reads it.

    ``splat``: one number fills it.
    """

    shape: Shape
    format: NumericFormat
    place: tuple[str, int] | None
    load: Callable[[], Array]
    splat: bool = False

    @property
    def numel(self) -> int:
        return prod(self.shape)

    def put(self, builder: GraphBuilder, label: str, order: Order | None = None) -> Value:
        """The tensor as a constant, its axes in this order; where its bytes can be used, only the strides change."""
        shape = self.shape if order is None else tuple(self.shape[axis] for axis in order)
        if self.splat and self.numel > 1:
            number = builder.constant(self.load().reshape(-1)[:1].reshape(()), label, self.format)
            return builder.emit("move", number, op="expand", shape=shape)
        if self.place is None:
            return builder.constant(self.load() if order is None else np.transpose(self.load(), order), label, self.format)
        steps = row_major(self.shape)
        return builder.constant_at(*self.place, shape, self.format, label, None if order is None else tuple(steps[axis] for axis in order))


def stored_array(values: Array, fmt: NumericFormat | None = None) -> Stored:
    """An array as if the file held it."""
    return Stored(tuple(values.shape), fmt or numeric_format(values.dtype.name), None, lambda: values)
