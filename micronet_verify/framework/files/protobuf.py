"""The protobuf wire format, read in place: fields of a message as byte ranges, nothing copied.

Formats: protobuf encoding guide. A varint is base 128, lowest group first; a field's key is ``number << 3 | wire type``.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import Problem, SubmissionFault

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
Buffer = mmap.mmap | bytes


class Field(NamedTuple):
    """One field: it starts at ``key`` (its tag), its payload is ``start:end``."""

    number: int
    wire: int
    key: int
    start: int
    end: int


def fields(
    data: Buffer,
    start: int,
    end: int,
    place: str,
    inside: Mapping[int, str] = MappingProxyType({}),
    runs: frozenset[int] = frozenset(),
    wanted: str = "an ONNX model",
) -> Iterator[Field]:
    """The fields of the message in ``data[start:end]``. Raises ``SubmissionFault`` if one is cut off or is no field.

    ``place`` names the message in words, ``inside`` some of its fields. Neighbouring 4-byte entries of a field in ``runs``
    come as one field: ``key`` and ``start`` are where the first begins. ``wanted`` is what the file should be, for sentences.
    """
    position = start
    while position < end:
        key = position
        tag = data[position]
        if tag < 0x80:  # nearly every tag and length is one byte
            position += 1
        else:
            tag, position = varint(data, position, end, place, wanted)
        number, wire = tag >> 3, tag & 7
        if wire == BYTES:
            if position < end and data[position] < 0x80:
                stop = position + 1 + data[position]
                position += 1
            else:
                length, position = varint(data, position, end, place, wanted)
                stop = position + length
        elif wire == VARINT:
            _, stop = varint(data, position, end, place, wanted)
        elif wire in (FIXED64, FIXED32):
            stop = position + (8 if wire == FIXED64 else 4)
            if number in runs and wire == FIXED32 and position - key == 1 and stop <= end:
                stop = _run_end(data, key, end)
                position = key
        else:
            raise _no_protobuf(place, wanted)
        if number == 0:
            raise _no_protobuf(place, wanted)
        if stop > end:
            raise _cut_off(data, stop, inside.get(number, place), wanted)
        yield Field(number, wire, key, position, stop)
        position = stop


def _run_end(data: Buffer, key: int, end: int) -> int:
    """Where the entries that begin at ``key``, a tag byte and 4 bytes each, end."""
    block = 64
    while True:
        count = min(block, (end - key) // 5)
        other = np.flatnonzero(np.frombuffer(data, np.uint8, count * 5, key)[::5] != data[key])
        if other.size:
            return key + 5 * int(other[0])
        if count < block:
            return key + 5 * count
        block *= 2


def varint(data: Buffer, position: int, end: int, place: str, wanted: str = "an ONNX model") -> tuple[int, int]:
    """(value, position behind it) of the varint at ``position``."""
    result = shift = 0
    while position < end and shift < 70:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7
    if shift >= 70:
        raise _no_protobuf(place, wanted)
    raise _cut_off(data, position + 1, place, wanted)


def encoded(number: int, payload: bytes) -> bytes:
    """A length-delimited field."""
    return _varint_bytes(number << 3 | BYTES) + _varint_bytes(len(payload)) + payload


def decode_varints(raw: NDArray[np.uint8]) -> NDArray[np.int64]:
    """A packed list of varints as int64 (two's complement, ten bytes for a negative number)."""
    ends = np.flatnonzero(raw < 0x80)
    if raw.size and (not ends.size or ends[-1] != raw.size - 1):
        raise ValueError("a varint that does not end")
    starts = np.concatenate(([0], ends[:-1] + 1)) if ends.size else ends
    lengths = ends - starts + 1
    if lengths.size and lengths.max() > 10:
        raise ValueError("a varint of more than ten bytes")
    values = np.zeros(starts.size, np.uint64)
    for group in range(int(lengths.max(initial=0))):
        has = lengths > group
        values[has] |= (raw[starts[has] + group].astype(np.uint64) & np.uint64(0x7F)) << np.uint64(7 * group)
    return values.view(np.int64)


def _varint_bytes(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _no_protobuf(place: str, wanted: str) -> SubmissionFault:
    return SubmissionFault(Problem(f"bytes that are not protobuf in {place}", f"be {wanted}"))


def _cut_off(data: Buffer, stop: int, place: str, wanted: str) -> SubmissionFault:
    if stop > len(data):
        got, complete = f"a file that ends inside {place} (at byte {len(data):,})", wanted.partition(" ")[2]
        return SubmissionFault(Problem(got, f"be a complete {complete}"))
    return SubmissionFault(Problem(f"lengths that contradict each other inside {place}", f"be {wanted}"))
