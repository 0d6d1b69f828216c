"""Finds every value that no input can change, and takes the nodes that only compute such values out of the graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.rewrites import evaluate
from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.analysis.rewrites.recognize_choices import chosen
from micronet_verify.analysis.tensors.constants import Codes, Constant
from micronet_verify.analysis.tensors.exact_grids import product
from micronet_verify.facts.formats import NumericFormat, numpy_dtype
from micronet_verify.facts.graph import Graph, Node, Value
from micronet_verify.facts.shapes import integer
from micronet_verify.facts.tensors import ConstantStore, TensorRef

Array = NDArray[Any]

# Layout changes keep the stored tensor; these choose part of one or join several, which makes another stored tensor.
_LOOKED_UP = 1 << 26
_SAME = frozenset({"identity", "reshape", "transpose", "expand", "tile"})


def fold_constants(graph: EditableGraph) -> None:
    """Arithmetic among constants goes; its results are added to the constants by value id."""
    constants = graph.constants

    def read(node: Node) -> Sequence[Node]:
        if not node.inputs or not all(not name or name in constants for name in node.inputs):
            return (node,)
        results = fold_node(graph.values, node, constants)
        if results is None:
            return (node,)
        constants.update(results)
        return ()

    graph.sweep(read)


def stored_constants(graph: Graph, store: ConstantStore) -> dict[str, Constant]:
    """The constants of a graph that lie in the file, by value id."""
    return {value.id: _stored(value, store) for value in graph.values.values() if value.constant is not None}


def _stored(value: Value, store: ConstantStore) -> Constant:
    ref = value.constant
    assert ref is not None
    key = f"{ref.store}:{ref.path}:{ref.offset}:{value.format.name}:{value.numel}"
    return Constant(key, value.label or value.id, value.shape, value.format, _InFile(store, ref, value))


class _InFile:
    """Opens a stored value when it is first asked for: a view of the file, so that keeping it keeps no values."""

    __slots__ = ("_ref", "_store", "_value", "_view")

    def __init__(self, store: ConstantStore, ref: TensorRef, value: Value) -> None:
        self._store, self._ref, self._value = store, ref, value
        self._view: Array | None = None

    def __call__(self) -> Array:
        if self._view is None:
            self._view = self._store.open(self._ref, self._value.shape, self._value.format, self._value.label)
        return self._view


def fold_node(values: Mapping[str, Value], node: Node, constants: Mapping[str, Constant], most: int = 0) -> dict[str, Constant] | None:
    """The results of a node of constants alone, ``None`` where they are not folded: more than the operands hold, and than ``most``."""
    operands = [constants[name] for name in node.inputs if name]
    results = [values[name] for name in node.outputs]
    op = node.attributes.get("op")
    if node.kind == "dequantize":
        return {results[0].id: _dequantized(node, operands, results[0])}
    if node.kind == "quantize":
        zero = operands[2] if len(operands) > 2 else None
        x, scale = operands[0], operands[1]
        key = f"quantize({x.key},{scale.key},{zero.key if zero else ''},{sorted(node.attributes.items())})"

        def codes() -> Array:
            return evaluate.quantized(node, x.load(), scale.load(), zero.load() if zero else None, results[0])

        return {results[0].id: Constant(key, x.label, results[0].shape, results[0].format, codes)}
    if node.kind == "lookup" and op in ("embedding", "gather") and not node.attributes.get("batch") and results[0].numel <= _LOOKED_UP:
        return {results[0].id: _computed(node, operands, results[0], lambda: _taken(node, operands))}
    if node.kind == "move" and op == "cast":
        return {results[0].id: _cast(node, operands[0], results[0])}
    if node.kind == "lookup" and op in ("elements", "nd"):
        found = chosen(node, operands[0].shape, np.asarray(operands[1].load(), np.int64))
        return None if found is None else {results[0].id: _looked_up(node, operands, results[0], found)}
    if node.kind == "move" or node.kind == "permute":
        return {value.id: _viewed(piece, operands, value) for piece, value in zip(evaluate.pieces(node), results, strict=True)}
    made_from = sum(part.numel for constant in operands for part in constant.parts or (constant,))
    if evaluate.is_arithmetic(node, operands) and results[0].numel <= max(made_from, most):
        load = _computation(node, operands, [constants[name].format if name else None for name in node.inputs], results[0])
        return {results[0].id: _computed(node, operands, results[0], load)}
    return None


def _taken(node: Node, operands: list[Constant]) -> Array:
    """What constant indices find in a constant table: the same tensor however it is spelled (B4)."""
    table, index = (np.asarray(constant.load()) for constant in operands)
    return np.take(table, index.astype(np.int64), axis=integer(node.attributes, "axis"))


def _cast(node: Node, operand: Constant, result: Value) -> Constant:
    """Codes stay codes in half precision, and narrow floats are as narrow in a wider format: a conversion holds no information."""
    dtype = numpy_dtype(result.format)
    found = _computed(node, [operand], result, lambda: evaluate.cast(node, operand.load(), operand.format, result))
    if result.format.family != "float" or operand.format.family != "float":
        return found
    if operand.codes is not None and result.format.bits <= operand.format.bits:
        return replace(found, codes=operand.codes)
    if operand.format.bits < 16 and operand.format.bits < result.format.bits:
        return replace(found, format=operand.format, parts=(operand,), join=lambda arrays: arrays[0].astype(dtype))
    return found


def _computation(node: Node, operands: list[Constant], formats: list[NumericFormat | None], result: Value) -> Callable[[], Array]:
    return lambda: evaluate.compute(node, [constant.load() for constant in operands], formats, result)


def _computed(node: Node, operands: list[Constant], result: Value, load: Callable[[], Array]) -> Constant:
    key = f"{node.kind}:{node.attributes.get('op')}({','.join(constant.key for constant in operands)})#{result.id}"
    largest = max(operands, key=lambda constant: constant.numel)
    return Constant(key, largest.label, result.shape, result.format, load)


def _viewed(node: Node, operands: list[Constant], result: Value) -> Constant:
    op, first = str(node.attributes["op"]), operands[0]

    def view(array: Array) -> Array:
        return evaluate.moved(node, [array])

    if node.kind == "move" and op in _SAME:
        found = first.viewed(result.shape, view)
        # Copies are no values of their own.
        return (
            replace(found, parts=(first,), join=lambda arrays: view(arrays[0])) if op in ("expand", "tile") and not first.parts else found
        )
    if node.kind == "move" and op == "slice":
        cut = "" if result.numel == first.numel else _cut(node)
        return first.viewed(result.shape, view, cut)
    # Joined, padded or picked constants are stored as they end up: which piece goes where is information too, and pieces
    # that are stored once and laid out many times would hide it in the graph.
    return _computed(node, operands, result, _arrangement(node, operands))


def _looked_up(node: Node, operands: list[Constant], result: Value, found: tuple[tuple[int, int], Array]) -> Constant:
    """Elements of a constant table at constant places, as they end up: which goes where is information."""
    (first, last), places = found
    shape = operands[0].shape

    def load() -> Array:
        flat = operands[0].load().reshape(*shape[:first], -1, *shape[last:])
        return np.take(flat, places.reshape(-1), first).reshape(result.shape)

    return _computed(node, operands, result, load)


def _cut(node: Node) -> str:
    """A name for the part of a tensor that a slice or one piece of a split takes; equal parts have equal names."""
    return f"[{node.attributes['axes']}{node.attributes['starts']}{node.attributes['ends']}{node.attributes['steps']}]"


def _arrangement(node: Node, operands: list[Constant]) -> Callable[[], Array]:
    return lambda: evaluate.moved(node, [constant.load() for constant in operands])


def _dequantized(node: Node, operands: list[Constant], result: Value) -> Constant:
    codes, scale = operands[0], operands[1]
    zero = operands[2] if len(operands) > 2 else None
    zero_points = 0 if zero is None or not np.any(zero.load()) else zero.numel

    def centred() -> Array:
        data = codes.load()
        if zero_points:
            assert zero is not None
            data = data.astype(np.int32) - evaluate.spread(node, zero.load(), data.shape).astype(np.int32)
        scales = np.asarray(scale.load())
        if scales.all():
            return data
        return np.where(evaluate.spread(node, scales, data.shape) == 0, np.zeros((), data.dtype), data)  # whatever times 0

    def load() -> Array:
        scales = evaluate.spread(node, scale.load(), result.shape)
        return product(centred(), scales, numpy_dtype(result.format))

    axis, block = integer(node.attributes, "axis", -1), integer(node.attributes, "block", 0)
    if codes.format.family == "float":  # float8 and float4: the values themselves are narrow; the scale factors out

        def scaled(arrays: Sequence[Array]) -> Array:
            return product(arrays[0].astype(np.float32), evaluate.spread(node, arrays[1], result.shape), numpy_dtype(result.format))

        key, both = f"dequantize({codes.key},{scale.key})", (codes, scale)
        return Constant(key, codes.label, result.shape, codes.format, lambda: scaled([codes.load(), scale.load()]), parts=both, join=scaled)
    scales = np.asarray(scale.load())
    found = Codes(centred, scales, axis if scales.size > 1 else -1, block, codes.format.bits, zero_points)
    key = f"dequantize({codes.key},{scale.key},{zero.key if zero else ''})"
    return Constant(key, codes.label, result.shape, result.format, load, found)
