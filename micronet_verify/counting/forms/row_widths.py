"""Rows of widths of their own: output channels that were quantized to different numbers of bits, or not at all (rule S1).

Each row is as wide as its own integers, and a row that lies on no grid stands as it is. Which of the widths a row has is an index,
which lies where its scale has bits to spare: the sign, and what the scales of one tensor leave of the exponent. Where it does not fit,
it is stored beside. Rows that merely happen to be narrower are no evidence: the form has to save a tenth, and rows of one value show
no width. Where one scale does for all rows, one width does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.tensors.grid import Grid
from micronet_verify.counting.forms.form import Extra, Form
from micronet_verify.track.rules import CountingRules

# Exponent bits and sign of a scale of so many bits.
_FIELD = {8: 8, 16: 6, 32: 9, 64: 12}


def row_widths(grid: Grid, nonzeros: NDArray[np.int64], columns: int, plain_bits: int, masked: bool) -> NDArray[np.int64]:
    """Bits of a value of each row, negative for two's complement, −1 for a sign alone; ``masked``: its zeros are stored nowhere."""
    found, alike = np.empty(len(grid.lows), np.int64), []
    for at, (low, high, step, count) in enumerate(zip(grid.lows.tolist(), grid.highs.tolist(), grid.steps, nonzeros.tolist(), strict=True)):
        if np.isnan(step):
            found[at] = plain_bits
        elif count == 0:
            found[at] = 0
        elif count == columns and -1 <= low <= high <= 1 and high - low == 1:
            alike.append(at)
        elif low >= -1 and high <= 1 and (masked or count == columns):
            found[at] = -1
        else:
            found[at] = high.bit_length() if low >= 0 else -max(high.bit_length(), (-low - 1).bit_length(), 1) - 1
    # Rows of one value show no width of their own.
    found[alike] = max(np.delete(found, alike).tolist(), key=abs, default=-1)
    return found


def rows_of_their_own(
    grid: Grid, nonzeros: NDArray[np.int64], numel: int, plain_bits: int, best: int | None, rules: CountingRules
) -> list[Form]:
    """The dense and the masked form of widths by row, where they save a tenth of the ``best`` with one width for all."""
    rows = len(grid.lows)
    columns = numel // rows
    on = ~np.isnan(grid.steps)
    forms = []
    for masked in (False, True) if rules.mask != "absent" and int(nonzeros.sum()) < numel else (False,):
        widths = row_widths(grid, nonzeros, columns, plain_bits, masked)
        kept = nonzeros if masked else np.where(widths == 0, 0, columns)
        kinds, widths = np.unique(widths).size, np.abs(widths)
        mixed = tuple((int(bits), int(kept[widths == bits].sum())) for bits in np.unique(widths))
        scaled = on & (nonzeros > 0)
        form = Form(
            kind="grid per channel",
            values=int(kept.sum()),
            value_bits=int(widths.max()),
            mask_bits=numel if masked else 0,
            overhead_count=int(scaled.sum()),
            overhead_bits=grid.scale_bits,
            masked=masked,
            mixed=mixed,
            extras=_told(grid, scaled, kinds, rows),
        )
        if best is None or 10 * form.bits <= 9 * best:
            forms.append(form)
    return forms


def _told(grid: Grid, scaled: NDArray[np.bool_], widths: int, rows: int) -> tuple[Extra, ...]:
    """What says which width a row has."""
    index = (widths - 1).bit_length()
    _, exponents = np.frexp(grid.steps[scaled])
    spare = _FIELD[grid.scale_bits] - int(np.ptp(exponents)).bit_length() if exponents.size else 0
    if index == 0 or (index <= spare and bool(scaled.all())):
        return ()
    return (Extra("S1", "row width", rows, index),)
