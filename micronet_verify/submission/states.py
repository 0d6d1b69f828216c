"""Reads a file of initial states, ``.npz`` or ``.safetensors``, as data: names, shapes, types and numbers. Nothing is unpickled.

Every size is checked against the bytes that are there before any of them is read, so that a small file cannot ask for much memory.
"""

from __future__ import annotations

import io
import json
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import Problem, SubmissionFault

# A state is small: it changes with every token.
MOST_BYTES = 1 << 28
MOST_STATES = 1000
LONGEST_HEADER = 1 << 20
_SAFETENSORS: Mapping[str, str] = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "U32": "uint32", "I32": "int32", "U64": "uint64",
    "I64": "int64", "F16": "float16", "F32": "float32", "F64": "float64",
}  # fmt: skip
_FORMATS = frozenset(_SAFETENSORS.values())
States = Mapping[str, NDArray[Any]]
# What the readers below, numpy's of headers among them, are known to raise on hostile bytes.
_UNREADABLE = (
    OSError, EOFError, ValueError, TypeError, KeyError, AttributeError, OverflowError, SyntaxError, RecursionError, NotImplementedError,
    RuntimeError, tokenize.TokenError, zipfile.BadZipFile, zlib.error, struct.error,
)  # fmt: skip


def read_states(path: Path, name: str) -> States:
    """The arrays of the file, by name and in its order; ``name`` is what the manifest calls it.

    Raises ``SubmissionFault`` for a file of another kind, one that is damaged or larger than 256 MiB, and for objects.
    """
    readers: Mapping[str, Callable[[Path], States]] = {".npz": _npz, ".safetensors": _safetensors}
    if path.suffix not in readers:
        raise SubmissionFault(Problem(f"initial states in {name!r}", "be a .npz or .safetensors file", name))
    try:
        return readers[path.suffix](path)
    except SubmissionFault as fault:
        raise SubmissionFault(Problem(problem.got, problem.should, name, problem.advice) for problem in fault.problems) from None
    except _UNREADABLE as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise SubmissionFault(Problem(f"initial states that cannot be read ({reason})", f"be a whole {path.suffix} file", name)) from None


def _npz(path: Path) -> States:
    found: dict[str, NDArray[Any]] = {}
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        _few(len(members), sum(member.file_size for member in members))
        for member in members:
            if not member.filename.endswith(".npy") or member.filename[:-4] in found:
                raise SubmissionFault(
                    Problem(f"a member {member.filename!r}", "be one .npy array for each state, as numpy.savez writes them")
                )
            with archive.open(member) as handle:
                found[member.filename[:-4]] = _npy(handle, member.filename, member.file_size)
    return found


def _npy(handle: IO[bytes], name: str, size: int) -> NDArray[Any]:
    version = np.lib.format.read_magic(handle)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"version {version} of the .npy format")
    shape, fortran, dtype = readers[version](handle)
    if dtype.name not in _FORMATS or not dtype.isnative or min(shape, default=0) < 0:
        raise SubmissionFault(Problem(f"an array {name!r} of type {dtype}", "be plain numbers, little-endian"))
    wanted = prod(shape) * dtype.itemsize
    if wanted > size:
        raise ValueError(f"{name} of {wanted:,} bytes in a member of {size:,}")
    data = handle.read(wanted + 1)
    if len(data) != wanted:
        raise ValueError(f"{name} of {len(data):,} bytes, which needs {wanted:,}")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _safetensors(path: Path) -> States:
    size = path.stat().st_size
    _few(0, size)
    with path.open("rb") as handle:
        (length,) = struct.unpack("<Q", handle.read(8))
        if length > min(LONGEST_HEADER, size - 8):
            raise ValueError(f"a header of {length:,} bytes")
        header = json.load(io.BytesIO(handle.read(length)))
        data = handle.read()
    header.pop("__metadata__", None)
    _few(len(header), len(data))
    found: dict[str, NDArray[Any]] = {}
    end = 0
    for name, record in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        first, last = record["data_offsets"]
        if record["dtype"] not in _SAFETENSORS:
            raise SubmissionFault(Problem(f"a tensor {name!r} of type {record['dtype']}", f"be one of {', '.join(_SAFETENSORS)}"))
        dtype, shape = np.dtype(_SAFETENSORS[record["dtype"]]), tuple(record["shape"])
        if any(type(number) is not int or number < 0 for number in (first, last, *shape)):
            raise ValueError(f"sizes of {name} that are not whole numbers")
        if first != end or last - first != prod(shape) * dtype.itemsize or last > len(data):
            raise ValueError(f"bytes {first} to {last} for {name}")
        found[name], end = np.frombuffer(data[first:last], dtype).reshape(shape), last
    if end != len(data):
        raise ValueError(f"{len(data) - end:,} bytes that belong to no tensor")
    return found


def _few(states: int, size: int) -> None:
    if states > MOST_STATES or size > MOST_BYTES:
        got = f"{states:,} initial states" if states > MOST_STATES else f"{size:,} bytes of initial states"
        raise SubmissionFault(Problem(got, f"be at most {MOST_STATES if states > MOST_STATES else MOST_BYTES:,}"))
