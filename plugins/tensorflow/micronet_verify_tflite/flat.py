"""The FlatBuffers format, read in place: tables, vectors and strings of a mapped file, every offset checked.

Format: FlatBuffers internals. A table begins with the distance back to its vtable; the vtable lists, slot by slot, where in
the table a field lies (0: absent, the default holds). Offsets are 32 bits and point forward. Offsets may be shared, so a small
file can unfold without end: ``Flat`` gives out a limited number of tables and numbers.
"""

from __future__ import annotations

import mmap
import struct
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from micronet_verify.plugin import Problem, SubmissionFault

Buffer = mmap.mmap | bytes
MOST_TABLES = 2_000_000
LONGEST_TEXT = 1000
_SIZES = {code: struct.calcsize(f"<{code}") for code in "?bBhHiIqQf"}


class Flat:
    """The bytes of one file; ``name`` is the file's, for messages."""

    def __init__(self, data: Buffer, name: str) -> None:
        self.data, self.name, self.size = data, name, len(data)
        self._left = MOST_TABLES

    def root(self) -> Table:
        return self.table(self.forward(0))

    def table(self, position: int) -> Table:
        self.spend(1)
        return Table(self, position)

    def spend(self, tables: int) -> None:
        """Takes from what the file may unfold to."""
        self._left -= tables
        if self._left < 0:
            raise SubmissionFault(Problem(f"more than {MOST_TABLES:,} tables, or as many lists", "be fewer", self.name))

    def number(self, position: int, code: str) -> Any:
        """The little-endian number of struct ``code`` at ``position``."""
        if position < 0 or position + _SIZES[code] > self.size:
            self.outside(position)
        return struct.unpack_from(f"<{code}", self.data, position)[0]

    def forward(self, position: int) -> int:
        """Where the offset at ``position`` points."""
        return position + int(self.number(position, "I"))

    def vector(self, position: int, item: int) -> tuple[int, int]:
        """(first byte, length) of the vector at ``position`` of ``item`` bytes each."""
        length = int(self.number(position, "I"))
        if position + 4 + length * item > self.size:
            self.outside(position + 4 + length * item)
        return position + 4, length

    def outside(self, position: int) -> NoReturn:
        raise SubmissionFault(
            Problem(
                f"an offset to byte {position:,}", f"lie within the file's {self.size:,} bytes", self.name, "the file is cut off or damaged"
            )
        )


class Table:
    """One table; every method takes the number of a slot and raises ``SubmissionFault`` for what reaches outside of the file."""

    __slots__ = ("_end", "_flat", "_position", "_vtable")

    def __init__(self, flat: Flat, position: int) -> None:
        self._flat, self._position = flat, position
        self._vtable = position - int(flat.number(position, "i"))
        self._end = int(flat.number(self._vtable, "H"))

    def scalar(self, slot: int, code: str, default: Any = 0) -> Any:
        """A number of struct ``code``."""
        place = self._field(slot)
        return default if place is None else self._flat.number(place, code)

    def table(self, slot: int) -> Table | None:
        place = self._field(slot)
        return None if place is None else self._flat.table(self._flat.forward(place))

    def tables(self, slot: int) -> list[Table]:
        """The tables of a vector of tables."""
        start, length = self.range(slot, 4)
        return [self._flat.table(self._flat.forward(start + 4 * index)) for index in range(length)]

    def text(self, slot: int) -> str:
        """A string; what is no UTF-8 is marked, and no more than ``LONGEST_TEXT`` bytes are read."""
        start, length = self.range(slot, 1)
        return bytes(self._flat.data[start : start + min(length, LONGEST_TEXT)]).decode("utf-8", "replace")

    def range(self, slot: int, item: int) -> tuple[int, int]:
        """(first byte, length) of a vector of ``item`` bytes each; (0, 0) where it is absent."""
        place = self._field(slot)
        return (0, 0) if place is None else self._flat.vector(self._flat.forward(place), item)

    def numbers(self, slot: int, dtype: str, most: int) -> NDArray[Any]:
        """A vector of numbers, copied. Raises ``SubmissionFault`` for more than ``most``."""
        kind = np.dtype(dtype).newbyteorder("<")
        start, length = self.range(slot, kind.itemsize)
        if length > most:
            raise SubmissionFault(Problem(f"a list of {length:,} numbers", f"have at most {most:,}", self._flat.name))
        self._flat.spend(length // 16)
        return np.frombuffer(self._flat.data, kind, length, start).astype(dtype) if length else np.zeros(0, dtype)

    def has(self, slot: int) -> bool:
        return self._field(slot) is not None

    def _field(self, slot: int) -> int | None:
        at = 4 + 2 * slot
        if at + 2 > self._end:
            return None
        offset = int(self._flat.number(self._vtable + at, "H"))
        return self._position + offset if offset else None
