"""What a name of the file stands for while it is translated."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, ClassVar

import numpy as np

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.formats import NumericFormat, numeric_format
from micronet_verify.facts.graph import Shape, Value
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.translation.limits import MOST_FLOATS, MOST_INTEGERS
from micronet_verify.framework.translation.stored import Array as Array
from micronet_verify.framework.translation.stored import Order as Order
from micronet_verify.framework.translation.stored import Stored

Arrange = Callable[[Order | None], Value]
"""Makes a value with its axes in another order; ``None`` is the order as it stands."""


class Operand:
    """A tensor: its shape and format, its value in the neutral graph (made when first used) and, if known, its numbers.

    ``known`` holds the numbers of a small tensor that no input of the model can change. ``static`` says that no input can
    change it, small or not. ``load`` reads it, where it is a tensor of the file. ``scaling`` is the plugin's own: how codes
    stand for numbers where the value is codes.
    """

    __slots__ = ("_arrange", "_arranged", "_known", "format", "load", "scaling", "shape", "static")

    def __init__(
        self,
        shape: Shape,
        fmt: NumericFormat,
        arrange: Arrange,
        *,
        known: Callable[[], Array] | Array | None = None,
        static: bool = False,
        load: Callable[[], Array] | None = None,
        scaling: Any = None,
    ) -> None:
        self.shape, self.format, self.static, self.load, self.scaling = shape, fmt, static, load, scaling
        self._arrange, self._known = arrange, known
        self._arranged: dict[Order | None, Value] = {}

    @property
    def value(self) -> Value:
        """The value as it stands: codes where there is a ``scaling``."""
        return self.arranged()

    @property
    def made(self) -> Value | None:
        """The value as it stands, if something has used it."""
        return self._arranged.get(None)

    def arranged(self, order: Order | None = None) -> Value:
        """The value with its axes in this order."""
        key = None if order is None or order == tuple(range(len(self.shape))) else order
        if key not in self._arranged:
            self._arranged[key] = self._arrange(key)
        return self._arranged[key]

    @property
    def known(self) -> Array | None:
        if callable(self._known):
            self._known = self._known()
        return self._known

    @property
    def numbers(self) -> Array | None:
        """The numbers of a small operand, or of any tensor of the file."""
        known = self.known
        return self.load() if known is None and self.load is not None else known

    @property
    def numel(self) -> int:
        return prod(self.shape)


class NoTensor:
    """Something else that a name may stand for: a variable's handle, a list of tensors. ``got`` says what, where a tensor is wanted."""

    got: ClassVar[str]
    should: ClassVar[str] = "be a tensor"
    advice: ClassVar[str] = ""
    static: ClassVar[bool] = False


Item = Operand | NoTensor
Result = Value | Item
Results = list[Item | None]


def tensor(item: Item, where: str) -> Operand:
    """The item, which must be a tensor. Raises ``SubmissionFault``."""
    if isinstance(item, NoTensor):
        raise SubmissionFault(Problem(item.got, item.should, where, item.advice))
    return item


def computed(
    builder: GraphBuilder,
    value: Value,
    static: bool = False,
    known: Array | None = None,
    *,
    arrange: Arrange | None = None,
    scaling: Any = None,
) -> Operand:
    """The result of a node of the neutral graph. ``arrange``: where another order of axes is more than a transpose."""

    def moved(order: Order | None) -> Value:
        return value if order is None else builder.transpose(value, order) if arrange is None else arrange(order)

    return Operand(value.shape, value.format, moved, known=known, static=static, scaling=scaling)


def stored(builder: GraphBuilder, tensor: Stored, label: str, *, small: bool = True, scaling: Any = None) -> Operand:
    """A tensor of the file. ``small``: few numbers of it are known."""
    small = small and tensor.numel <= (MOST_FLOATS if tensor.format.family == "float" else MOST_INTEGERS)
    return Operand(
        tensor.shape,
        tensor.format,
        lambda order: tensor.put(builder, label, order),
        known=tensor.load if small else None,
        static=True,
        load=tensor.load,
        scaling=scaling,
    )


def folded(builder: GraphBuilder, array: Array, label: str) -> Operand:
    """The result of shape arithmetic; it becomes a constant only if something else than a shape uses it."""
    data = np.asarray(array)
    fmt = numeric_format(data.dtype.name)

    def put(order: Order | None) -> Value:
        return builder.constant(data if order is None else data.transpose(order), label, fmt)

    return Operand(tuple(data.shape), fmt, put, known=data, static=True)
