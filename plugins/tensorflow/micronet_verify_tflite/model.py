"""A ``.tflite`` file as data: subgraphs, tensors, operators and where the bytes of constants lie. Nothing is copied or executed.

Field numbers are those of ``schema.fbs``. What a tensor declares of its shape is kept to be compared, never to be used.
"""

from __future__ import annotations

import math
import mmap
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.plugin import Problem, SubmissionFault
from micronet_verify_tflite.flat import Buffer, Flat, Table
from micronet_verify_tflite.schema import CUSTOM, OPERATORS, OPTIONS

IDENTIFIER = b"TFL3"
MOST_AXES = 64
MOST_OPERANDS = 100_000
SUFFIX = "a complete .tflite file"


@dataclass(frozen=True, slots=True)
class Quantization:
    """Scale and zero point of a tensor: real value = (code − zero point) · scale.

    ``scale`` [1] or one per slice of ``axis``; ``place`` is where in the file the scales lie. ``zero`` has no entries where
    no zero point is given.
    """

    scale: NDArray[np.float32]
    zero: NDArray[np.int64]
    axis: int
    place: int

    @property
    def per_tensor(self) -> bool:
        return self.scale.size == 1


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor as the file describes it; ``data`` is (first byte, bytes) of a constant.

    ``declared`` is the shape it claims, -1 where the size is open, ``None`` where nothing is said.
    """

    name: str
    type: int
    declared: tuple[int, ...] | None
    data: tuple[int, int] | None
    quantization: Quantization | None
    blocks: bool = False
    variable: bool = False
    sparsity: Table | None = None
    shape: tuple[int, ...] = ()

    @property
    def constant(self) -> bool:
        return self.data is not None


@dataclass(frozen=True, slots=True)
class Operator:
    """``kind`` is the operator's name in capitals, ``custom`` the name of a custom one; operands are tensor numbers, -1 where absent."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    custom: str = ""
    intermediates: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Subgraph:
    number: int
    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[Operator, ...]


