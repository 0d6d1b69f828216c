"""Functions that TensorFlow has no operator for and writes out: batch norm, layer norm, and look-ups by numbers counted from the end.

A norm is written as x·inv + (shift − mean·inv) with inv = scale/√(variance + eps). It is one function with one price (rule
O4), so it is recognised where it stands; what is recognised is structure only, and a rule that finds shapes that do not fit
hands the node back to be read as it is written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from micronet_verify.facts.graph import Value
from micronet_verify_tensorflow.messages import NodeDef
from micronet_verify_tensorflow.op import Op
from micronet_verify_tensorflow.operands import Operand
from micronet_verify_tensorflow.scope import Scope

_SAME = frozenset({"Identity", "StopGradient", "PreventGradient", "Snapshot"})
_ADD = ("AddV2", "Add")


@dataclass(frozen=True, slots=True)
class Idiom:
    """``refs``: the operands of the function; ``rule`` answers ``None`` where they do not fit it."""

    refs: tuple[str, ...]
    rule: Callable[[Op], Value | None]


def find_idiom(scope: Scope, node: NodeDef) -> Idiom | None:
    """The function that ends in ``node``, if it ends one."""
    if node.op in _ADD and len(node.inputs) == 2:
        return _Reader(scope).norm(*node.inputs)
    if node.op in ("GatherV2", "ResourceGather") and len(node.inputs) >= 2:
        return _Reader(scope).wrapped(node)
    return None


class _Reader:
    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def _source(self, ref: str) -> tuple[str, NodeDef | None]:
        node = self._scope.node(ref)
        while node is not None and node.op in _SAME and node.inputs:
            ref = node.inputs[0]
            node = self._scope.node(ref)
        return ref, node

    def _made(self, ref: str, *ops: str) -> NodeDef | None:
        _, node = self._source(ref)
        return node if node is not None and node.op in ops else None

    def _equal(self, a: str, b: str) -> bool:
        return self._scope.split(self._source(a)[0]) == self._scope.split(self._source(b)[0])

    def _pairs(self, ref: str, *ops: str) -> tuple[tuple[str, str], ...]:
        """Both orders of the operands of a node of two operands."""
        node = self._made(ref, *ops)
        return (node.inputs[:2], node.inputs[1::-1]) if node is not None and len(node.inputs) == 2 else ()

    def norm(self, a: str, b: str) -> Idiom | None:
        for scaled, offset in ((a, b), (b, a)):
            for x, inverse in self._pairs(scaled, "Mul"):
                found = self._inverse(inverse)
                rest = self._offset(offset, inverse) if found is not None else None
                if found is None or rest is None:
                    continue
                (variance, eps, scale), (mean, shift) = found, rest
                given = [ref for ref in (scale, shift) if ref]
                axes = self._moments(x, mean, variance)
                if axes is not None:
                    return Idiom((x, axes, eps, *given), partial(_layer_norm, scaled=bool(scale), shifted=bool(shift)))
                return Idiom((x, mean, variance, eps, *given), partial(_batch_norm, scaled=bool(scale), shifted=bool(shift)))
        return None

    def _inverse(self, ref: str) -> tuple[str, str, str] | None:
        """(variance, eps, scale or nothing) of 1/√(variance + eps)·scale."""
        for root, scale in ((ref, ""), *self._pairs(ref, "Mul")):
            inverse = self._made(root, "Rsqrt")
            for variance, eps in self._pairs(inverse.inputs[0], *_ADD) if inverse is not None and inverse.inputs else ():
                if self._made(eps, "Const") is not None and self._made(variance, "Const") is None:
                    return variance, eps, scale
        return None

    def _offset(self, ref: str, inverse: str) -> tuple[str, str] | None:
        """(mean, shift or nothing) of shift − mean·inverse."""
        subtract = self._made(ref, "Sub")
        if subtract is not None:
            for mean, other in self._pairs(subtract.inputs[1], "Mul"):
                if self._equal(other, inverse):
                    return mean, subtract.inputs[0]
        for product, shift in ((ref, ""), *self._pairs(ref, *_ADD)):
            for negated, other in self._pairs(product, "Mul"):
                node = self._made(negated, "Neg")
                if node is not None and self._equal(other, inverse):
                    return node.inputs[0], shift
        return None

    def _moments(self, x: str, mean: str, variance: str) -> str | None:
        """The axes over which mean and variance are those of ``x``."""
        first, second = self._made(mean, "Mean"), self._made(variance, "Mean")
        if first is None or second is None or not self._equal(first.inputs[0], x):
            return None
        squares = self._made(second.inputs[0], "SquaredDifference")
        ordered = any(self._equal(a, x) and self._equal(b, mean) for a, b in self._pairs(second.inputs[0], "SquaredDifference"))
        return second.inputs[1] if squares is not None and ordered else None

    def wrapped(self, node: NodeDef) -> Idiom | None:
        """Numbers below 0 that are counted from the end: i < 0 ? i + n : i."""
        chosen = self._made(node.inputs[1], "SelectV2", "Select")
        if chosen is None or len(chosen.inputs) != 3:
            return None
        condition, other, index = chosen.inputs
        less = self._made(condition, "Less")
        fits = less is not None and self._equal(less.inputs[0], index) and self._made(less.inputs[1], "Const") is not None
        if not fits or not any(self._equal(first, index) for first, _ in self._pairs(other, *_ADD)):
            return None
        assert less is not None
        sizes = next(size for first, size in self._pairs(other, *_ADD) if self._equal(first, index))
        return Idiom((node.inputs[0], index, *node.inputs[2:], less.inputs[1], sizes), _wrapped_gather)


def _wrapped_gather(op: Op) -> Value | None:
    from micronet_verify_tensorflow.ops_index import gather

    zero, size = op.items[-2:]
    table = op.items[0]
    known = isinstance(zero, Operand) and isinstance(size, Operand) and zero.known is not None and size.known is not None
    op.items = op.items[:-2]
    rows = gather_rows(op, table) if known else -1
    if not known or zero.known.tolist() != 0 or size.known.tolist() != rows:  # type: ignore[union-attr]
        return None
    result = gather(op)
    return result if isinstance(result, Value) else None


def gather_rows(op: Op, table: object) -> int:
    """The length of the axis along which a GatherV2 chooses."""
    from micronet_verify_tensorflow.operands import Handle

    found = table.operand if isinstance(table, Handle) else table
    axis = op.known_int(2, "an axis") if op.has(2) else 0
    return found.shape[op.axis(axis, len(found.shape))] if isinstance(found, Operand) and found.shape else -1


def _batch_norm(op: Op, scaled: bool, shifted: bool) -> Value | None:
    """Statistics that are constants, one per channel of the last axis or of the second."""
    x, mean, variance, eps = op.operands(0, 4)
    parts = op.operands(4)
    rank, channels = len(x.shape), mean.numel
    if rank < 2 or eps.known is None or eps.numel != 1 or not all(part.static for part in (mean, variance, *parts)):
        return None
    wide = [rank - len(mean.shape) + axis for axis, size in enumerate(mean.shape) if size > 1] or [rank - 1]
    axis = wide[0]
    if len(wide) != 1 or axis not in (1, rank - 1) or x.shape[axis] != channels:
        return None
    if any(part.numel != channels or _axis(part, rank) not in (None, axis) for part in (variance, *parts)):
        return None
    flat = [op.builder.reshape(part.value, (channels,)) for part in (mean, variance, *parts)]
    mean_, variance_, *others = flat
    scale = others.pop(0) if scaled else None
    shift = others.pop(0) if shifted else None
    last = axis != 1
    operands = [mean_, variance_, *([scale, shift] if shifted else [scale] if scaled else [])]
    number = float(str(eps.known.reshape(-1)[0]))
    return op.emit("normalise", x.value, *operands, op="batch_norm", eps=number, channels_last=True if last else None)


def _axis(part: Operand, rank: int) -> int | None:
    wide = [rank - len(part.shape) + axis for axis, size in enumerate(part.shape) if size > 1]
    return wide[0] if len(wide) == 1 else None


def _layer_norm(op: Op, scaled: bool, shifted: bool) -> Value | None:
    """Moments over the last axes."""
    x, axes, eps = op.operands(0, 3)
    parts = op.operands(3)
    if axes.known is None or eps.known is None or eps.numel != 1:
        return None
    rank = len(x.shape)
    normalised = op.axes(1, rank)
    wanted = tuple(x.shape[axis] for axis in normalised)
    if normalised != tuple(range(rank - len(normalised), rank)):
        return None
    size = 1
    for extent in wanted:
        size *= extent
    if any(part.numel != size or tuple(one for one in part.shape if one > 1) != tuple(one for one in wanted if one > 1) for part in parts):
        return None
    flat = [op.builder.reshape(part.value, wanted) for part in parts]
    scale = flat.pop(0) if scaled else None
    shift = flat.pop(0) if shifted else None
    operands = [scale, shift] if shifted else [scale] if scaled else []
    number = float(str(eps.known.reshape(-1)[0]))
    return op.emit("normalise", x.value, *operands, op="layer_norm", eps=number, axes=normalised)
