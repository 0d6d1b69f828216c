"""Builds neutral graphs. Plugins emit nodes through it, and every shape is inferred here, never taken from a file."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.formats import BOOL, FLOAT32, INT64, NumericFormat, numeric_format, numpy_dtype
from micronet_verify.facts.functions import COMPARE
from micronet_verify.facts.graph import Attribute, Graph, Node, Shape, Value
from micronet_verify.facts.shapes import ShapeError, infer, loop
from micronet_verify.facts.tensors import SIDECAR, TensorRef
from micronet_verify.framework.misuse import check_call, check_outputs, check_place, check_value

# Decoded constants up to this many elements are kept in memory as well.
MOST_DECODED = 1 << 14
# Element-wise functions that answer with a truth value.
PREDICATES = COMPARE | {"not", "isnan", "isinf"}


class GraphBuilder:
    """Collects values and nodes in execution order.

    ``at(source, scope)`` sets the place of the nodes that follow: the framework's operator and the module path.
    Constants stay in the artifact (``constant_at``) or, decoded, go to one sidecar file (``constant``).

    ``batch`` is the size to give a batch that the artifact leaves free: 1, because the count is of one example. The same
    artifact is translated a second time with another size, and without a folder to write to, to see that nothing but sizes
    depends on it (``framework.batch``). ``chunk``: the model is a language model's for many tokens; the axes of its first input may
    have any size, and those left free are ``batch``.
    """

    def __init__(self, sidecar_folder: Path | None, parent: GraphBuilder | None = None, batch: int = 1, chunk: bool = False) -> None:
        self._folder = sidecar_folder
        self._root: GraphBuilder = parent._root if parent else self
        self.batch: int = parent.batch if parent else batch
        self.chunk: bool = parent.chunk if parent else chunk
        # Small decoded constants by value id, and what ``choosing`` was told; read by ``framework.batch``.
        self.decoded: dict[str, NDArray[Any]] = parent.decoded if parent else {}
        self.choices: dict[str, tuple[str, int]] = parent.choices if parent else {}
        self._makers: dict[str, tuple[Node, Value | None]] = parent._makers if parent else {}
        self._inputs: list[str] = []
        self._values: dict[str, Value] = {}
        self._nodes: list[Node] = []
        self._count = 0
        self._source = self._scope = ""
        self._written = 0
        self._scalars: dict[tuple[float, str], Value] = {}
        self._notes: list[str] = []

    def at(self, source: str, scope: str = "") -> None:
        """The place of the nodes emitted from here on."""
        self._source, self._scope = source, scope

    @property
    def where(self) -> str:
        return f"{self._source} in {self._scope}" if self._scope else self._source

    def body(self) -> GraphBuilder:
        """A builder for a subgraph of ``branch`` or ``loop``; ids stay unique over the whole graph."""
        inner = GraphBuilder(self._folder, self)
        inner.at(self._source, self._scope)
        return inner

    @contextmanager
    def inside(self) -> Iterator[None]:
        """What this very builder emits within the context is a body of its own, which ``finish`` hands over before it ends.

        So a cell that was given functions over this builder can be emitted in the graph and again in a loop.
        """
        around = self._inputs, self._values, self._nodes, self._scalars
        self._inputs, self._values, self._nodes, self._scalars = [], {}, [], dict(self._scalars)
        try:
            yield
        finally:
            self._inputs, self._values, self._nodes, self._scalars = around

    def note(self, sentence: str) -> None:
        """Tell people something odd about the file that changes no count."""
        self._notes.append(sentence)

    def input(self, shape: Shape, fmt: NumericFormat = FLOAT32, label: str = "") -> Value:
        """An input of the model, or of a body: its shape for one example, batch 1 included."""
        value = self._value(shape, fmt, None, label)
        self._inputs.append(value.id)
        return value

    def constant_at(
        self, path: str, offset: int, shape: Shape, fmt: NumericFormat, label: str = "", strides: tuple[int, ...] | None = None
    ) -> Value:
        """A constant whose bytes lie in the artifact: ``path`` relative to its folder, ``offset`` in bytes, ``strides`` in elements."""
        check_place(path, offset, strides, self.where)
        return self._value(shape, fmt, TensorRef("artifact", path, offset, strides), label)

    def constant(self, array: NDArray[Any], label: str = "", fmt: NumericFormat | None = None) -> Value:
        """A constant that had to be decoded; its bytes go to the sidecar. ``fmt`` defaults to the array's own."""
        fmt = fmt or numeric_format(array.dtype.name)
        data = np.ascontiguousarray(array, dtype=numpy_dtype(fmt))
        root = self._root
        offset = -(-root._written // 64) * 64
        if self._folder is not None:
            with (self._folder / SIDECAR).open("r+b" if root._written else "wb") as handle:
                handle.seek(offset)
                handle.write(data.tobytes())
        root._written = offset + data.nbytes
        value = self._value(tuple(array.shape), fmt, TensorRef("sidecar", SIDECAR, offset), label)
        if data.size <= MOST_DECODED:
            self.decoded[value.id] = data
        return value

    def choosing(self, flat: Value, x: Value, axis: int) -> Value:
        """Remember that elements are chosen out of ``flat``, which is ``x`` without axes, along ``axis`` of ``x``; returns ``flat``."""
        self.choices[flat.id] = (x.id, axis)
        return flat

    def owns(self, value: Value) -> bool:
        """Whether ``value`` belongs to this graph, and not to one around it."""
        return value.id in self._values

    def maker(self, value: Value) -> tuple[Node, Value | None] | None:
        """The node that made ``value`` and its first operand; ``None`` for inputs and constants."""
        return self._makers.get(value.id)

    def maker_of(self, name: str) -> Node | None:
        """The node that made the value of this id; ``None`` for inputs and constants."""
        made = self._makers.get(name)
        return None if made is None else made[0]

    def format_of(self, name: str) -> NumericFormat | None:
        """The format of a value of this graph, and of none around it."""
        value = self._values.get(name)
        return None if value is None else value.format

    def scalar(self, number: float, fmt: NumericFormat = FLOAT32) -> Value:
        """A literal of the program, as a constant of no axes; one per distinct number."""
        key = (float(number), fmt.name)
        if key not in self._scalars:
            self._scalars[key] = self.constant(np.array(number, dtype=numpy_dtype(fmt)), repr(number), fmt)
        return self._scalars[key]

    def emit(self, kind: str, *inputs: Value | None, fmt: NumericFormat | None = None, **attributes: Attribute | None) -> Value:
        """Append a node of one result and return it; ``None`` attributes are left out.

        ``fmt`` is the result's format, by default the widest float among the operands, else the first operand's.
        """
        return self.emit_many(kind, inputs, (fmt,), **attributes)[0]

    def emit_many(
        self, kind: str, inputs: Iterable[Value | None], fmts: Sequence[NumericFormat | None], **attributes: Attribute | None
    ) -> tuple[Value, ...]:
        """Append a node of ``len(fmts)`` results.

        Raises ``SubmissionFault`` if the operands' shapes do not fit the kind; ``PluginFault`` for a kind or an attribute that there is
        not, and for arguments of another type (``framework.misuse``).
        """
        operands = tuple(inputs)
        kept = {name: value for name, value in attributes.items() if value is not None}
        check_call(kind, operands, fmts, kept, (), self.where)
        try:
            shapes = infer(kind, kept, [value.shape if value else () for value in operands])
        except ShapeError as error:
            raise SubmissionFault(error.at(self.where)) from None
        natural = _natural_format(kind, kept, operands)
        outputs = tuple(self._value(shape, fmt or natural) for shape, fmt in zip(shapes, fmts, strict=False))
        self._append(kind, operands, outputs, kept, ())
        return outputs

    def emit_bodies(self, kind: str, inputs: Iterable[Value | None], bodies: Sequence[Graph], **attributes: Attribute) -> tuple[Value, ...]:
        """Append a ``branch`` or ``loop``; results take their shapes and formats from the first body.

        Bodies are what ``finish`` gave of builders of ``body()``. They may read every value that was emitted around them.
        """
        operands = tuple(inputs)
        check_call(kind, operands, (), attributes, bodies, self.where)
        first = bodies[0]
        results = [first.values[name] for name in first.outputs]
        outputs = tuple(self._value(value.shape, value.format) for value in results)
        self._append(kind, operands, outputs, attributes, tuple(bodies))
        return outputs

    def loop(
        self,
        body: Graph,
        carried: Sequence[Value],
        scanned: Sequence[Value] = (),
        *,
        trips: int,
        turn: bool = False,
        backward: Sequence[int] = (),
        collected_backward: Sequence[int] = (),
    ) -> tuple[Value, ...]:
        """Append a ``loop`` and return the last carried values, then what was collected [trips, …].

        Inputs of ``body``: the turn's number if ``turn``, the carried values, a slice of each of ``scanned``; outputs: the carried
        values again, then what is collected. Raises ``SubmissionFault`` if they do not fit.
        """
        operands = (*carried, *scanned)
        attributes: dict[str, Attribute] = {"trips": trips}
        if turn:
            attributes["turn"] = True
        for name, number in (("scanned", len(scanned)), ("backward", tuple(backward)), ("collected_backward", tuple(collected_backward))):
            if number:
                attributes[name] = number
        check_call("loop", operands, (), attributes, (body,), self.where)
        try:
            taken, returned = ([body.values[name].shape for name in names] for names in (body.inputs, body.outputs))
            shapes = loop(attributes, [value.shape for value in operands], taken, returned)
        except ShapeError as error:
            raise SubmissionFault(error.at(self.where)) from None
        formats = [body.values[name].format for name in body.outputs]
        outputs = tuple(self._value(shape, fmt) for shape, fmt in zip(shapes, formats, strict=True))
        self._append("loop", operands, outputs, attributes, (body,))
        return outputs

    def elementwise(self, op: str, *inputs: Value, fmt: NumericFormat | None = None, **parameters: float | None) -> Value:
        return self.emit("elementwise", *inputs, fmt=fmt, op=op, **parameters)

    def reshape(self, x: Value, shape: Sequence[int]) -> Value:
        return x if tuple(shape) == x.shape else self.emit("move", x, op="reshape", shape=tuple(shape))

    def transpose(self, x: Value, perm: Sequence[int]) -> Value:
        return x if list(perm) == list(range(len(x.shape))) else self.emit("move", x, op="transpose", perm=tuple(perm))

    def linear(self, x: Value, weight: Value, bias: Value | None = None) -> Value:
        """x [..., in] times weight [out, in] transposed, plus bias [out]."""
        lead = string.ascii_lowercase[: len(x.shape) - 1]
        return self.emit("matmul", x, weight, *_given(bias), left=f"{lead}z", right="yz", out=f"{lead}y")

    def matmul(self, left: Value, right: Value, bias: Value | None = None) -> Value:
        """The numpy product: leading axes broadcast; an operand of one axis is a vector."""
        batch = max(len(left.shape), len(right.shape)) - 2
        lead = string.ascii_lowercase[: max(batch, 0)]
        a = lead[len(lead) - (len(left.shape) - 2) :] + "xz" if len(left.shape) > 1 else "z"
        b = lead[len(lead) - (len(right.shape) - 2) :] + "zy" if len(right.shape) > 1 else "z"
        out = lead + ("x" if len(left.shape) > 1 else "") + ("y" if len(right.shape) > 1 else "")
        return self.emit("matmul", left, right, *_given(bias), left=a, right=b, out=out)

    def finish(self, outputs: Sequence[Value]) -> Graph:
        """The graph of what was emitted, with these results. Raises ``PluginFault`` for what is no list of values."""
        check_outputs(outputs, self.where)
        return Graph(tuple(self._inputs), tuple(value.id for value in outputs), dict(self._values), tuple(self._nodes), tuple(self._notes))

    def _value(self, shape: Shape, fmt: NumericFormat, ref: TensorRef | None = None, label: str = "") -> Value:
        check_value(shape, fmt, self.where)
        if min(shape, default=0) < 0:
            raise SubmissionFault(Problem(f"a tensor of shape {tuple(shape)}", "have no negative sizes", self.where))
        root = self._root
        root._count += 1
        value = Value(f"v{root._count}", tuple(int(size) for size in shape), fmt, ref, label)
        self._values[value.id] = value
        return value

    def _append(
        self, kind: str, inputs: tuple[Value | None, ...], outputs: tuple[Value, ...], attributes: dict[str, Any], bodies: tuple[Graph, ...]
    ) -> None:
        ids = tuple(value.id if value else "" for value in inputs)
        names = tuple(value.id for value in outputs)
        node = Node(kind, ids, names, attributes, self._source, self._scope, bodies)
        self._nodes.append(node)
        self._makers.update(dict.fromkeys(names, (node, inputs[0] if inputs else None)))


def _given(value: Value | None) -> tuple[Value, ...]:
    return () if value is None else (value,)


def _natural_format(kind: str, attributes: dict[str, Any], operands: tuple[Value | None, ...]) -> NumericFormat:
    formats = [value.format for value in operands if value is not None]
    if kind == "elementwise" and attributes["op"] in PREDICATES:
        return BOOL
    if kind == "select":
        return INT64 if attributes["op"] in ("argmax", "argmin") else formats[0]
    if kind in ("lookup", "permute", "quantize") or not formats:
        return formats[0] if formats else FLOAT32
    if kind == "dequantize":
        return formats[1]
    if kind == "elementwise" and attributes["op"] == "where":
        formats = formats[1:]
    floats = [fmt for fmt in formats if fmt.family == "float"]
    wide = floats or [fmt for fmt in formats if fmt.is_integer] or formats
    # A scalar literal does not widen the tensor it meets; the first of equal widths wins.
    tensors = [v.format for v in operands if v is not None and v.format in wide and (prod(v.shape) > 1 or len(formats) == 1)]
    return max(tensors or wide, key=lambda fmt: fmt.bits)
