"""The ways in which a measured tensor could honestly be stored (rules S1, S2, S3, S8): each a form, with its bits.

Floats may be kept as they are, at 16 bits where fp16 holds every value exactly, as integers on a uniform grid with
their scales, or as indices into a codebook; each dense or with its zeros masked away.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from micronet_verify.analysis.tensors.constant_grids import GridKind
from micronet_verify.analysis.tensors.grid import Grid, width_of_scales
from micronet_verify.analysis.tensors.measured import Measured
from micronet_verify.analysis.tensors.vectors import may_be_vectors, vector_tables
from micronet_verify.counting.forms.form import Extra, Form, FormKind
from micronet_verify.counting.forms.row_widths import rows_of_their_own
from micronet_verify.track.rules import CountingRules


def plain(measured: Measured, rules: CountingRules, width: int) -> list[Form]:
    """Values as they stand, of ``width`` bits each."""
    constant = measured.constant
    narrower: FormKind = "half" if constant.format.family == "float" else "range"
    dense = Form(kind="plain" if width == constant.format.bits else narrower, values=constant.numel, value_bits=width)
    return [dense, *masked(measured, rules, dense, width)]


def on_grids(measured: Measured, rules: CountingRules) -> list[Form]:
    """Integers with their scales, on each grid on which the values lie."""
    return [form for kind, grid in measured.grids if grid is not None for form in _on_grid(measured, rules, kind, grid)]


def _on_grid(measured: Measured, rules: CountingRules, kind: GridKind, grid: Grid) -> list[Form]:
    constant, forms = measured.constant, list[Form]()
    if grid.whole:
        bits = 1 if grid.sign_only and measured.nonzeros == constant.numel else grid.bits
        extra = grid.groups * grid.bits if grid.zero_point else 0
        scales = 0 if constant.unscaled and kind == "grid" and bool(np.all(grid.steps == 1)) else grid.groups
        dense = Form(
            kind=kind,
            values=constant.numel,
            value_bits=bits,
            overhead_count=scales,
            overhead_bits=grid.scale_bits,
            zero_point_bits=extra,
        )
        forms = [dense, *masked(measured, rules, replace(dense, value_bits=grid.sparse_bits), grid.bits)]
    alone = not any(other == "grid" and one is not None for other, one in measured.grids)
    if kind == "grid per channel" and alone and measured.group_axes(kind) == measured.axes and len(grid.lows) == measured.rows:
        best = min((form.bits for form in forms), default=None)
        forms += rows_of_their_own(grid, measured.nonzeros_per_row, constant.numel, constant.format.bits, best, rules)
    return forms


def codebooks(measured: Measured, rules: CountingRules, distinct: tuple[int, int] | None, width: int) -> list[Form]:
    """Indices into a codebook of entries of ``width`` bits. ``distinct``: different values, and different ones that are not zero."""
    numel = measured.constant.numel
    if numel < 4 or distinct is None:
        return []
    values, others = distinct
    index = max((values - 1).bit_length(), 1)
    dense = Form(kind="codebook", values=numel, value_bits=index, overhead_count=values, overhead_bits=width)
    if measured.nonzeros == numel:
        return [dense]
    sparse = replace(dense, value_bits=max((others - 1).bit_length(), 1), overhead_count=others)
    return [dense, *masked(measured, rules, sparse, dense.value_bits)]


def vectors(measured: Measured, rules: CountingRules) -> list[Form]:
    """Codebooks of vectors, which have no mask."""
    constant = measured.constant
    if constant.codes is not None or constant.row_scale is not None or constant.format.family != "float" or measured.grid_of_few_bits:
        return []
    if rules.representation == "masked" or not may_be_vectors(constant.load()) or measured.distinct is None:
        return []
    width = measured.width
    return [
        Form(
            kind="vectors",
            values=constant.numel // length,
            value_bits=max((table - 1).bit_length(), 1),
            overhead_count=table * length,
            overhead_bits=width,
            vector=length,
            view=(axis,),
        )
        for axis, length, table in vector_tables(constant.load(), measured.distinct[0])
    ]


def scaled_in_rows(measured: Measured, rules: CountingRules) -> list[Form]:
    """Under a batch norm that went into a weight: its codebook or fp16 values as they were, and a scale for each row."""
    scale = measured.constant.row_scale
    if scale is None or not measured.narrow_unscaled:
        return []
    unscaled = measured.before_norm
    forms = plain(unscaled, rules, 16) if unscaled.exact_half else []
    forms += codebooks(unscaled, rules, unscaled.distinct, unscaled.width)
    extra = Extra("S2", "scale", scale.size, width_of_scales(scale.astype(np.float32)))
    return [replace(form, extras=(extra,)) for form in forms]


def masked(measured: Measured, rules: CountingRules, form: Form, block_bits: int) -> list[Form]:
    """``form`` of the non-zeros alone, with one mask bit per element and, where zeros come in blocks, per block.

    ``block_bits`` is the width of a value that may be zero: kept blocks may hold zeros.
    """
    numel, nonzeros = measured.constant.numel, measured.nonzeros
    if nonzeros == numel:
        return []
    if rules.mask == "absent":
        return [replace(form, values=nonzeros, mask_bits=0, masked=True)]
    forms = [replace(form, values=nonzeros, mask_bits=numel, masked=True)]
    blocks = measured.blocks(block_bits) if rules.mask == "element_or_block" else None
    if blocks is not None and blocks.blocks < numel:
        # Where kept blocks hold zeros, a codebook has an entry for zero.
        lossless = blocks.values == nonzeros
        bits = form.value_bits if lossless else block_bits
        entries = form.overhead_count + (form.kind == "codebook" and not lossless)
        forms.append(
            replace(
                form, values=blocks.values, value_bits=bits, mask_bits=blocks.blocks, overhead_count=entries, masked=True,
                block=blocks.shape, view=blocks.view,
            )
        )  # fmt: skip
    return forms
