"""Reads a pickle as data: numbers, texts, lists, tuples, dicts and arrays of numbers. Nothing in it is ever called.

A pickle is a program for a stack machine. This is that machine without its dangerous half: names are kept as text, and
the three calls that numpy and Python themselves write (an array, its type, bytes spelled as Latin-1) are recognised and
done here by hand. Everything else is refused with the name it asks for and the byte at which it does.

Opcodes: ``pickletools`` of the standard library. Texts of Python 2 stay bytes.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import BenchFault, Problem

ARRAY = ("_reconstruct", ("numpy.core.multiarray", "numpy._core.multiarray"))
TYPES: Mapping[str, str] = {"u1": "u1", "i1": "i1", "i4": "<i4", "i8": "<i8", "f4": "<f4", "f8": "<f8"}
DEEPEST = 16
MOST_ITEMS = 1_000_000


@dataclass(frozen=True, slots=True)
class _Named:
    """Something that the pickle names, ``module name``; it stays a name."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True)
class _Type:
    name: str
    order: str = "|"


@dataclass(slots=True)
class _Array:
    values: NDArray[Any] | None = None


class _Refused(Exception):
    def __init__(self, got: str) -> None:
        self.got = got


class _Mark:
    pass


def read_pickle(data: bytes, where: str) -> Any:
    """What the pickle holds. Raises ``BenchFault`` with ``where`` and the byte for anything but plain data."""
    machine = _Machine(data)
    try:
        return _Unwrap().plain(machine.run())
    except _Refused as refused:
        got = refused.got
    except (struct.error, IndexError):
        got = "that ends in the middle, or reads values that are missing"
    except (ValueError, KeyError, TypeError) as error:
        got = f"that makes no sense ({' '.join(str(error).split())[:100]})"
    should = "hold numbers, texts, lists and arrays of numbers only"
    raise BenchFault(Problem(f"a pickle {got}", should, f"{where}, byte {machine.start:,}", "nothing of it was executed"))


