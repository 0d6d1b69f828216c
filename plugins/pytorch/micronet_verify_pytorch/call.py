"""One operator call, as the functions of the op table see it: typed arguments, and the builder to emit into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from micronet_verify.plugin import (
    Array,
    Attribute,
    Item,
    NumericFormat,
    Operand,
    Results,
    RuleResult,
    Scope,
    Step,
    Value,
    Walk,
    computed,
    op,
)
from micronet_verify_pytorch import program
from micronet_verify_pytorch.formats import SCALAR_TYPES, Factor, as_float, promote
from micronet_verify_pytorch.names import Names, Number
from micronet_verify_pytorch.program import Body, Dtype, ProgramGraph, Ref, Setting

# Arguments that say where bytes lie or how a kernel works, not what is computed.
SETTINGS = frozenset("memory_format layout device pin_memory non_blocking copy cudnn_enabled cudnn_enable benchmark".split())

Plain = None | bool | int | float | str | Value | Dtype | Setting
Argument = Plain | tuple[Plain, ...]
Rule = Callable[["Call"], RuleResult]
"""What the op table holds: emits the operator's work."""


class Call(op.Visit):
    """Arguments by name, already resolved. What a rule does not ask for is an error of the count.

    ``used[i]`` says whether anything reads result ``i``.
    """

    scope: Names
    node: program.Step

    def __init__(self, walk: Walk, scope: Scope, step: Step, items: Results) -> None:
        super().__init__(walk, scope, step, items)
        self.target: str = self.node.target
        self.used = [name is not None and scope.is_read(name) for name in step.results]
        self._items = dict(zip(step.operands, items, strict=True))
        self._fixed = {item.value.id for item in items if isinstance(item, Operand) and item.static}
        self._read: set[str] = set()
        self._arguments = {name: self._resolved(argument) for name, argument in self.node.arguments.items()}

    def _resolved(self, argument: program.Argument) -> Argument:
        if isinstance(argument, Ref):
            item = self._items[argument.name]
            return item.number if isinstance(item, Number) else item.value if isinstance(item, Operand) else None
        if isinstance(argument, tuple):
            return tuple(self._resolved(item) for item in argument)  # type: ignore[misc]
        if isinstance(argument, Body):
            self.refuse(f"a subgraph {argument.name!r}", "belong to an operator that takes one")
        return argument

    # Bodies, and what is given to them by place

    def bodies(self, count: int) -> list[ProgramGraph]:
        found = [argument.graph for argument in self.node.positional if isinstance(argument, Body)]
        if len(found) != count:
            self.refuse(f"{len(found)} bodies", f"be {count}")
        return found

    def given(self, count: int | None = None) -> list[Item | Results | None]:
        """Everything else that is given by place; a list for a list."""
        found: list[Item | Results | None] = []
        for argument in self.node.positional:
            if isinstance(argument, tuple):
                found.append([self._item(item) for item in argument])
            elif not isinstance(argument, Body):
                found.append(self._item(argument))
        if count is not None and len(found) != count:
            self.refuse(f"{len(found)} arguments beside the bodies", f"be {count}")
        return found

    def lists(self, count: int) -> list[Results]:
        """The same, all of them lists."""
        found = [each for each in self.given(count) if isinstance(each, list)]
        if len(found) != count:
            self.refuse("arguments that are no lists", "be lists of tensors")
        return found

    def _item(self, argument: program.Argument) -> Item | None:
        return self._items[argument.name] if isinstance(argument, Ref) else Number(argument)

    # Answers to the walk

    def may_fold(self) -> bool:
        return False

    def result(self, value: Value, index: int, known: Array | None) -> Operand:
        """What is made of values that are the same for every example is so, too, and so is an operand that is handed on."""
        return computed(self.builder, value, self.is_static() or value.id in self._fixed, known)

    # Arguments

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
        return self._of(name, None, (Value,), "a tensor")  # type: ignore[no-any-return]

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

    def operand(self, name: str, default: Factor | None = None) -> Factor:
        return self._of(name, default, (Value, bool, int, float), "a tensor or a number")  # type: ignore[no-any-return]

    def number(self, name: str, default: float | None = None) -> float:
        return self._of(name, default, (int, float), "a number")  # type: ignore[no-any-return]

    def integer(self, name: str, default: int | None = None) -> int:
        return self._of(name, default, (int,), "an integer")  # type: ignore[no-any-return]

    def flag(self, name: str, default: bool = False) -> bool:
        return self._of(name, default, (bool,), "true or false")  # type: ignore[no-any-return]

    def text(self, name: str, default: str = "") -> str:
        return self._of(name, default, (str,), "text")  # type: ignore[no-any-return]

    def _of(self, name: str, default: Argument, types: tuple[type, ...], what: str) -> Any:
        given = self.raw(name)
        value = default if given is None else given
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            self.refuse(f"{name}={value!r}", f"be {what}")
        return value

    def ints(self, name: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        given = self.raw(name)
        value = default if given is None else given if isinstance(given, tuple) else (given,)
        if value is None or not all(isinstance(item, int) and not isinstance(item, bool) for item in value):
            self.refuse(f"{name}={given!r}", "be a list of integers")
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

    def dim(self, name: str, rank: int, default: int | None = None) -> int:
        return self.axis(self.integer(name, default), rank)

    def dims(self, name: str, rank: int) -> tuple[int, ...]:
        """Axes in ascending order; none or an empty list stands for all."""
        value = self.ints(name, ())
        return tuple(sorted({self.axis(axis, rank) for axis in value})) or tuple(range(rank))

    def is_fixed(self, value: Value) -> bool:
        """Whether a value comes from constants only, so that it is the same for every example."""
        return value.id in self._fixed

    def value(self, factor: Factor, fmt: NumericFormat) -> Value:
        """The factor as a value; a number becomes a constant of format ``fmt``."""
        if isinstance(factor, Value):
            return factor
        if fmt.family != "float" and isinstance(factor, float):
            fmt = as_float(fmt)
        return self.builder.scalar(factor, fmt)

    def elementwise(self, function: str, *inputs: Factor, fmt: NumericFormat | None = None, **parameters: Attribute | None) -> Value:
        """An element-wise node; numbers become constants in the format of the arithmetic, results follow torch's promotion."""
        common = promote(inputs)
        values = (self.value(factor, common) for factor in inputs)
        return self.emit("elementwise", *values, fmt=fmt or common, op=function, **parameters)
