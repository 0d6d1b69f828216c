"""Python source for a sequence of calls, in which every name is made here: ``v3 = f3(v1, c0)``.

A function over local names runs a small network faster than an interpreter's loop or a module's attributes. Nothing of a file
gets into the text: operators, constants and arguments are objects that the text names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any


class Name(str):
    """A name in the source, as opposed to a string argument."""

    __slots__ = ()


class Source:
    """Lines of one function. ``bind`` gives an object a name, ``call`` adds a line and returns the name of its result."""

    def __init__(self) -> None:
        self._bound: dict[str, Any] = {}
        self._inputs: list[Name] = []
        self._lines: list[tuple[Name, str, set[str]]] = []

    def input(self) -> Name:
        self._inputs.append(Name(f"x{len(self._inputs)}"))
        return self._inputs[-1]

    def bind(self, value: Any) -> Name:
        name = Name(f"c{len(self._bound)}")
        self._bound[name] = value
        return name

    def call(self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any] | None = None) -> Name:
        """``args`` are Names, lists with Names in them, or any other objects; ``kwargs`` the same, by identifiers."""
        read: set[str] = set()
        words = [self._text(arg, read) for arg in args]
        words += [f"{self._identifier(key)}={self._text(arg, read)}" for key, arg in (kwargs or {}).items()]
        return self._line(f"{self.bind(function)}({', '.join(words)})", read)

    def item(self, value: Name, place: int) -> Name:
        return self._line(f"{value}[{int(place)}]", {value})

    def function(self, outputs: Sequence[Any]) -> Callable[..., tuple[Any, ...]]:
        """The finished function of the inputs; a value is dropped after its last use."""
        read: set[str] = set()
        words = [self._text(output, read) for output in outputs]
        last = {name: number for number, (_, _, reads) in enumerate(self._lines) for name in reads}
        body = []
        for number, (name, text, reads) in enumerate(self._lines):
            body.append(f"        {name} = {text}")
            dead = sorted(other for other in {*reads, name} if other not in read and last.get(other, number) == number)
            body += [f"        del {other}" for other in dead if other not in self._bound]
        body.append(f"        return ({', '.join(words)}{',' if len(words) == 1 else ''})")
        text = "\n".join([f"def make({', '.join(self._bound)}):", f"    def run({', '.join(self._inputs)}):", *body, "    return run"])
        space: dict[str, Any] = {}
        exec(compile(text, "<model>", "exec"), space)  # its text is made of our own names
        run: Callable[..., tuple[Any, ...]] = space["make"](**self._bound)
        return run

    def _line(self, text: str, read: set[str]) -> Name:
        name = Name(f"v{len(self._lines)}")
        self._lines.append((name, text, read))
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
