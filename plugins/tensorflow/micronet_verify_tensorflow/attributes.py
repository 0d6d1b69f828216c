"""Attributes of nodes (``AttrValue``), read when a rule asks for them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from micronet_verify.plugin import BYTES, FIXED32, VARINT, Field, decode_varints
from micronet_verify_tensorflow.messages import Reader, Span, bad

T = TypeVar("T")
_LIST, _TEXT, _INT, _FLOAT, _BOOL, _TYPE, _SHAPE, _TENSOR, _FUNCTION = 1, 2, 3, 4, 5, 6, 7, 8, 10
_WIRES = {_LIST: BYTES, _TEXT: BYTES, _INT: VARINT, _FLOAT: FIXED32, _BOOL: VARINT, _TYPE: VARINT, _SHAPE: BYTES, _TENSOR: BYTES}

# ``None``: the rank is not known; a size of −1 is not known.
PartialShape = tuple[int, ...] | None


class AttributeReader:
    """Values of attributes by their kind; each raises ``SubmissionFault`` where the value is of another kind."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def integer(self, span: Span, where: str) -> int:
        return self._one(span, _INT, where, self.reader.number, 0)

    def boolean(self, span: Span, where: str) -> bool:
        return bool(self._one(span, _BOOL, where, self.reader.number, 0))

    def kind(self, span: Span, where: str) -> int:
        return self._one(span, _TYPE, where, self.reader.number, 0)

    def text(self, span: Span, where: str) -> str:
        return self._one(span, _TEXT, where, lambda field: self.reader.text(field, where), "")

    def number(self, span: Span, where: str) -> float:
        """A float32, as the shortest decimal that gives it back: 0.1, not 0.10000000149011612."""
        return self._one(span, _FLOAT, where, lambda field: float(str(np.float32(self._float(field)))), 0.0)

    def shape(self, span: Span, where: str) -> PartialShape:
        scalar: PartialShape = ()
        return self._one(span, _SHAPE, where, lambda field: self.partial_shape((field.start, field.end)), scalar)

    def tensor(self, span: Span, where: str) -> Span:
        found = self._one(span, _TENSOR, where, lambda field: (field.start, field.end), None)
        if found is None:
            raise bad("a constant without a value", "have one", where)
        return found

    def function(self, span: Span, where: str) -> str:
        """The name of a function; its own attributes (of a polymorphic function) are not looked at."""

        def name(field: Field) -> str:
            found = self.reader.single((field.start, field.end), "a function's name", {1: BYTES})
            return self.reader.text(found[1], where) if 1 in found else ""

        return self._one(span, _FUNCTION, where, name, "")

    def integers(self, span: Span, where: str) -> tuple[int, ...]:
        """A list of whole numbers."""
        inner = self._one(span, _LIST, where, lambda field: (field.start, field.end), None)
        numbers: list[int] = []
        for field in self.reader.fields(inner, "a list") if inner else ():
            if field.number != _INT:
                raise bad("a list of the wrong type", "be whole numbers", where)
            if field.wire == BYTES:
                raw = np.frombuffer(bytes(self.reader.data[field.start : field.end]), np.uint8)
                numbers += decode_varints(raw).tolist()
            else:
                numbers.append(self.reader.number(field))
        return tuple(numbers)

    def partial_shape(self, span: Span) -> PartialShape:
        sizes: list[int] = []
        for field in self.reader.fields(span, "a shape"):
            if field.number == 2:
                size = self.reader.single((field.start, field.end), "a shape", {1: VARINT})
                sizes.append(self.reader.number(size[1]) if 1 in size else 0)
            elif field.number == 3 and self.reader.number(field):
                return None
        return tuple(sizes)

    def _float(self, field: Field) -> float:
        found: float = struct.unpack("<f", bytes(self.reader.data[field.start : field.end]))[0]
        return found

    def _one(self, span: Span, number: int, where: str, read: Callable[[Field], T], default: T) -> T:
        """The one field ``number`` of an AttrValue; ``default`` where it is empty, which is how protobuf writes it."""
        found: Field | None = None
        for field in self.reader.fields(span, "an attribute"):
            if field.number != number or field.wire != _WIRES.get(number, BYTES) or found is not None:
                raise bad("an attribute of the wrong type", "be as the operator's definition says", where)
            found = field
        return default if found is None else read(found)
