"""Reads a ``.pt2`` archive as data: a zip with a JSON graph and raw little-endian tensors. No torch, no pickle.

torch's own reader runs code in several ways on a foreign file (pickled sample inputs, weights and constants, size
expressions, guards). Nothing of that is read here: a weight is a place in the file, and what is not on the list is refused.
"""

from __future__ import annotations

import json
import re
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

from micronet_verify.plugin import PT2, NumericFormat, Problem, SubmissionFault, instead, numpy_dtype, row_major
from micronet_verify_pytorch.formats import SCALAR_TYPES, STRIDED

MOST_ENTRIES = 200_000
LONGEST_JSON = 256 << 20
AGAIN = "save it again with torch.export.save"
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_END = struct.Struct("<4s4H2IH")


@dataclass(frozen=True, slots=True)
class Member:
    """One stored file of the zip: where its bytes begin in the archive, and how many they are."""

    name: str
    offset: int
    size: int

    def read_into(self, handle: BinaryIO, buffer: memoryview) -> None:
        """Read its bytes from the open archive."""
        handle.seek(self.offset)
        handle.readinto(buffer)  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Constant:
    """One tensor of the archive: ``offset`` in bytes from the beginning of the archive, ``strides`` as in ``TensorRef``."""

    fqn: str
    payload: Member
    offset: int
    shape: tuple[int, ...]
    format: NumericFormat
    strides: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Archive:
    """A ``.pt2``: its one graph as JSON, and its tensors by qualified name."""

    path: Path
    graph: Any
    constants: Mapping[str, Constant]


def read_archive(path: Path) -> Archive:
    """Read the index, the graph and the tensor tables. Raises ``SubmissionFault`` for anything but a plain archive."""
    other = instead(path, "a .pt2 archive")
    if other is not None and other.got != PT2:
        raise SubmissionFault(other)
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, path)
            root = _root(members, path)
            models = [name for name in members if re.fullmatch(r"models/[^/]+\.json", name[len(root) :])]
            if len(models) != 1:
                raise _fault(path, f"{len(models)} models", "hold one", AGAIN)
            model = models[0][len(root + "models/") : -len(".json")]
            if f"{root}byteorder" in members and archive.read(f"{root}byteorder") != b"little":
                raise _fault(path, "big-endian tensors", "be little-endian")
            compiled = next((name for name in members if name.startswith(f"{root}data/aotinductor/")), None)
            if compiled:
                raise _fault(path, f"compiled code ({compiled[len(root) :]})", "be a graph only", AGAIN)
            constants: dict[str, Constant] = {}
            for folder, prefix in (("weights", "weight_"), ("constants", "tensor_")):
                table = _json(archive, members, f"{root}data/{folder}/{model}_{folder}_config.json", path)
                _tensors(table, members, f"{root}data/{folder}/", prefix, constants, path)
            return Archive(path, _json(archive, members, models[0], path), MappingProxyType(constants))
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, struct.error, UnicodeError, ValueError) as error:
        raise _fault(path, f"a file that cannot be read as a .pt2 archive ({_short(error)})", "be a whole one", AGAIN) from None


def _members(archive: zipfile.ZipFile, path: Path) -> dict[str, Member]:
    """Every entry with the true place of its bytes, taken from the entry's own header; entries may not overlap."""
    entries = archive.infolist()
    if len(entries) > MOST_ENTRIES:
        raise _fault(path, f"{len(entries):,} entries", f"have at most {MOST_ENTRIES:,}")
    size = path.stat().st_size
    with path.open("rb") as handle:
        handle.seek(-min(size, _END.size), 2)
        end = handle.read()
        if len(end) < _END.size or _END.unpack(end)[0] != b"PK\x05\x06":
            raise zipfile.BadZipFile("the index is not at the end")  # else a zip inside the zip could be taken for the whole
    members: dict[str, Member] = {}
    begins: list[tuple[int, int]] = []
    with path.open("rb") as handle:
        for entry in entries:
            if entry.filename in members:
                raise _fault(path, f"two entries called {entry.filename!r}", "name each entry once")
            if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 or entry.compress_size != entry.file_size:
                raise _fault(path, f"the compressed or encrypted entry {entry.filename!r}", "store every entry as it is", AGAIN)
            handle.seek(entry.header_offset)
            header = _LOCAL_HEADER.unpack(handle.read(_LOCAL_HEADER.size))
            name = handle.read(header[9])
            offset = entry.header_offset + _LOCAL_HEADER.size + header[9] + header[10]
            if header[0] != b"PK\x03\x04" or name != entry.orig_filename.encode("utf-8"):
                raise _fault(path, f"an entry {entry.filename!r} whose own header disagrees", "agree with the index", AGAIN)
            if offset + entry.file_size > size:
                raise _fault(path, f"the entry {entry.filename!r} of {entry.file_size:,} bytes", f"end within the file's {size:,} bytes")
            members[entry.filename] = Member(entry.filename, offset, entry.file_size)
            begins.append((entry.header_offset, offset + entry.file_size))
    begins.sort()
    if any(end > begin for (_, end), (begin, _) in pairwise(begins)):
        raise _fault(path, "entries that overlap", "lie one after the other", AGAIN)
    return members


