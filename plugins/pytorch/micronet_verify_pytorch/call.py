"""One operator call, as the functions of the op table see it: typed arguments, and the builder to emit into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import NoReturn

from micronet_verify.plugin import GraphBuilder, NumericFormat, Problem, SubmissionFault, Value
from micronet_verify_pytorch.formats import SCALAR_TYPES, Operand, as_float, promote
from micronet_verify_pytorch.program import Dtype, Setting

# Arguments that say where bytes lie or how a kernel works, not what is computed.
SETTINGS = frozenset("memory_format layout device pin_memory non_blocking copy cudnn_enabled cudnn_enable benchmark".split())

Item = None | bool | int | float | str | Value | Dtype | Setting
Argument = Item | tuple[Item, ...]
Result = Value | None
Results = Result | Sequence[Item] | int | float


class Poisoned(Exception):
    """An argument is the result of a step that was refused."""


class Call:
    """Arguments by name, already resolved. What a translation does not ask for is an error of the count.

    ``builder`` emits at this call's place; ``used[i]`` says whether anything reads result ``i``.
    """

    def __init__(
        self, target: str, builder: GraphBuilder, arguments: Mapping[str, Argument], used: Sequence[bool], fixed: Set[str]
    ) -> None:
        self.target, self.builder, self.used = target, builder, used
        self._arguments = arguments
        self._read: set[str] = set()
        self._fixed = fixed

    def refuse(self, got: str, should: str, advice: str = "") -> NoReturn:
        raise SubmissionFault(Problem(got, should, self.builder.where, advice))

    def raw(self, name: str, default: Argument = None) -> Argument:
        self._read.add(name)
        return self._arguments.get(name, default)

    def values(self) -> list[Value]:
        """Every tensor among the arguments."""
        found: list[Value] = []
        for argument in self._arguments.values():
            found += [item for item in (argument if isinstance(argument, tuple) else (argument,)) if isinstance(item, Value)]
        return found

    def names(self) -> tuple[str, ...]:
        return tuple(self._arguments)

    def ignore(self, *names: str) -> None:
        """Read arguments that change nothing that is counted."""
        self._read.update(names)

    def finish(self) -> None:
        """Refuse the call if an argument was not understood."""
        left = [name for name, value in self._arguments.items() if name not in self._read and name not in SETTINGS and value is not None]
        if left:
            self.refuse(f"the argument {', '.join(sorted(left))}", "be one that the op table knows")

    def tensor(self, name: str = "self") -> Value:
        value = self.raw(name)
        if not isinstance(value, Value):
            self.refuse(f"{name}={value!r}", "be a tensor")
        return value

    def optional(self, name: str) -> Value | None:
        return self.tensor(name) if self.raw(name) is not None else None

    def tensors(self, name: str) -> tuple[Value, ...]:
        value = self.raw(name)
        found = tuple(item for item in value if isinstance(item, Value)) if isinstance(value, tuple) else ()
        if not isinstance(value, tuple) or len(found) != len(value):
            self.refuse(f"{name}={value!r}", "be a list of tensors")
        return found

    def optionals(self, name: str) -> tuple[Value | None, ...]:
        value = self.raw(name, ())
        if not isinstance(value, tuple) or not all(item is None or isinstance(item, Value) for item in value):
            self.refuse(f"{name}={value!r}", "be a list of tensors")
        return value  # type: ignore[return-value]

    def operand(self, name: str) -> Operand:
        """A tensor or a number."""
        value = self.raw(name)
        if not isinstance(value, Value | bool | int | float):
            self.refuse(f"{name}={value!r}", "be a tensor or a number")
        return value

    def number(self, name: str, default: float | None = None) -> float:
        value = self.raw(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(f"{name}={value!r}", "be a number")
        return value

    def integer(self, name: str, default: int | None = None) -> int:
        value = self.raw(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            self.refuse(f"{name}={value!r}", "be an integer")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.raw(name, default)
        if not isinstance(value, bool):
            self.refuse(f"{name}={value!r}", "be true or false")
        return value

    def text(self, name: str, default: str = "") -> str:
        value = self.raw(name, default)
        if not isinstance(value, str):
            self.refuse(f"{name}={value!r}", "be text")
        return value

    def ints(self, name: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        value = self.raw(name)
        if value is None:
            value = default
        if isinstance(value, int) and not isinstance(value, bool):
            value = (value,)
        if not isinstance(value, tuple) or not all(isinstance(item, int) and not isinstance(item, bool) for item in value):
            self.refuse(f"{name}={value!r}", "be a list of integers")
        return value  # type: ignore[return-value]

    def spread(self, name: str, rank: int, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        """``ints`` of ``rank`` entries; one entry stands for all."""
        value = self.ints(name, default)
        if len(value) == 1:
            value *= rank
        if len(value) != rank:
            self.refuse(f"{name}={value!r}", f"have {rank} entries")
        return value

    def dtype(self, name: str = "dtype", default: NumericFormat | None = None) -> NumericFormat:
        """The number type argument, or ``default`` where there is none."""
        value = self.raw(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, Dtype) or value.number not in SCALAR_TYPES:
            self.refuse(f"{name}={value!r}", "be one of torch's real number types")
        return SCALAR_TYPES[value.number]

    def axis(self, name: str, rank: int, default: int | None = None) -> int:
        return self.wrap(self.integer(name, default), rank)

    def axes(self, name: str, rank: int) -> tuple[int, ...]:
        """Axes in ascending order; none or an empty list stands for all."""
        value = self.ints(name, ())
        return tuple(sorted({self.wrap(axis, rank) for axis in value})) or tuple(range(rank))

    def wrap(self, axis: int, rank: int) -> int:
        """An axis counted from the front. Tensors without axes accept 0 and -1, as in torch."""
        if not -max(rank, 1) <= axis < max(rank, 1):
            self.refuse(f"axis {axis} of a tensor of {rank} axes", "be one of them")
        return axis % max(rank, 1)

    def is_fixed(self, value: Value) -> bool:
        """Whether a value comes from constants only, so that it is the same for every example."""
        return value.id in self._fixed

    def value(self, operand: Operand, fmt: NumericFormat) -> Value:
        """The operand as a value; a number becomes a constant of format ``fmt``."""
        if isinstance(operand, Value):
            return operand
        if fmt.family != "float" and isinstance(operand, float):
            fmt = as_float(fmt)
        return self.builder.scalar(operand, fmt)

    def elementwise(
        self, op: str, *operands: Operand, fmt: NumericFormat | None = None, rounding: str | None = None, **parameters: float | None
    ) -> Value:
        """An element-wise node; numbers become constants in the format of the arithmetic, results follow torch's promotion."""
        common = promote(operands)
        values = (self.value(operand, common) for operand in operands)
        return self.builder.emit("elementwise", *values, fmt=fmt or common, op=op, rounding=rounding, **parameters)
