"""Functions that TensorFlow has no operator for and writes out: batch norm, layer norm, and look-ups by numbers counted from the end.

A norm is written as x·inv + (shift − mean·inv) with inv = scale/√(variance + eps). It is one function with one price (rule
O4), so it is recognised where it stands; what is recognised is structure only, and a rule that finds shapes that do not fit
hands the node back to be read as it is written.
"""

from __future__ import annotations

from functools import partial
from math import prod

from micronet_verify.plugin import Operand, Shape, Value, sole
from micronet_verify_tensorflow.messages import NodeDef
from micronet_verify_tensorflow.op import Op
from micronet_verify_tensorflow.ops_index import gather, table
from micronet_verify_tensorflow.scope import Idiom, Scope

_SAME = frozenset({"Identity", "StopGradient", "PreventGradient", "Snapshot"})
_ADD = ("AddV2", "Add")


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
                    return Idiom("a layer norm", (x, axes, eps, *given), partial(_layer_norm, scaled=bool(scale), shifted=bool(shift)))
                return Idiom(
                    "a batch norm", (x, mean, variance, eps, *given), partial(_batch_norm, scaled=bool(scale), shifted=bool(shift))
                )
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
        return Idiom("a look-up from either end", (node.inputs[0], index, *node.inputs[2:], less.inputs[1], sizes), _wrapped_gather)


def _wrapped_gather(op: Op) -> Value | None:
    zero, size = (sole(item) if isinstance(item, Operand) else None for item in op.items[-2:])
    del op.items[-2:]
    x = table(op)
    if zero != 0 or size is None or not x.shape or size != x.shape[op.axis(op.known_int(2, "an axis") if op.has(2) else 0, len(x.shape))]:
        return None
    return gather(op)


def _batch_norm(op: Op, scaled: bool, shifted: bool) -> Value | None:
    """Statistics that are constants, one per channel of the last axis or of the second."""
    x, mean, variance = op.operands(0, 3)
    eps, parts = sole(op.operand(3)), op.operands(4)
    rank, channels = len(x.shape), mean.numel
    if rank < 2 or eps is None or not all(part.static for part in (mean, variance, *parts)):
        return None
    wide = [rank - len(mean.shape) + axis for axis, size in enumerate(mean.shape) if size > 1] or [rank - 1]
    axis = wide[0]
    if len(wide) != 1 or axis not in (1, rank - 1) or x.shape[axis] != channels:
        return None
    if any(part.numel != channels or _axis(part, rank) not in (None, axis) for part in (variance, *parts)):
        return None
    flat = [op.builder.reshape(part.value, (channels,)) for part in (mean, variance, *parts)]
    operands = (*flat[:2], *_affine(flat[2:], scaled, shifted))
    return op.emit("normalise", x.value, *operands, op="batch_norm", eps=eps, channels_last=None if axis == 1 else True)


def _axis(part: Operand, rank: int) -> int | None:
    wide = [rank - len(part.shape) + axis for axis, size in enumerate(part.shape) if size > 1]
    return wide[0] if len(wide) == 1 else None


def _affine(values: list[Value], scaled: bool, shifted: bool) -> list[Value | None]:
    """Scale and shift, of which either may be missing."""
    return [None, *values] if shifted and not scaled else list(values)


def _layer_norm(op: Op, scaled: bool, shifted: bool) -> Value | None:
    """Moments over the last axes."""
    x, axes, eps = op.operand(0), op.operand(1), sole(op.operand(2))
    parts = op.operands(3)
    if axes.known is None or eps is None:
        return None
    rank, normalised = len(x.shape), op.axes(1, len(x.shape))
    if normalised != tuple(range(rank - len(normalised), rank)):
        return None
    wanted = x.shape[rank - len(normalised) :]
    if any(part.numel != prod(wanted) or _wide(part.shape) != _wide(wanted) for part in parts):
        return None
    flat = [op.builder.reshape(part.value, wanted) for part in parts]
    return op.emit("normalise", x.value, *_affine(flat, scaled, shifted), op="layer_norm", eps=eps, axes=normalised)


def _wide(shape: Shape) -> Shape:
    return tuple(size for size in shape if size > 1)