def _root(members: Mapping[str, Member], path: Path) -> str:
    """The folder that holds everything, with its slash."""
    roots = [name[: -len("archive_format")] for name in members if name.endswith("archive_format")]
    if len(roots) != 1:
        advice = "old archives (torch before 2.8) cannot be read: export again" if "serialized_exported_program.json" in members else AGAIN
        raise _fault(path, "a zip that is not a .pt2 archive", "be one", advice)
    return roots[0]


def _json(archive: zipfile.ZipFile, members: Mapping[str, Member], name: str, path: Path) -> Any:
    if name not in members:
        raise _fault(path, f"no {name}", "hold one", AGAIN)
    if members[name].size > LONGEST_JSON:
        raise _fault(path, f"{members[name].size:,} bytes of {name}", f"be at most {LONGEST_JSON:,}")
    try:
        return json.loads(archive.read(name))
    except (ValueError, RecursionError) as error:
        raise _fault(path, f"{name} that is not JSON ({_short(error)})", "be whole", AGAIN) from None


def _tensors(table: Any, members: Mapping[str, Member], folder: str, prefix: str, constants: dict[str, Constant], path: Path) -> None:
    if not isinstance(table, dict) or not isinstance(table.get("config"), dict):
        raise _fault(path, f"a table of tensors {folder!r} without 'config'", "have one", AGAIN)
    formats: dict[str, NumericFormat] = {}
    problems: list[Problem] = []
    for fqn, record in table["config"].items():
        if fqn in constants:
            problems.append(Problem(f"two tensors called {fqn!r}", "have names of their own", path.name))
            continue
        try:
            constants[fqn] = _tensor(fqn, record, members, folder, prefix, formats)
        except SubmissionFault as fault:
            problems.extend(replace(problem, where=f"tensor {fqn!r}") for problem in fault.problems)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            where = f"tensor {fqn!r}"
            problems.append(Problem(f"a record that cannot be read ({_short(error)})", "describe a plain tensor", where, AGAIN))
    if problems:
        raise SubmissionFault(problems)


def _tensor(fqn: str, record: Any, members: Mapping[str, Member], folder: str, prefix: str, formats: dict[str, NumericFormat]) -> Constant:
    name = record["path_name"]
    if record["use_pickle"] is not False or not re.fullmatch(prefix + r"[0-9]+", name):
        kind = "a pickled or custom object" if record["use_pickle"] else f"a tensor in {name!r}"
        raise SubmissionFault(Problem(kind, "be a plain tensor of the archive", fqn, "pickles can run code and are never opened"))
    meta = record["tensor_meta"]
    fmt, shape = SCALAR_TYPES.get(meta["dtype"]), _ints(meta["sizes"])
    if fmt is None:
        raise SubmissionFault(Problem(f"the number type {meta['dtype']!r}", "be one of torch's real types", fqn))
    if meta["layout"] != STRIDED:
        raise SubmissionFault(
            Problem(f"a tensor of layout {meta['layout']!r}", "be dense (strided)", fqn, "call .to_dense() before export")
        )
    payload = members.get(folder + name)
    if payload is None:
        raise SubmissionFault(Problem(f"a tensor in {name!r}, which is not in the archive", "lie in the archive", fqn, AGAIN))
    if formats.setdefault(name, fmt) != fmt:
        raise SubmissionFault(Problem(f"one storage read as {formats[name]} and as {fmt}", "be of one type", fqn, "clone the tensor"))
    (start,), strides = _ints([meta["storage_offset"]]), _ints(meta["strides"])
    item = numpy_dtype(fmt).itemsize
    if len(strides) != len(shape) or min((*shape, *strides, start), default=0) < 0:
        raise SubmissionFault(Problem(f"sizes {shape}, strides {strides} and offset {start}", "be those of a tensor", fqn))
    if prod(shape) * item > payload.size:
        what = f"{prod(shape):,} elements of {item} bytes in {payload.size:,} bytes"
        raise SubmissionFault(Problem(what, "store each element", fqn, "call .contiguous() on an expanded tensor"))
    last = sum((size - 1) * step for size, step in zip(shape, strides, strict=True)) if prod(shape) else -1
    if (start + last + 1) * item > payload.size:
        raise SubmissionFault(
            Problem(f"a tensor that ends at byte {(start + last + 1) * item:,}", f"end within {payload.size:,} bytes", fqn)
        )
    # The stride of an axis of one element says nothing: without it, tied tensors have one reference.
    dense = all(size == 1 or step == wanted for size, step, wanted in zip(shape, strides, row_major(shape), strict=True))
    return Constant(fqn, payload, payload.offset + start * item, shape, fmt, None if dense or not prod(shape) else strides)


def _ints(sizes: Any) -> tuple[int, ...]:
    numbers = tuple(size["as_int"] for size in sizes)
    if not all(type(number) is int for number in numbers):
        raise TypeError("a size that is not an integer")
    return numbers


def _short(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:120]


def _fault(path: Path, got: str, should: str, advice: str = "") -> SubmissionFault:
    return SubmissionFault(Problem(got, should, path.name, advice))
