"""A checkpoint (tensor bundle), read without TensorFlow: an index, which is a LevelDB table, and files of raw tensors.

Formats: LevelDB's ``table_format.md`` and TensorFlow's ``tensor_bundle.proto``. Every block and every tensor that is used has
its checksum compared, every range is looked at before it is read.
"""

from __future__ import annotations

import mmap
import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from micronet_verify.plugin import BYTES, FIXED32, VARINT, Buffer, Shape, Stored, numpy_dtype, varint
from micronet_verify_tensorflow.attributes import AttributeReader
from micronet_verify_tensorflow.crc import crc32c, unmasked
from micronet_verify_tensorflow.formats import data_type
from micronet_verify_tensorflow.messages import Reader, Span, bad

_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48
_CHECKPOINT = "a TensorFlow checkpoint"
_MOST_INDEX = 1 << 28


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a tensor lies: ``size`` bytes from ``offset`` of the shard's file, and their checksum as it is stored."""

    data_type: int
    shape: Shape
    shard: int
    offset: int
    size: int
    checksum: int
    sliced: bool


class Bundle:
    """The checkpoint ``prefix.index`` and ``prefix.data-…`` in ``folder``. Raises ``SubmissionFault`` for an index that lies."""

    def __init__(self, folder: Path, prefix: str) -> None:
        self._folder, self._prefix = folder, prefix
        index = f"{prefix}.index"
        self._index = index
        self._data = read_only(folder, index, _MOST_INDEX)
        self._reader = Reader(self._data, index)
        self._spans: dict[str, Span] = {}
        self._pieces: list[bytes] = []
        self._files: dict[int, NDArray[np.uint8]] = {}
        self.shards = 0
        for key, value in self._records():
            if not key:
                self._header(value)
                continue
            try:
                self._spans[key.decode("utf-8")] = value
            except UnicodeDecodeError:
                raise bad("a tensor whose name is not UTF-8 text", "be text", index) from None

    def __contains__(self, name: str) -> bool:
        return name in self._spans

    def tensor(self, name: str) -> Stored:
        """The tensor ``name``; its bytes stay in the file. Raises ``SubmissionFault`` unless they are there and whole."""
        where = f"tensor {name!r} of {self._index}"
        if name not in self._spans:
            raise bad(f"no tensor {name!r}", "be in the checkpoint", self._index)
        entry = self._entry(self._spans[name], where)
        if entry.sliced:
            raise bad("a tensor saved in slices", "be saved whole", where, "save the model from one device")
        fmt = data_type(entry.data_type, where)
        needed = int(np.prod(entry.shape, dtype=object)) * numpy_dtype(fmt).itemsize if entry.shape else numpy_dtype(fmt).itemsize
        if entry.size != needed:
            raise bad(f"{entry.size:,} bytes", f"be {needed:,} bytes, as its shape and type say", where)
        if not 0 <= entry.shard < self.shards:
            raise bad(f"shard {entry.shard}", f"be one of {self.shards}", where)
        file = self._shard(entry.shard)
        path = self._shard_name(entry.shard)
        if entry.offset < 0 or entry.offset + entry.size > file.size:
            got = f"a tensor that ends at byte {entry.offset + entry.size:,}"
            raise bad(got, f"end within {path}'s {file.size:,} bytes", where)
        data = file[entry.offset : entry.offset + entry.size]
        if crc32c(data) != unmasked(entry.checksum):
            raise bad("bytes that do not have the checksum of the index", "be the tensor that was saved", where)
        return Stored(entry.shape, fmt, (path, entry.offset), lambda: data.view(numpy_dtype(fmt)).reshape(entry.shape))

    def _shard_name(self, shard: int) -> str:
        return f"{self._prefix}.data-{shard:05d}-of-{self.shards:05d}"

    def _shard(self, shard: int) -> NDArray[np.uint8]:
        if shard not in self._files:
            self._files[shard] = np.frombuffer(read_only(self._folder, self._shard_name(shard)), np.uint8)
        return self._files[shard]

    def _header(self, span: Span) -> None:
        found = self._reader.single(span, "the checkpoint's header", {1: VARINT, 2: VARINT})
        self.shards = self._reader.number(found[1]) if 1 in found else 0
        if not 0 < self.shards < 100_000:
            raise bad(f"{self.shards} files of data", "be at least one", self._index)
        if 2 in found and self._reader.number(found[2]):
            raise bad("a big-endian checkpoint", "be little-endian", self._index)

    def _entry(self, span: Span, where: str) -> Entry:
        kinds = {1: VARINT, 2: BYTES, 3: VARINT, 4: VARINT, 5: VARINT, 6: FIXED32}
        found = self._reader.single(span, where, kinds)
        numbers = {at: self._reader.number(field) for at, field in found.items() if kinds[at] == VARINT}
        shape = AttributeReader(self._reader).partial_shape((found[2].start, found[2].end)) if 2 in found else ()
        if shape is None or min(shape, default=0) < 0:
            raise bad(f"the shape {shape}", "be known", where)
        checksum = struct.unpack_from("<I", self._data, found[6].start)[0] if 6 in found else 0
        sliced = any(field.number == 7 for field in self._reader.fields(span, where))
        first, second, third, fourth = (numbers.get(at, 0) for at in (1, 3, 4, 5))
        return Entry(first, shape, second, third, fourth, checksum, sliced)

    # The table: data blocks of sorted records, an index of blocks, and a footer that says where the index lies.

    def _records(self) -> Iterator[tuple[bytes, Span]]:
        size = len(self._data)
        if size < _FOOTER or struct.unpack_from("<Q", self._data, size - 8)[0] != _MAGIC:
            raise bad(f"{size:,} bytes that do not end as a checkpoint's index does", f"be the index of {_CHECKPOINT}", self._index)
        position = size - _FOOTER
        for _ in range(2):  # the handle of the metaindex, which is empty
            _, position = self._varint(position, size - 8)
        handle = position
        for _, value in self._block(self._handle(handle, size - 8)):
            yield from self._block(self._handle(*value))

    def _handle(self, position: int, end: int) -> Span:
        offset, position = self._varint(position, end)
        length, _ = self._varint(position, end)
        limit = len(self._data) - _FOOTER
        if offset + length + 5 > limit:
            raise bad(f"a block that ends at byte {offset + length + 5:,}", f"end before byte {limit:,}", self._index)
        kind = self._data[offset + length]
        stored = struct.unpack_from("<I", self._data, offset + length + 1)[0]
        if crc32c(np.frombuffer(self._data, np.uint8, length + 1, offset)) != unmasked(stored):
            raise bad("a block that does not have its checksum", "be the index that was saved", self._index)
        if kind != 0:
            raise bad("a compressed index", "be written without compression, as TensorFlow does", self._index)
        return offset, offset + length

    def _block(self, span: Span) -> Iterator[tuple[bytes, Span]]:
        start, end = span
        restarts = struct.unpack_from("<I", self._data, end - 4)[0] if end - start >= 4 else -1
        limit = end - 4 - 4 * restarts
        if restarts < 0 or limit < start:
            raise bad("a block that is too short", f"be a block of {_CHECKPOINT}", self._index)
        key, position = b"", start
        while position < limit:
            shared, position = self._varint(position, limit)
            own, position = self._varint(position, limit)
            length, position = self._varint(position, limit)
            if shared > len(key) or position + own + length > limit:
                raise bad("a record that reaches past its block", f"be a record of {_CHECKPOINT}", self._index)
            key = key[:shared] + bytes(self._data[position : position + own])
            position += own
            yield key, (position, position + length)
            position += length

    def _varint(self, position: int, end: int) -> tuple[int, int]:
        return varint(self._data, position, end, "the checkpoint's index", _CHECKPOINT)


def read_only(folder: Path, name: str, most: int | None = None) -> Buffer:
    """A mapped file of the model's own folder. Raises ``SubmissionFault`` unless it is an ordinary file with one name."""
    path = folder
    try:
        for part in Path(name).parts:
            path = path / part
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode):
                raise bad(f"{name}, a symbolic link", "be an ordinary file", name)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            raise bad(f"{name}, which is not a regular file with one name", "be one", name)
        if most is not None and status.st_size > most:
            raise bad(f"{status.st_size:,} bytes", f"be at most {most:,}", name)
        with path.open("rb") as handle:
            return mmap.mmap(handle.fileno(), status.st_size, access=mmap.ACCESS_READ) if status.st_size else b""
    except OSError as error:
        advice = "name every file of the folder variables in the manifest, as external_data" if name.startswith("variables") else ""
        raise bad(f"{name}, which cannot be opened ({error.strerror})", "be next to saved_model.pb", name, advice) from None