class _Unwrap:
    """Arrays out of their wrappers, over lists, tuples and dicts; what is shared or endless cannot grow past the limits."""

    def __init__(self) -> None:
        self.items = 0

    def plain(self, value: Any, depth: int = 0) -> Any:
        self.items += 1
        if depth > DEEPEST or self.items > MOST_ITEMS:
            raise _Refused("nested too deeply, or with too much in it,")
        if isinstance(value, _Array):
            if value.values is None:
                raise _Refused("of an array without values")
            return value.values
        if isinstance(value, dict):
            return {key: self.plain(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.plain(item, depth + 1) for item in value)
        if isinstance(value, _Named | _Type | _Mark):
            raise _Refused(f"that holds {value}" if isinstance(value, _Named) else "that holds a bare type")
        return value


class _Machine:
    """The stack machine. ``start`` is the byte of the current opcode."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.start = data, 0, 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        while True:
            self.start = self.at
            code = self._take(1)
            if code == b".":
                return self.stack.pop()
            step = _STEPS.get(code)
            if step is None:
                raise _Refused(f"with the opcode 0x{code[0]:02X}, which data does not need,")
            step(self)

    def _take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise _Refused("that ends too early")
        self.at += count
        return self.data[self.at - count : self.at]

    def _number(self, form: str) -> Any:
        return struct.unpack(f"<{form}", self._take(struct.calcsize(f"<{form}")))[0]

    def _line(self) -> str:
        end = self.data.find(b"\n", self.at, self.at + 200)
        if end < 0:
            raise _Refused("that ends too early")
        return self._take(end + 1 - self.at)[:-1].decode("ascii", "replace")

    def _to_mark(self) -> list[Any]:
        for place in range(len(self.stack) - 1, -1, -1):
            if type(self.stack[place]) is _Mark:
                items = self.stack[place + 1 :]
                del self.stack[place:]
                return items
        raise _Refused("without a mark where one is needed")

    def _tuple(self, count: int) -> None:
        items = self.stack[len(self.stack) - count :]
        if len(items) < count:
            raise _Refused("that reads values that are missing")
        del self.stack[len(self.stack) - count :]
        self.stack.append(tuple(items))

    def _extend(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise _Refused("that appends to something that is not a list")
        self.stack[-1].extend(items)

    def _update(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not dict or len(items) % 2:
            raise _Refused("that sets items of something that is not a dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str | bytes | int):
                raise _Refused("with a key that is not text")
            self.stack[-1][key] = value

    def _memoize(self, place: int) -> None:
        self.memo[place] = self.stack[-1]

    def _name(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise _Refused("with a name that is not text")
        self.stack.append(_Named(module[:100], name[:100]))

    def _call(self) -> None:
        arguments, called = self.stack.pop(), self.stack.pop()
        if not isinstance(called, _Named) or not isinstance(arguments, tuple):
            raise _Refused("that calls something without a name")
        match called.name, called.module, arguments:
            case "encode", "_codecs", (str() as text, "latin1" | "latin-1" | b"latin1"):
                self.stack.append(text.encode("latin-1"))
            case "bytes", "__builtin__" | "builtins", ():
                self.stack.append(b"")
            case "dtype", "numpy", (name, *_) if _text(name) in TYPES:
                self.stack.append(_Type(_text(name)))
            case name, module, (_Named(name="ndarray", module="numpy"), *_) if name == ARRAY[0] and module in ARRAY[1]:
                self.stack.append(_Array())
            case _:
                raise _Refused(f"that calls {called}")

    def _build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, _Type) and isinstance(state, tuple) and len(state) >= 2 and _text(state[1]) in ("|", "<"):
            target.order = _text(state[1])
        elif isinstance(target, _Array) and isinstance(state, tuple) and len(state) == 5:
            target.values = _array(*state[1:])
        else:
            raise _Refused("that sets the state of something that is not an array of numbers")


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value if isinstance(value, str) else ""


def _array(shape: Any, kind: Any, fortran: Any, raw: Any) -> NDArray[Any]:
    """State of ``numpy.ndarray.__setstate__`` after its version; a view of the pickle's own bytes."""
    if not (isinstance(shape, tuple) and all(type(size) is int and size >= 0 for size in shape) and isinstance(kind, _Type)):
        raise _Refused("of an array without a shape or a type")
    dtype = np.dtype(TYPES[kind.name])
    size = math.prod(shape) * dtype.itemsize
    if not isinstance(raw, bytes) or len(raw) != size:
        held = f"{len(raw):,} bytes" if isinstance(raw, bytes) else "no bytes"
        raise _Refused(f"with an array of shape {shape} that holds {held} and not {size:,}")
    return np.frombuffer(raw, dtype).reshape(shape, order="F" if fortran else "C")


def _push(make: Callable[[_Machine], Any]) -> Callable[[_Machine], None]:
    return lambda machine: machine.stack.append(make(machine))


def _ignore(count: int) -> Callable[[_Machine], None]:
    def step(machine: _Machine) -> None:
        machine._take(count)

    return step


def _setitem(machine: _Machine) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine._update([key, value])


def _append(machine: _Machine) -> None:
    item = machine.stack.pop()
    machine._extend([item])


def _stack_global(machine: _Machine) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine._name(module, name)


_STEPS: Mapping[bytes, Callable[[_Machine], None]] = {
    b"\x80": _ignore(1),  # PROTO
    b"\x95": _ignore(8),  # FRAME
    b"(": _push(lambda m: _Mark()),
    b"N": _push(lambda m: None),
    b"\x88": _push(lambda m: True),
    b"\x89": _push(lambda m: False),
    b"K": _push(lambda m: m._number("B")),  # BININT1
    b"M": _push(lambda m: m._number("H")),  # BININT2
    b"J": _push(lambda m: m._number("i")),  # BININT
    b"\x8a": _push(lambda m: int.from_bytes(m._take(m._number("B")), "little", signed=True)),  # LONG1
    b"G": _push(lambda m: struct.unpack(">d", m._take(8))[0]),  # BINFLOAT
    b"U": _push(lambda m: m._take(m._number("B"))),  # SHORT_BINSTRING, a text of Python 2
    b"T": _push(lambda m: m._take(m._number("i"))),  # BINSTRING
    b"C": _push(lambda m: m._take(m._number("B"))),  # SHORT_BINBYTES
    b"B": _push(lambda m: m._take(m._number("I"))),  # BINBYTES
    b"\x8c": _push(lambda m: m._take(m._number("B")).decode("utf-8", "surrogatepass")),  # SHORT_BINUNICODE
    b"X": _push(lambda m: m._take(m._number("I")).decode("utf-8", "surrogatepass")),  # BINUNICODE
    b"]": _push(lambda m: []),
    b"}": _push(lambda m: {}),
    b")": _push(lambda m: ()),
    b"\x85": lambda m: m._tuple(1),
    b"\x86": lambda m: m._tuple(2),
    b"\x87": lambda m: m._tuple(3),
    b"t": lambda m: m.stack.append(tuple(m._to_mark())),
    b"l": lambda m: m.stack.append(m._to_mark()),
    b"a": _append,
    b"e": lambda m: m._extend(m._to_mark()),  # APPENDS
    b"s": _setitem,
    b"u": lambda m: m._update(m._to_mark()),  # SETITEMS
    b"q": lambda m: m._memoize(m._number("B")),  # BINPUT
    b"r": lambda m: m._memoize(m._number("I")),  # LONG_BINPUT
    b"\x94": lambda m: m._memoize(len(m.memo)),  # MEMOIZE
    b"h": _push(lambda m: m.memo[m._number("B")]),  # BINGET
    b"j": _push(lambda m: m.memo[m._number("I")]),  # LONG_BINGET
    b"c": lambda m: m._name(m._line(), m._line()),  # GLOBAL
    b"\x93": _stack_global,
    b"R": lambda m: m._call(),  # REDUCE
    b"b": lambda m: m._build(),  # BUILD
}
