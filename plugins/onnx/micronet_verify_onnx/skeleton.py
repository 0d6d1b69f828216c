"""Reads an ONNX file without its weights: the file is mapped, large tensor data stays where it lies.

``onnx.load`` holds the file, the parsed message and every decoded tensor: three times the weights. Here the wire
format is walked once; each large data field of a tensor is left out and remembered as an ``Extent``, and protobuf
parses the small rest. Documentation and most metadata are left out too: nothing reads them.
"""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray

from micronet_verify.plugin import BYTES, Buffer, Problem, SubmissionFault, encoded, fields, instead

LARGE = 1024
_DEEPEST = 60


@dataclass(frozen=True, slots=True)
class Extent:
    """Bytes ``offset:offset+length`` of the model file, the payload of the tensor field called ``field``.

    In a ``tagged`` field a tag byte stands before each of the floats.
    """

    field: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class _Message:
    """What the walk does with a message type: ``nested`` fields are walked, ``data`` fields stay behind, others may be dropped.

    ``runs`` are fields of floats that protobuf writes one by one, a tag before each.
    """

    name: str
    nested: Mapping[int, str]
    data: Mapping[int, str]
    dropped: frozenset[int]
    runs: frozenset[int] = frozenset()


# Field numbers of onnx.proto.
_MESSAGES = {
    "model": _Message("the model", {7: "graph", 25: "function"}, {}, frozenset({6, 14})),
    "graph": _Message("the graph", {1: "node", 5: "tensor", 15: "sparse"}, {}, frozenset({10, 14, 16})),
    "function": _Message("a function", {7: "node", 11: "attribute"}, {}, frozenset({8, 12, 14})),
    "node": _Message("a node", {5: "attribute"}, {}, frozenset({6})),
    "attribute": _Message(
        "an attribute",
        {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
        {7: "floats"},
        frozenset({13}),
        frozenset({7}),
    ),
    "sparse": _Message("a sparse tensor", {1: "tensor", 2: "tensor"}, {}, frozenset()),
    "tensor": _Message(
        "a tensor",
        {},
        {4: "float_data", 5: "int32_data", 7: "int64_data", 9: "raw_data", 10: "double_data", 11: "uint64_data"},
        frozenset({12, 16}),
    ),
}
# Where the number of an extent is written: the documentation string, which is dropped from everything that is walked.
_MARK = {"tensor": 12, "attribute": 13}


class Skeleton:
    """A model without its large data: ``model`` is the parsed message, ``extent`` finds what was left behind.

    Raises ``SubmissionFault`` for a file that is cut off, no regular file, or no ONNX model.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = _mapped(path)
        # A file cannot forge a mark that it cannot foresee.
        self._secret = os.urandom(16).hex()
        self._extents: list[Extent] = []
        try:
            self.model = onnx.ModelProto.FromString(self._rewritten("model", 0, len(self.data), 0))
        except (DecodeError, SubmissionFault) as error:
            other = instead(path, "an ONNX model")
            if other is None and isinstance(error, SubmissionFault):
                raise
            raise SubmissionFault(other or Problem("bytes that are not an ONNX model", "be a complete ONNX model", path.name)) from None

    def extent(self, message: onnx.TensorProto | onnx.AttributeProto) -> Extent | None:
        """The data that was left out of ``message``, if it was."""
        mark = message.doc_string
        # Text that is no UTF-8 comes as bytes.
        if not isinstance(mark, str) or not mark.startswith(self._secret):
            return None
        return self._extents[int(mark.partition(":")[2])]

    @property
    def extents(self) -> int:
        """How many large pieces of data were left out."""
        return len(self._extents)

    def bytes_of(self, extent: Extent) -> NDArray[np.uint8]:
        """The mapped bytes of an extent; not copied."""
        return np.frombuffer(self.data, np.uint8, extent.length, extent.offset)

    def tensors(self) -> Iterator[onnx.TensorProto]:
        """Every tensor of the file: initializers, attributes, subgraphs, functions."""
        yield from _graph_tensors(self.model.graph)
        for function in self.model.functions:
            yield from _node_tensors(function.node)
            for attribute in function.attribute_proto:
                yield from _attribute_tensors(attribute)

    def _rewritten(self, kind: str, start: int, end: int, depth: int) -> bytes:
        message = _MESSAGES[kind]
        if depth > _DEEPEST:
            raise SubmissionFault(Problem(f"graphs nested more than {_DEEPEST} messages deep", "be nested less", self.path.name))
        pieces: list[bytes] = []
        kept = start  # what lies in kept:position is copied as it is
        found: list[Extent] = []
        inside = {number: _MESSAGES[nested].name for number, nested in message.nested.items()}
        for field in fields(self.data, start, end, message.name, inside, message.runs):
            large = field.end - field.start > LARGE
            if field.number in message.dropped:
                replacement = b""
            elif field.number in message.data and large:
                name = message.data[field.number] if field.wire == BYTES else f"tagged {message.data[field.number]}"
                found.append(Extent(name, field.start, field.end - field.start))
                replacement = b""
            elif field.number in message.nested and field.wire == BYTES and large:
                inner = self._rewritten(message.nested[field.number], field.start, field.end, depth + 1)
                replacement = encoded(field.number, inner)
            else:
                continue
            pieces += (self.data[kept : field.key], replacement)
            kept = field.end
        pieces.append(self.data[kept:end])
        if len(found) > 1:
            raise SubmissionFault(Problem(f"{message.name} whose data comes in {len(found)} pieces", "have its data in one piece"))
        if found:
            pieces.append(encoded(_MARK[kind], f"{self._secret}:{len(self._extents)}".encode()))
            self._extents.append(found[0])
        return b"".join(pieces)


def _mapped(path: Path) -> Buffer:
    try:
        with path.open("rb") as handle:
            status = os.fstat(handle.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise SubmissionFault(Problem(f"{path.name}, which is not a regular file", "be an ONNX file"))
            if status.st_size == 0:
                raise SubmissionFault(Problem("an empty file", "be a complete ONNX model", path.name))
            return mmap.mmap(handle.fileno(), status.st_size, access=mmap.ACCESS_READ)
    except OSError as error:
        raise SubmissionFault(Problem(f"a model file that cannot be opened ({error.strerror})", "be an ONNX file", path.name)) from None


def _graph_tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield sparse.values
        yield sparse.indices
    yield from _node_tensors(graph.node)


def _node_tensors(nodes: Iterator[onnx.NodeProto]) -> Iterator[onnx.TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            yield from _attribute_tensors(attribute)


def _attribute_tensors(attribute: onnx.AttributeProto) -> Iterator[onnx.TensorProto]:
    if attribute.HasField("t"):
        yield attribute.t
    yield from attribute.tensors
    for sparse in (*((attribute.sparse_tensor,) if attribute.HasField("sparse_tensor") else ()), *attribute.sparse_tensors):
        yield sparse.values
        yield sparse.indices
    for graph in (*((attribute.g,) if attribute.HasField("g") else ()), *attribute.graphs):
        yield from _graph_tensors(graph)
