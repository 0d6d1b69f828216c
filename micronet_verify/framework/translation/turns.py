"""How often a loop turns, read from its body: counters that grow by a constant, and a condition that compares them with constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from micronet_verify.facts.formats import INT32, INT64, NumericFormat, numpy_dtype
from micronet_verify.facts.graph import Value
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.translation.operand import Array, Item, Operand, Results

# Comparisons as ``number < 0``: the sign of left − right, and 1 where equal numbers hold too.
_BELOW = {"less": (1, 0), "less_equal": (1, 1), "greater": (-1, 0), "greater_equal": (-1, 1)}
_LINEAR = frozenset(
    [*(("elementwise", name) for name in ("add", "sub", "mul", "neg")), *(("move", name) for name in ("identity", "cast", "reshape"))]
)


@dataclass(frozen=True, slots=True)
class Counter:
    """A whole number of one element that is ``first`` before turn 0 and grows by ``step`` each turn."""

    first: int
    step: int
    shape: tuple[int, ...]
    format: NumericFormat

    def value(self, builder: GraphBuilder, number: Value) -> Value:
        """The counter in a turn, made from the turn's ``number``."""
        made = number
        if self.step != 1:
            made = builder.elementwise("mul", made, builder.scalar(self.step, INT64))
        if self.first:
            made = builder.elementwise("add", made, builder.scalar(self.first, INT64))
        if self.format != INT64:
            made = builder.emit("move", made, op="cast", fmt=self.format)
        return builder.reshape(made, self.shape)

    def after(self, trips: int) -> Array:
        """The counter behind the last turn."""
        return np.full(self.shape, self.first + self.step * trips, numpy_dtype(self.format))

    def fits(self, trips: int) -> bool:
        """Whether it never leaves its format, where it would wrap around."""
        return max(abs(self.first), abs(self.first + self.step * trips)) < 1 << (self.format.bits - 1)


def steady_of(history: Sequence[Results]) -> frozenset[int]:
    """Places of the state that two turns left as they were."""
    pairs = enumerate(zip(*history[:3], strict=True)) if len(history) > 2 else ()
    return frozenset(place for place, items in pairs if items[0] is not None and all(is_same(items[0], item) for item in items[1:]))


def is_same(before: Item | None, after: Item | None) -> bool:
    """Whether both are one item, or hold the same known numbers."""
    if before is after:
        return True
    known = [item.known if isinstance(item, Operand) else None for item in (before, after)]
    return known[0] is not None and known[1] is not None and np.array_equal(known[0], known[1])


def counters_of(history: Sequence[Results]) -> dict[int, Counter]:
    """Places of the state that grew by the same whole number in two turns."""
    found: dict[int, Counter] = {}
    for place, items in enumerate(zip(*history[:3], strict=True) if len(history) > 2 else ()):
        numbers = [int(item.known.reshape(-1)[0]) for item in items if _is_whole(item) and item.known is not None]
        if len(numbers) == len(items) and numbers[1] - numbers[0] == numbers[2] - numbers[1] != 0:
            found[place] = Counter(numbers[0], numbers[1] - numbers[0], items[0].shape, items[0].format)
    return found


def _is_whole(item: Item | None) -> bool:
    return isinstance(item, Operand) and item.numel == 1 and item.format.is_integer


class Reader:
    """Reads the body of a loop. ``number`` is the turn's; ``known`` the numbers of constants by value id."""

    def __init__(self, builder: GraphBuilder, number: Value, known: Mapping[str, Array]) -> None:
        self._builder, self._number, self._known = builder, number, known

    def follows(self, counter: Counter, after: Item | None) -> bool:
        """Whether ``after`` is the counter of the next turn."""
        if not isinstance(after, Operand) or not _is_whole(after) or after.format != counter.format:
            return False
        return self._affine(after.value.id) == (counter.step, counter.first + counter.step)

    def trips(self, going: Item | None, limit: int | None) -> int | None:
        """Turns until ``going``, which a turn makes for the next, no longer holds; ``None`` where that cannot be read."""
        if going is None:
            return limit
        if not isinstance(going, Operand):
            return None
        if going.known is not None:
            return limit if going.known.all() else 1
        turns = self._holds(going.value.id)
        return None if turns is None else turns + 1 if limit is None else min(turns + 1, limit)

    def _holds(self, name: str) -> int | None:
        """The first turn behind which a truth value is false."""
        node = self._builder.maker_of(name)
        if node is None or node.kind not in ("move", "elementwise"):
            return None
        function = str(node.attributes["op"])
        if node.kind == "move":
            return self._holds(node.inputs[0]) if function in ("identity", "reshape") else None
        if function == "and":
            sides = [self._holds(operand) for operand in node.inputs]
            turns = [side for side in sides if side is not None]
            return min(turns) if len(turns) == len(sides) else None
        if function not in (*_BELOW, "not_equal"):
            return None
        left, right = (self._affine(operand) for operand in node.inputs)
        if left is None or right is None:
            return None
        step, first = left[0] - right[0], left[1] - right[1]
        if function == "not_equal":
            return -first // step if step and first % step == 0 and -first // step >= 0 else None
        sign, equal = _BELOW[function]
        step, first = sign * step, sign * first - equal
        if first >= 0:
            return 0
        return -(first // step) if step > 0 else None

    def _affine(self, name: str) -> tuple[int, int] | None:
        """(step, first) of a whole number that is first + step · turn."""
        if name == self._number.id:
            return 1, 0
        known = self._builder.decoded.get(name, self._known.get(name))
        if known is not None:
            return (0, int(known.reshape(-1)[0])) if known.size == 1 and known.dtype.kind in "iu" else None
        node = self._builder.maker_of(name)
        function = "" if node is None else str(node.attributes.get("op"))
        if node is None or (node.kind, function) not in _LINEAR or self._builder.format_of(name) not in (INT32, INT64):
            return None
        parts = [part for part in (self._affine(operand) for operand in node.inputs) if part is not None]
        if len(parts) != len(node.inputs):
            return None
        step, first = parts[0]
        if function == "neg":
            return -step, -first
        if len(parts) == 1:
            return step, first
        other_step, other = parts[1]
        if function == "mul":
            return None if step and other_step else (step * other + other_step * first, first * other)
        sign = 1 if function == "add" else -1
        return step + sign * other_step, first + sign * other
