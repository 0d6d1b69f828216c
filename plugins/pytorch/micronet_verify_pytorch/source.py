"""Python source for a sequence of calls, in which every name is made here: ``v3 = f3(v1, c0)``.

A function over local names runs a small network faster than an interpreter's loop or a module's attributes. Nothing of a file
gets into the text: operators, constants and arguments are objects that the text names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


class Name(str):
    """A name in the source, as opposed to a string argument."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Over:
    """Another call for the same result, which writes it over ``operand``, one of its arguments, and returns that."""

    operand: Name
    function: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any] = field(default_factory=dict)


# Told the name of a result, the result, the operands of it that end here, by name, and every other value but inputs that is alive.
Watch = Callable[[str, Any, Mapping[str, Any], Sequence[Any]], None]
Function = Callable[..., tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class _Line:
    name: Name
    text: str
    reads: frozenset[str]
    over: Mapping[str, str]  # by operand, the text that writes over it


class Source:
    """Lines of one function. ``bind`` gives an object a name, ``call`` adds a line and returns the name of its result."""

    def __init__(self) -> None:
        self._bound: dict[str, Any] = {}
        self._inputs: list[Name] = []
        self._lines: list[_Line] = []

    def input(self) -> Name:
        self._inputs.append(Name(f"x{len(self._inputs)}"))
        return self._inputs[-1]

    def bind(self, value: Any) -> Name:
        name = Name(f"c{len(self._bound)}")
        self._bound[name] = value
        return name

    def bound(self) -> Iterable[Any]:
        return self._bound.values()

    def call(
        self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any] | None = None, over: Iterable[Over] = ()
    ) -> Name:
        """``args`` are Names, lists with Names in them, or any other objects; ``kwargs`` the same, by identifiers."""
        read: set[str] = set()
        text = self._call(function, args, kwargs or {}, read)
        instead: dict[str, str] = {other.operand: self._call(other.function, other.args, other.kwargs, set()) for other in over}
        return self._line(text, read, instead)

    def item(self, value: Name, place: int) -> Name:
        return self._line(f"{value}[{int(place)}]", {value}, {})

    def function(self, outputs: Sequence[Any], chosen: Mapping[str, str] | None = None, watch: Watch | None = None) -> Function:
        """The finished function of the inputs; a value is dropped after its last use.

        ``chosen``: by result, the operand that it is written over. ``watch`` is called after every line that has a choice.
        """
        read: set[str] = set()
        words = [self._text(output, read) for output in outputs]
        last = {name: number for number, line in enumerate(self._lines) for name in line.reads}
        alive: dict[str, None] = {}  # an ordered set
        body = []
        for number, line in enumerate(self._lines):
            operand = (chosen or {}).get(line.name)
            body.append(f"        {line.name} = {line.text if operand is None else line.over[operand]}")
            here = sorted({*line.reads, line.name} - read - self._bound.keys())
            dead = [name for name in here if last.get(name, number) == number]
            free = [name for name in line.over if name in dead and name not in self._inputs]
            if watch is not None and free:
                others = [name for name in alive if name not in free]
                given = f"{{{', '.join(f'{name!r}: {name}' for name in free)}}}"
                body.append(f"        watch({line.name!r}, {line.name}, {given}, [{', '.join(others)}])")
            alive[line.name] = None
            body += [f"        del {name}" for name in dead]
            for name in dead:
                alive.pop(name, None)
        body.append(f"        return ({', '.join(words)}{',' if len(words) == 1 else ''})")
        heads = [f"def make({', '.join(('watch', *self._bound))}):", f"    def run({', '.join(self._inputs)}):"]
        text = "\n".join([*heads, *body, "    return run"])
        space: dict[str, Any] = {}
        exec(compile(text, "<model>", "exec"), space)  # its text is made of our own names
        run: Function = space["make"](watch, **self._bound)
        return run

    def _call(self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], read: set[str]) -> str:
        words = [self._text(arg, read) for arg in args]
        words += [f"{self._identifier(key)}={self._text(arg, read)}" for key, arg in kwargs.items()]
        return f"{self.bind(function)}({', '.join(words)})"

    def _line(self, text: str, read: set[str], over: Mapping[str, str]) -> Name:
        name = Name(f"v{len(self._lines)}")
        self._lines.append(_Line(name, text, frozenset(read), over))
        return name

    def _text(self, value: Any, read: set[str]) -> str:
        if isinstance(value, Name):
            read.add(value)
            return value
        if isinstance(value, list) and _holds_name(value):
            return f"[{', '.join(self._text(item, read) for item in value)}]"
        return self.bind(value)

    @staticmethod
    def _identifier(name: str) -> str:
        if not name.isidentifier():
            raise ValueError(f"a keyword {name!r}")
        return name


def _holds_name(value: list[Any]) -> bool:
    return any(isinstance(item, Name) or (isinstance(item, list) and _holds_name(item)) for item in value)
