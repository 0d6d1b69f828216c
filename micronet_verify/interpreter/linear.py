"""``matmul``: a contraction of two operands in index notation, as one batched matrix product."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from micronet_verify.facts.shapes import index_sizes, text
from micronet_verify.interpreter.node_call import DOUBLE, Array, NodeCall, Operands

# Elements of a stored operand that are converted at a time.
_MOST = 1 << 22


def matmul(call: NodeCall, operands: Operands) -> Array:
    """left, right, bias? with the indices ``left``, ``right`` and ``out``."""
    left, right, out = (text(call.attributes, name) for name in ("left", "right", "out"))
    sizes = index_sizes(left, right, [operand.shape for operand in operands[:2]])
    summed = prod(size for label, size in sizes.items() if label not in out)
    dtype, integers = exact_products(call, summed)
    y = _contracted(operands[0], operands[1], left, right, out, dtype)
    if y.shape != call.result.shape:
        y = np.broadcast_to(y, call.result.shape)
    if integers:
        y = y.astype(np.int64, copy=False)
    if call.has(2):
        y = y + operands[2].astype(y.dtype, copy=False)
    return y


def exact_products(call: NodeCall, terms: int) -> tuple[np.dtype[Any], bool]:
    """The dtype for sums of ``terms`` products, and whether they are integers.

    Integer sums below 2^53 are exact in float64, whose products are fast; wider ones are taken modulo 2^64.
    """
    formats = [fmt for fmt in call.operands[:2] if fmt is not None]
    if any(fmt.family == "float" for fmt in formats):
        return call.dtype, False
    if sum(fmt.bits for fmt in formats) + max(terms, 1).bit_length() <= 53:
        return DOUBLE, True
    return np.dtype(np.int64), True


def product(left: Array, right: Array) -> Array:
    """[..., M, K] times [..., K, N], in the dtype of ``right``; a large left operand of another dtype is converted piece by piece."""
    if left.dtype == right.dtype or left.size <= _MOST:
        return np.asarray(np.matmul(left.astype(right.dtype, copy=False), right))
    rows = left.shape[-2]
    at_once = max(1, rows * _MOST // left.size)
    pieces = (left[..., start : start + at_once, :].astype(right.dtype) for start in range(0, rows, at_once))
    return np.concatenate([np.matmul(piece, right) for piece in pieces], axis=-2)


def _contracted(left: Array, right: Array, a: str, b: str, out: str, dtype: np.dtype[Any]) -> Array:
    left, a, right, b = _without_ones(left, a, right, b)
    left, a = _summed(left, a, out + b, dtype)
    right, b = _summed(right, b, out + a, dtype)
    shared = [label for label in a if label in b]
    batch = "".join(label for label in out if label in shared)
    inner = "".join(label for label in shared if label not in out)
    rows = "".join(label for label in a if label not in shared)
    columns = "".join(label for label in b if label not in shared)
    sizes = dict(zip(a + b, left.shape + right.shape, strict=True))
    first = _grouped(left, a, sizes, batch, rows, inner)
    second = _grouped(right, b, sizes, batch, inner, columns)
    if not inner:
        y = first.astype(dtype, copy=False) * second.astype(dtype, copy=False)
    elif not rows and not columns:
        y = np.einsum("bik,bkj->bij", first.astype(dtype, copy=False), second.astype(dtype, copy=False), optimize=False)
    elif second.dtype != dtype and second.size > first.size:
        # The product of the transposed, so that the stored operand stands on the left and is converted piece by piece.
        y = product(second.swapaxes(1, 2), first.astype(dtype, copy=False).swapaxes(1, 2)).swapaxes(1, 2)
    else:
        y = product(first, second.astype(dtype, copy=False))
    made = batch + rows + columns
    y = y.reshape([sizes[label] for label in made])
    kept = "".join(label for label in out if label in made)
    y = y.transpose([made.index(label) for label in kept])
    # Indices of extent 1 that were taken out of both.
    return np.asarray(y.reshape([sizes[label] if label in made else 1 for label in out]))


def _without_ones(left: Array, a: str, right: Array, b: str) -> tuple[Array, str, Array, str]:
    """Operands without their axes of extent 1: what such an axis meets is broadcast, which a missing index says as well."""
    kept_left = [axis for axis, size in enumerate(left.shape) if size != 1]
    kept_right = [axis for axis, size in enumerate(right.shape) if size != 1]
    return (
        left.reshape([left.shape[axis] for axis in kept_left]),
        "".join(a[axis] for axis in kept_left),
        right.reshape([right.shape[axis] for axis in kept_right]),
        "".join(b[axis] for axis in kept_right),
    )


def _summed(x: Array, labels: str, needed: str, dtype: np.dtype[Any]) -> tuple[Array, str]:
    """Sums over the indices that nothing else has."""
    alone = tuple(axis for axis, label in enumerate(labels) if label not in needed)
    if not alone:
        return x, labels
    return np.sum(x.astype(dtype, copy=False), axis=alone), "".join(label for label in labels if label in needed)


def _grouped(x: Array, labels: str, sizes: dict[str, int], *groups: str) -> Array:
    """``x`` with its axes in the order of ``groups``, each group as one axis; the first is the batch."""
    ordered = x.transpose([labels.index(label) for group in groups for label in group])
    return ordered.reshape([prod(sizes[label] for label in group) for group in groups])
