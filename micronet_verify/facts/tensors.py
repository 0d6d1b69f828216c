"""Constants by reference: where in which file a tensor's bytes lie.

A graph crosses the sandbox wall as JSON; its constants stay where they are. The judge maps the very file whose
SHA-256 it knows, so values are measured from the artifact and never copied. Bytes that a plugin had to decode first
(packed nibbles, protobuf float lists) go to one *sidecar* file beside the graph.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.formats import NumericFormat, numpy_dtype

Store = Literal["artifact", "sidecar"]
SIDECAR = "constants.bin"
_SMALL = 1 << 26


@dataclass(frozen=True, slots=True)
class TensorRef:
    """The bytes of one constant.

    ``path`` is relative to the artifact's folder or, for the sidecar, to the graph's folder. ``offset`` is in bytes;
    ``strides`` (in elements, one per axis, all ≥ 0) default to row-major order. Bytes are little-endian.
    """

    store: Store
    path: str
    offset: int
    strides: tuple[int, ...] | None = None


class ConstantStore:
    """Maps constants of one artifact read-only; keeps one map per file, so tied tensors are the same memory."""

    def __init__(self, artifact_root: Path, sidecar_root: Path) -> None:
        self._roots = {"artifact": artifact_root, "sidecar": sidecar_root}
        self._maps: dict[tuple[str, str], NDArray[np.uint8]] = {}

    def open(self, ref: TensorRef, shape: tuple[int, ...], fmt: NumericFormat, label: str = "") -> NDArray[Any]:
        """A read-only array of ``shape`` over the mapped bytes.

        Raises ``SubmissionFault`` if the tensor would reach past the end of its file or its path leaves the folder.
        """
        dtype = numpy_dtype(fmt)
        if 0 in shape:
            return np.zeros(shape, dtype)
        data = self._map(ref)
        strides = ref.strides or ()
        last = prod(shape) - 1 if ref.strides is None else sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
        end = ref.offset + (last + 1) * dtype.itemsize
        if ref.offset < 0 or min(strides, default=0) < 0 or end > data.size:
            raise SubmissionFault(
                Problem(f"a tensor that ends at byte {end:,}", f"end within the file's {data.size:,} bytes", label or ref.path)
            )
        if ref.strides is None:
            return np.ndarray(shape, dtype, data, ref.offset)
        if prod(shape) * dtype.itemsize > max(data.size, _SMALL):  # strides of 0 repeat values: a kilobyte could keep us busy for ever
            got = f"a tensor of {prod(shape):,} values in a file of {data.size:,} bytes"
            raise SubmissionFault(Problem(got, "be no larger than its file", label or ref.path))
        flat = data[ref.offset : end]
        steps = tuple(step * dtype.itemsize for step in strides)
        return np.lib.stride_tricks.as_strided(flat.view(dtype), shape, steps, writeable=False)

    def _map(self, ref: TensorRef) -> NDArray[np.uint8]:
        key = (ref.store, ref.path)
        if key not in self._maps:
            root = self._roots[ref.store].resolve()
            path = (root / ref.path).resolve()
            if not path.is_relative_to(root) or not path.is_file():
                raise SubmissionFault(Problem(f"constants in {ref.path!r}", "lie in a file of the entry"))
            with path.open("rb") as handle:
                size = path.stat().st_size
                mapped = mmap.mmap(handle.fileno(), size, access=mmap.ACCESS_READ) if size else b""
            self._maps[key] = np.frombuffer(mapped, np.uint8)
        return self._maps[key]


def row_major(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides, in elements, of a dense row-major tensor."""
    strides: list[int] = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))
