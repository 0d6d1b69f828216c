"""Looks at many small tensors together: one call of numpy for all of them, where a call for each would take longer than the look.

What is proved is kept as the tensors' measured facts; whatever is not stays open, and is found when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.tensors.exact_grids import rounding
from micronet_verify.analysis.tensors.grid import MOST_BITS
from micronet_verify.analysis.tensors.measured import Measured
from micronet_verify.analysis.tensors.screen import LOOK, beyond_half, looked_at, off_every_grid
from micronet_verify.facts.formats import FLOAT32

Array = NDArray[Any]
# Beyond so many values, calls for each tensor are no burden; up to so many, all values are looked at.
_LARGE, _SMALL = 1 << 20, 1 << 12


def screen_many(tensors: Iterable[Measured]) -> None:
    """Prove of small float32 tensors what holds of nearly all weights: no grid, no zeros, no fp16, and few equal values."""
    looked: list[Measured] = []
    starts: list[Array] = []
    whole: dict[tuple[int, bool], list[tuple[Measured, Array]]] = {}
    for measured in tensors:
        constant = measured.constant
        numel = constant.numel
        if measured.looked or constant.codes is not None or not LOOK <= numel <= _LARGE or constant.format != FLOAT32:
            continue
        measured.looked = True
        array = constant.load()
        some = looked_at(array, measured.grid_axes)
        if some.shape[1] < LOOK or array.dtype != np.float32:
            continue
        looked.append(measured)
        starts.append(some)
        if numel <= _SMALL:
            # Tensors of about one length, with and without the codebooks that a folded batch norm rules out.
            kind = (numel - 1).bit_length(), constant.row_scale is None
            whole.setdefault(kind, []).append((measured, array.reshape(-1)))
    if looked:
        _prove_from_starts(looked, starts)
    for (bits, codebooks), part in whole.items():
        _prove_from_values(part, 1 << bits, codebooks)


def _prove_from_starts(tensors: list[Measured], starts: list[Array]) -> None:
    rows = np.concatenate(starts)
    begins = np.cumsum([0, *(len(some) for some in starts[:-1])])
    off = np.logical_and.reduceat(off_every_grid(rows, rounding(FLOAT32), MOST_BITS), begins)
    long = beyond_half(rows[begins, 0])
    for measured, no_grid, no_half in zip(tensors, off.tolist(), long.tolist(), strict=True):
        measured.rule_out(no_grid, no_half)


def _prove_from_values(tensors: list[tuple[Measured, Array]], width: int, codebooks: bool) -> None:
    """Whether any value is zero and, for ``codebooks``, how many different ones there are.

    Tensors are rows of ``width`` values, filled up with their last one.
    """
    rows = np.empty((len(tensors), width), np.float32)
    for row, (_, flat) in zip(rows, tensors, strict=True):
        row[: flat.size] = flat
        row[flat.size :] = flat[-1]
    clear, different = (rows != 0).all(axis=1), np.zeros(len(rows), np.int64)
    if codebooks:
        rows.sort(axis=1)
        different = 1 + np.count_nonzero(rows[:, 1:] != rows[:, :-1], axis=1)
        clear &= rows[:, -1] == rows[:, -1]  # NaN, which is one value, is sorted to the end
    for (measured, _), count, known in zip(tensors, different.tolist(), clear.tolist(), strict=True):
        if known:
            measured.without_zeros(count)
