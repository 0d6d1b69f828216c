"""Tensors of equal values, which are stored once (rule S4): an export that lost a tie would otherwise pay twice."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.tensors.constants import Constant
from micronet_verify.analysis.tensors.scan import BLOCK, flattened
from micronet_verify.counting.overlaps import Stored, Twin

# Longer tensors, of which no file holds many, are told apart by their ends before they are compared.
_DIGESTED = 1 << 16


def without_twins(tensors: list[Stored]) -> tuple[list[Stored], list[Twin]]:
    """Tensors of equal values are stored once (S4), as an export that lost the tie would otherwise pay twice."""
    kept: list[Stored] = []
    twins: list[Twin] = []
    kinds = [_kind(stored.measured.constant) for stored in tensors]
    often = Counter(kinds)
    kinds = [kind if often[kind] == 1 else (*kind, _ends(stored.measured.constant)) for stored, kind in zip(tensors, kinds, strict=True)]
    often = Counter(kinds)
    groups: dict[tuple[object, ...], list[Stored]] = {}
    for stored, kind in zip(tensors, kinds, strict=True):
        constant = stored.measured.constant
        digests = [kind] if often[kind] == 1 else [(*kind, *digest) for digest in _digests(stored)]
        group = groups.get(digests[0], [])
        twin = next((other for other in group if _same_signs(stored, other) and _same_values(constant, other.measured.constant)), None)
        if twin is None:
            for digest in dict.fromkeys(digests):
                groups.setdefault(digest, []).append(stored)
            kept.append(stored)
        else:
            twins.append(Twin(stored, twin))
    return kept, twins


def _kind(constant: Constant) -> tuple[object, ...]:
    return constant.numel, constant.format.name, constant.codes is None, constant.row_scale is None


def _ends(constant: Constant) -> bytes:
    """The first and the last value, which tell most tensors apart before all of their values are read."""
    if constant.codes is not None:
        return b""
    array = np.asarray(constant.load())
    return (np.array([array.item(0), array.item(-1)], np.float64) + 0).tobytes()


def _digests(stored: Stored) -> list[tuple[object, ...]]:
    """What a tensor has in common with those of equal values, then what a matrix has in common with those that it is the transpose of."""
    constant = stored.measured.constant
    array = np.asarray(constant.load())
    if constant.numel > _DIGESTED:
        return [(float(array.item(0)), float(array.item(-1)))]
    signs = (array.shape, _digest(np.signbit(array))) if stored.signs else ()
    turned = [(_digest(array.T), signs)] if array.ndim == 2 and constant.codes is None else []
    return [(_digest(array), signs), *turned]


def _digest(array: NDArray[Any]) -> bytes:
    wide = array.astype(np.float64) if array.dtype.itemsize < 4 else array
    return hashlib.blake2b(np.ascontiguousarray(wide + 0).tobytes()).digest()  # + 0: zeros are equal whatever their sign


def _same_signs(one: Stored, other: Stored) -> bool:
    """Whether zeros whose signs are told have the same ones."""
    if not one.signs and not other.signs:
        return True
    a, b = (np.asarray(stored.measured.constant.load()) for stored in (one, other))
    return one.signs == other.signs and a.shape == b.shape and bool(np.array_equal(np.signbit(a), np.signbit(b)))


def _same_values(one: Constant, other: Constant) -> bool:
    """Equal values in equal order; where the shapes differ, also a matrix and its transpose, which an exporter may write twice."""
    plain = one.codes is None and one.row_scale is None
    if one.shape != other.shape and not plain:
        return False
    if one.row_scale is not None and not np.array_equal(one.row_scale, other.row_scale):  # type: ignore[arg-type]
        return False
    if one.codes is not None and other.codes is not None:
        corner = (slice(0, 4),) * len(one.shape)
        if not np.array_equal(one.codes.values(corner), other.codes.values(corner)):
            return False
    first, second = one.load(), other.load()
    a, b = flattened(first), flattened(second)
    # Most pairs differ in their first values, so a short look comes first.
    if np.array_equal(a[:64], b[:64]) and all(np.array_equal(a[s : s + BLOCK], b[s : s + BLOCK]) for s in range(0, a.size, BLOCK)):
        return True
    return plain and len(one.shape) == 2 and one.shape == other.shape[::-1] and _transposed(first, second)


def _transposed(a: NDArray[Any], b: NDArray[Any]) -> bool:
    if not np.array_equal(a[0, :64], b[:64, 0]):
        return False
    step = max(1, BLOCK // a.shape[1])
    return all(np.array_equal(a[s : s + step], b[:, s : s + step].T) for s in range(0, a.shape[0], step))
