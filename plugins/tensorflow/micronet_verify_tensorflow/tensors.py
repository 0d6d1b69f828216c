"""``TensorProto``: the constants of a graph. Large ones stay in the file."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.plugin import BYTES, FIXED32, FIXED64, Field, NumericFormat, Shape, Stored, decode_varints, numpy_dtype
from micronet_verify_tensorflow.attributes import AttributeReader
from micronet_verify_tensorflow.formats import data_type
from micronet_verify_tensorflow.messages import Reader, Span, bad

_CONTENT = 4
# The typed field of each format; narrow numbers share int_val, 16-bit floats stand in half_val as their bits.
_FIELDS = {
    "float32": 5,
    "float64": 6,
    "int64": 10,
    "bool": 11,
    "float16": 13,
    "bfloat16": 13,
    "uint32": 16,
    "uint64": 17,
    "float8_e5m2": 18,
    "float8_e4m3fn": 18,
}
_MOST_FILLED = 1 << 28
# Equal numbers are written once by whoever compresses a file; only many of them are one number, expanded.
_WRITTEN_OUT = 4096


def read_tensor(reader: Reader, span: Span, where: str) -> Stored:
    """A constant. Raises ``SubmissionFault`` for data that contradicts its shape and type."""
    kind = 0
    shape: Shape = ()
    seen: set[int] = set()
    found: dict[int, list[Field]] = {}
    for field in reader.fields(span, "a constant"):
        if field.number in (1, 2) and field.number in seen:
            raise bad(f"a second field {field.number} in a constant", "have one", where)
        seen.add(field.number)
        if field.number == 1:
            kind = reader.number(field)
        elif field.number == 2:
            partial = AttributeReader(reader).partial_shape(reader.message(field, "a constant"))
            if partial is None or min(partial, default=0) < 0:
                raise bad(f"a constant of shape {partial}", "have a known shape", where)
            shape = partial
        elif field.number != 3:
            found.setdefault(field.number, []).append(field)
    fmt = data_type(kind, where)
    count = math.prod(shape)
    dtype = numpy_dtype(fmt)
    if _CONTENT in found and found[_CONTENT][-1].end > found[_CONTENT][-1].start:
        if len(found) > 1 or len(found[_CONTENT]) > 1:
            raise bad("a constant whose data comes in several pieces", "have its data in one piece", where)
        field = found[_CONTENT][0]
        if field.wire != BYTES or field.end - field.start != count * dtype.itemsize:
            got = f"a constant of {field.end - field.start:,} bytes"
            raise bad(got, f"be {count * dtype.itemsize:,} bytes, as its shape and type say", where)
        return _raw(reader, field.start, shape, fmt, count)
    return _typed(reader, found.get(_FIELDS.get(fmt.name, 7), []), shape, fmt, count, where)


def _raw(reader: Reader, start: int, shape: Shape, fmt: NumericFormat, count: int) -> Stored:
    dtype = numpy_dtype(fmt)
    data = np.frombuffer(reader.data, np.uint8, count * dtype.itemsize, start)
    if fmt.name == "bool" and count and data.max() > 1:
        raise bad("truth values other than 0 and 1", "be 0 or 1", reader.name)
    return Stored(shape, fmt, (reader.name, start) if count and reader.filed else None, lambda: data.view(dtype).reshape(shape))


def _typed(reader: Reader, fields: list[Field], shape: Shape, fmt: NumericFormat, count: int, where: str) -> Stored:
    """Numbers in a typed field; the last one stands for all that are left out, and none at all for zeros."""
    pieces = []
    for field in fields:
        raw = np.frombuffer(reader.data, np.uint8, field.end - field.start, field.start)
        if fmt.name in ("float32", "float64"):
            if field.wire not in (BYTES, FIXED32, FIXED64) or raw.size % (fmt.bits // 8):
                raise bad("numbers that are cut off", "be whole", where)
            pieces.append(raw.view("<f4" if fmt.bits == 32 else "<f8"))
        elif fmt.name.startswith("float8"):
            pieces.append(raw)
        else:
            pieces.append(decode_varints(raw))
    numbers = np.concatenate(pieces) if pieces else np.zeros(0)
    if numbers.size > count:
        raise bad(f"a constant of {numbers.size:,} numbers", f"be {count:,}, as its shape says", where)
    dtype = numpy_dtype(fmt)
    if fmt.bits == 16 and fmt.family == "float":
        numbers = numbers.astype(np.uint16).view(dtype)
    elif fmt.name.startswith("float8"):
        numbers = numbers.astype(np.uint8).view(dtype)
    numbers = numbers.astype(dtype)
    if numbers.size == count:
        return Stored(shape, fmt, None, lambda: numbers.reshape(shape))
    if count > _MOST_FILLED:
        raise bad(f"a constant of {count:,} equal numbers", f"be at most {_MOST_FILLED:,}", where)
    last = numbers[-1:] if numbers.size else np.zeros(1, dtype)

    def filled() -> NDArray[Any]:
        return np.concatenate([numbers, np.broadcast_to(last, count - numbers.size)]).reshape(shape)

    return Stored(shape, fmt, None, filled, splat=numbers.size <= 1 and count > _WRITTEN_OUT)