class Model:
    """A mapped file. Raises ``SubmissionFault`` for one that is cut off, no regular file, or no TFLite model."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.name
        data = _mapped(path)
        if data[4:8] != IDENTIFIER:
            raise SubmissionFault(Problem("bytes that are not a TFLite model", f"be {SUFFIX}", path.name))
        self._flat = Flat(data, path.name)
        root = self._flat.root()
        version = int(root.scalar(0, "I"))
        if version != 3:
            raise SubmissionFault(Problem(f"a TFLite schema of version {version}", "be version 3", path.name))
        self._codes = [_operator_name(code) for code in root.tables(1)]
        self._subgraphs, self._buffers = root.tables(2), root.tables(4)
        self._read: dict[int, Subgraph] = {}
        self.signatures = tuple((_printable(table.text(2)), int(table.scalar(4, "I"))) for table in root.tables(7))
        """(key, subgraph) of each signature of the file."""
        if not self._subgraphs:
            raise SubmissionFault(Problem("a model without a subgraph", f"be {SUFFIX}", path.name))

    @property
    def data(self) -> Buffer:
        return self._flat.data

    @property
    def operators(self) -> frozenset[str]:
        """Names of the operators of all subgraphs."""
        return frozenset(operator.kind for number in range(self.subgraphs) for operator in self.subgraph(number).operators)

    @property
    def subgraphs(self) -> int:
        return len(self._subgraphs)

    def subgraph(self, number: int) -> Subgraph:
        """A subgraph by its number, read when first asked for. Raises ``SubmissionFault`` for a number that there is not."""
        if not 0 <= number < len(self._subgraphs):
            raise SubmissionFault(Problem(f"subgraph {number}", f"be one of {len(self._subgraphs)}", self.name))
        if number not in self._read:
            self._read[number] = self._subgraph(number, self._subgraphs[number])
        return self._read[number]

    def _subgraph(self, number: int, table: Table) -> Subgraph:
        tensors = tuple(self._tensor(item) for item in table.tables(0))
        operators = tuple(self._operator(item, len(tensors)) for item in table.tables(3))
        inputs, outputs = (self._operands(table, slot, len(tensors)) for slot in (1, 2))
        return Subgraph(number, tensors, inputs, outputs, operators)

    def _tensor(self, table: Table) -> Tensor:
        name = _printable(table.text(3))
        place = f"tensor {name!r}"
        shape = tuple(int(size) for size in table.numbers(0, "int32", MOST_AXES))
        signature = tuple(int(size) for size in table.numbers(7, "int32", MOST_AXES))
        # Without a rank the shape is open; a shape of no axes is also how a scalar is written.
        declared = signature if len(signature) == len(shape) and signature else shape
        if int(table.scalar(10, "I")):
            raise SubmissionFault(Problem("a constant in an external file", "lie in the .tflite file", place))
        quantization = table.table(4)
        return Tensor(
            name,
            int(table.scalar(1, "b")),
            declared,
            self._buffer(int(table.scalar(2, "I")), place),
            None if quantization is None else _quantization(quantization, place),
            quantization is not None and int(quantization.scalar(4, "B")) != 0,
            bool(table.scalar(5, "?", False)),
            table.table(6),
            shape,
        )

    def _buffer(self, number: int, place: str) -> tuple[int, int] | None:
        """Where a buffer's bytes lie; ``None`` for an empty one, which is what activations have."""
        if number >= len(self._buffers):
            raise SubmissionFault(Problem(f"buffer {number}", f"be one of {len(self._buffers)}", place))
        table = self._buffers[number]
        start, length = table.range(0, 1)
        offset, size = int(table.scalar(1, "Q")), int(table.scalar(2, "Q"))
        if offset > 1:  # beyond 2 GB the bytes stand behind the flatbuffer
            if length:
                raise SubmissionFault(Problem("a buffer with bytes and an offset", "have one of them", place))
            if offset + size > self._flat.size:
                self._flat.outside(offset + size)
            start, length = offset, size
        return (start, length) if length else None

    def _operator(self, table: Table, tensors: int) -> Operator:
        code = int(table.scalar(0, "I"))
        if code >= len(self._codes):
            raise SubmissionFault(Problem(f"operator code {code}", f"be one of {len(self._codes)}", self.name))
        kind, custom = self._codes[code]
        inputs, outputs, intermediates = (self._operands(table, slot, tensors) for slot in (1, 2, 8))
        return Operator(kind, inputs, outputs, self._options(kind, table), custom, intermediates)

    def _options(self, kind: str, table: Table) -> dict[str, Any]:
        if kind not in OPTIONS:
            return {}
        wanted, fields = OPTIONS[kind]
        given, options = int(table.scalar(3, "B")), table.table(4)
        if given not in (0, wanted):
            raise SubmissionFault(Problem(f"options of kind {given} of {kind}", f"be of kind {wanted}", self.name))
        if options is None or not given:
            return {name: default for name, (_, _, default) in fields.items()}
        return {
            name: tuple(options.numbers(slot, "int32", MOST_AXES).tolist()) if code.endswith("*") else options.scalar(slot, code, default)
            for name, (slot, code, default) in fields.items()
        }

    def _operands(self, table: Table, slot: int, tensors: int) -> tuple[int, ...]:
        found = tuple(table.numbers(slot, "int32", MOST_OPERANDS).tolist())
        if any(not -1 <= number < tensors for number in found):
            raise SubmissionFault(Problem(f"a tensor number outside of {tensors} tensors", "be one of them", self.name))
        return found


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _operator_name(code: Table) -> tuple[str, str]:
    # Numbers above 126 stand in the wider of both fields.
    number = max(int(code.scalar(0, "b")), int(code.scalar(3, "i")))
    name = OPERATORS[number] if 0 <= number < len(OPERATORS) else f"operator number {number}"
    return name, code.text(1) if number == CUSTOM else ""


def _quantization(table: Table, place: str) -> Quantization | None:
    """Scales and zero points; ``None`` where there is no scale (ranges alone are notes of the converter)."""
    start, count = table.range(2, 4)
    if not count:
        return None
    scale = table.numbers(2, "float32", count)
    zero = table.numbers(3, "int64", count)
    if not (np.isfinite(scale).all() and (scale >= 0).all()):
        raise SubmissionFault(Problem("a scale that is negative or not a number", "be positive", place))
    if not scale.any():
        return None
    if zero.size not in (0, 1, count):
        raise SubmissionFault(Problem(f"{zero.size} zero points for {count} scales", f"be 1 or {count}", place))
    return Quantization(scale, zero, int(table.scalar(6, "i")), start)


def _mapped(path: Path) -> Buffer:
    try:
        with path.open("rb") as handle:
            status = os.fstat(handle.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise SubmissionFault(Problem(f"{path.name}, which is not a regular file", f"be {SUFFIX}"))
            if status.st_size < 8:
                raise SubmissionFault(Problem(f"a file of {status.st_size} bytes", f"be {SUFFIX}", path.name))
            return mmap.mmap(handle.fileno(), status.st_size, access=mmap.ACCESS_READ)
    except OSError as error:
        raise SubmissionFault(Problem(f"a model file that cannot be opened ({error.strerror})", f"be {SUFFIX}", path.name)) from None


def numel(shape: tuple[int, ...]) -> int:
    return math.prod(shape)
