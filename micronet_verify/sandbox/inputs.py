"""Inputs as a model receives them. Bytes are read and scaled a batch at a time, so that 50,000 images need no memory to speak of."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from micronet_verify.facts.data import Scaling
from micronet_verify.sandbox.prefetch import ReadAhead

# Bytes read and scaled at a time: what fits in a processor's nearest cache.
_BLOCK = 1 << 17


class ScaledInputs:
    """Examples [examples, …] kept as bytes, which come out as float32 of ``[number]``, ``[start:end]`` and ``[list of numbers]``.

    Read-only, like a memory map. Slices that are asked for in order are read and scaled ahead, one at a time.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, path: Path, scaling: Scaling) -> None:
        kept = np.load(path, mmap_mode="r", allow_pickle=False)
        if kept.dtype != np.uint8:
            raise ValueError(f"inputs of type {kept.dtype} with a scaling of bytes")
        self.shape: tuple[int, ...] = kept.shape
        self.ndim = kept.ndim
        self._read = _Reader(path, scaling, kept.offset, kept.shape).read
        self._ahead = ReadAhead(self._read, len(kept))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: int | slice | list[int]) -> NDArray[np.float32]:
        if isinstance(key, list):
            return np.stack([self[place] for place in key]) if key else self[:0]
        if not isinstance(key, slice):
            place = range(len(self))[key]
            only: NDArray[np.float32] = self._read(place, place + 1).reshape(self.shape[1:])
            return only
        start, end, step = key.indices(len(self))
        if step != 1:
            raise IndexError("inputs are read in order: no steps")
        return self._ahead.block(start, max(start, end))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:] if dtype is None else self[:].astype(dtype)


class _Reader:
    """The open file; it is closed with the last block that is being read."""

    def __init__(self, path: Path, scaling: Scaling, offset: int, shape: tuple[int, ...]) -> None:
        self._scaling, self._offset, self._shape = scaling, offset, shape
        # Read, not mapped: a map of gigabytes would count as memory of this process.
        self._file = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)

    def read(self, start: int, end: int) -> NDArray[np.float32]:
        """Examples ``start`` to ``end``, scaled. Raises ``EOFError`` for a file that ends before them."""
        out = np.empty((end - start, *self._shape[1:]), np.float32)
        size = math.prod(self._shape[1:])
        rows = max(1, _BLOCK // max(1, size))
        pixels = np.empty((min(rows, end - start), *self._shape[1:]), np.uint8)
        for row in range(0, end - start, rows):
            part = pixels[: min(rows, end - start - row)]
            self._fill(part, self._offset + (start + row) * size)
            self._scaling.apply(part, out[row : row + len(part)])
        return out

    def _fill(self, pixels: NDArray[np.uint8], offset: int) -> None:
        view = pixels.reshape(-1).data
        while len(view):
            got = os.preadv(self._file, [view], offset)
            if not got:
                raise EOFError("inputs that are shorter than their header says")
            view, offset = view[got:], offset + got


def open_inputs(path: Path, scaling: Scaling | None) -> NDArray[Any]:
    """The examples [examples, …]: the file mapped read-only, or scaled as it is read."""
    if scaling is None:
        mapped: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        return mapped
    return cast("NDArray[Any]", ScaledInputs(path, scaling))
