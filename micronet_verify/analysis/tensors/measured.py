"""What a constant costs to store in each way it could honestly be stored, measured from its values (rules S1, S2, S3, S8).

Floats may be kept as they are, at 16 bits where fp16 holds every value exactly, as integers on a uniform grid with
their scales, or as indices into a codebook; each dense or with its zeros masked away. The cheapest is charged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.tensors import scan
from micronet_verify.analysis.tensors.channels import rows_of_their_own
from micronet_verify.analysis.tensors.constants import Codes, Constant
from micronet_verify.analysis.tensors.forms import Extra, Form, Spelling, as_it_stands
from micronet_verify.analysis.tensors.grid import (
    Grid,
    find_grid,
    grid_of_codes,
    lies_on_none,
    spans_as_widely,
    width_of_scales,
    with_scale_of_each,
)
from micronet_verify.analysis.tensors.screen import beyond_half
from micronet_verify.analysis.tensors.vectors import may_be_vectors, vector_codebooks
from micronet_verify.analysis.tensors.zero_blocks import Blocks, best_blocks, lossless_blocks, may_pay
from micronet_verify.facts.formats import numpy_dtype
from micronet_verify.track.rules import CountingRules, Mask, Representation

Array = NDArray[Any]
# So many scales of 8 bits cost more than a scale of 32 bits and a zero point of 15.
_ROWS = 6
_FEW = 4096
_CORNER = (slice(0, 16), *[slice(0, 256)] * 63)


class Measured:
    """Facts of one constant, each found when first asked for and then kept; the values themselves are not kept.

    ``axes`` are the output-channel axes of the operator that uses it: rows of a dot product, and groups of a scale.
    ``looked``: whether a short look has ruled out what it can (``analysis/tensors/screen_many.py``).
    """

    def __init__(self, constant: Constant, axes: tuple[int, ...] = ()) -> None:
        self.constant = constant
        self.axes = axes
        self.looked = False
        self._dense = False
        self._forms: dict[tuple[bool, Representation, Mask], Form] = {}
        self._blocks: dict[int, Blocks | None] = {}

    def rule_out(self, grid: bool, half: bool) -> None:
        """Keep what was proved from a few values: that the tensor lies on no ``grid``, that fp16 (``half``) does not hold it."""
        if grid:
            self._grids = ()
        if half:
            self.exact_half = False

    def without_zeros(self, distinct: int) -> None:
        """Keep that no value is zero, and how many ``distinct`` values there are (no matter where codebooks are out)."""
        self._dense = True
        if self.constant.row_scale is None:
            self.nonzeros = self.constant.numel
            self._least_distinct = (distinct, distinct) if distinct < self.constant.numel else None

    @cached_property
    def nonzeros_per_row(self) -> NDArray[np.int64]:
        """Non-zeros of each output channel; a channel that batch normalisation scales by zero has none."""
        constant = self.constant
        counts = scan.full_rows(constant.numel, self.rows) if self._dense else scan.nonzeros_per_row(self._counted, self.axes)
        if constant.row_scale is not None and self.axes == (constant.row_axis,):
            counts = np.where(constant.row_scale.reshape(-1) == 0, 0, counts)
        return counts

    @cached_property
    def nonzeros(self) -> int:
        return int(self.nonzeros_per_row.sum())

    @cached_property
    def all_zero(self) -> bool:
        return self._counted.item(0) == 0 and self.nonzeros == 0

    @cached_property
    def grid(self) -> Grid | None:
        """The narrowest grid whose scales factor out of a dot product: one for the tensor, or one per output channel."""
        codes = self.constant.codes
        across = codes is not None and codes.axis >= 0 and bool(self.axes) and codes.axis not in self.axes
        inside = {"grid per block", "grid per channel"} if across else {"grid per block"}
        found = [grid for name, grid in self._grids if grid is not None and grid.whole and name not in inside]
        return min(found, key=lambda grid: (grid.multiply_bits, grid.groups)) if found else None

    def grid_of(self, spelling: Spelling) -> Grid:
        """The grid of a form of this ``spelling``."""
        return next(grid for name, grid in self._grids if name == spelling and grid is not None)

    def group_axes(self, spelling: Spelling) -> tuple[int, ...]:
        """The axes whose slices have scales of their own in a form of this ``spelling``."""
        codes = self.constant.codes
        if spelling != "grid per channel":
            return ()
        return (codes.axis,) if codes is not None and codes.axis >= 0 else self.axes

    @cached_property
    def _grids(self) -> tuple[tuple[Spelling, Grid | None], ...]:
        constant = self.constant
        if constant.codes is not None:
            return self._declared_grids()
        if constant.numel <= 1 or constant.format.family != "float":
            return ()
        array = constant.load()
        if lies_on_none(array, constant.format, self.grid_axes):
            return ()
        whole = None if constant.row_scale is not None else find_grid(array, constant.format, ())
        if not self.grid_axes:
            return (("grid", whole),)
        if whole is not None and self.rows >= _ROWS and spans_as_widely(array, constant.format, self.axes, whole):
            return (("grid", whole),)
        return (("grid", whole), ("grid per channel", find_grid(array, constant.format, self.axes, self._row_factors(self.axes))))

    def _declared_grids(self) -> tuple[tuple[Spelling, Grid | None], ...]:
        constant = self.constant
        codes = constant.codes
        assert codes is not None
        data, scales = codes.load(), codes.scales
        one_scale = scales.size == 1 or bool(np.all(scales == scales.reshape(-1)[0]))
        found: list[tuple[Spelling, Grid | None]] = []
        if one_scale and constant.row_scale is None:
            found.append(("grid", grid_of_codes(data, scales.reshape(-1)[:1], ())))
        if codes.block:
            whole = grid_of_codes(data, scales, ())
            found.append(("grid per block", None if whole is None else with_scale_of_each(whole, scales)))
        else:
            axes = (codes.axis,) if codes.axis >= 0 else self.axes
            if axes and data.ndim > 1:
                factors = self._row_factors(axes)
                # A batch norm that went into the weights is in the scales.
                found.append(("grid per channel", grid_of_codes(data, scales, axes, factors)))
        return tuple((name, _as_stored(grid, codes)) for name, grid in found)

    def _row_factors(self, axes: tuple[int, ...]) -> Array | None:
        """The factor of each slice along ``axes``, where a batch norm was folded; NaN (of no narrow format) where they do not match."""
        constant = self.constant
        if constant.row_scale is None:
            return None
        rows = int(np.prod([constant.shape[axis] for axis in axes], dtype=np.int64))
        return constant.row_scale.reshape(-1) if axes == (constant.row_axis,) else np.full(rows, np.nan)

    @cached_property
    def rows(self) -> int:
        return prod(self.constant.shape[axis] for axis in self.axes)

    @property
    def grid_axes(self) -> tuple[int, ...]:
        """The axes along which slices may have scales of their own: none where a slice is a single value."""
        return self.axes if self.rows < self.constant.numel else ()

    @cached_property
    def exact_half(self) -> bool:
        """Whether fp16 holds every value exactly (a wider float tensor then stores at 16 bits)."""
        if self.constant.format.family != "float" or self.constant.format.bits <= 16 or self.constant.row_scale is not None:
            return False
        array = self.constant.load()
        if beyond_half(array.flat[:4]).any():
            return False
        flat = scan.flattened(array)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            for chunk in (flat[:64], *(flat[start : start + scan.BLOCK] for start in range(64, flat.size, scan.BLOCK))):
                if not scan.same_bits(chunk.astype(np.float16).astype(chunk.dtype), chunk):
                    return False
        return True

    @cached_property
    def distinct(self) -> tuple[int, int] | None:
        """(different values, different values that are not zero), or ``None`` where there are too many for a codebook."""
        constant = self.constant
        values = None if constant.row_scale is not None else scan.distinct_values(constant.load())
        if values is None or len(values) >= constant.numel:
            return None
        return len(values), int(np.count_nonzero(values))

    @cached_property
    def _least_distinct(self) -> tuple[int, int] | None:
        """Lower bounds of ``distinct``, from a few values; ``None`` where there is no codebook."""
        constant, codes = self.constant, self.constant.codes
        if constant.row_scale is not None:
            return None
        if codes is not None:
            return scan.count_distinct(codes.values(_CORNER[: len(constant.shape)]).astype(numpy_dtype(constant.format)))
        flat = scan.flattened(constant.load())
        if any(grid for _, grid in self._grids):
            some = flat[:: max(1, flat.size // _FEW)]  # from all channels, which may have scales of their own
        else:
            # A few more than make codebooks idle, and the zeros that stand between them where zeros are spread evenly.
            wanted = self._too_many
            some = flat[: max(_FEW, (wanted + wanted // 32 + 16) * flat.size // max(1, self.nonzeros))]
        found = scan.count_distinct(some)
        return found if found[0] <= min(scan.MOST_DISTINCT, constant.numel - 1) else None

    @property
    def _too_many(self) -> int:
        """So many different values other than zero make no codebook that is smaller than the values as they stand."""
        nonzeros, width = self.nonzeros, self.width
        for index in range(max(1, min(width, nonzeros.bit_length()) - 2), (scan.MOST_DISTINCT - 1).bit_length() + 1):
            enough: int = max(-(-nonzeros * (width - index) // width), 2 ** (index - 1) + 1)
            if enough <= 2**index:
                return enough
        return scan.MOST_DISTINCT + 1

    def blocks(self, value_bits: int) -> Blocks | None:
        """The best blocks of zeros for values of ``value_bits``; ``None`` where there are too few zeros for any."""
        if value_bits not in self._blocks:
            pay = may_pay(self.constant.numel, self.nonzeros, value_bits)
            self._blocks[value_bits] = best_blocks(self._counted, value_bits, self._lossless_blocks) if pay else None
        return self._blocks[value_bits]

    @cached_property
    def _lossless_blocks(self) -> tuple[Blocks, ...]:
        return lossless_blocks(self._counted, self.nonzeros)

    @property
    def _counted(self) -> Array:
        """The values that say what is zero: codes where the graph dequantizes them, unless a scale of 0 makes all of them 0."""
        codes = self.constant.codes
        return codes.load() if codes is not None and bool(np.all(codes.scales)) else self.constant.load()

    @property
    def width(self) -> int:
        """Bits of a value as it stands: its format's, or 16 where fp16 holds all exactly; integers what their range needs."""
        fmt = self.constant.format
        if fmt.is_integer or fmt.family == "bool":
            return min(fmt.bits, self._integer_bits)
        return 16 if self.exact_half else fmt.bits

    @cached_property
    def _integer_bits(self) -> int:
        data = self.constant.load()
        if data.size == 0:
            return 1
        low, high = int(data.min()), int(data.max())
        return max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + (low < 0) or 1

    def freebie_form(self, rules: CountingRules) -> Form:
        """The cheaper of dense and masked at 16 bits a value (rule S5); 64-bit values have no part in it, single bits stay so."""
        return self._form(rules, True, self._freebie_form)

    def quantized_form(self, rules: CountingRules) -> Form:
        """The cheapest of all forms at measured widths; of equals the first in the order plain, grid, codebook."""
        return self._form(rules, False, self._quantized_form)

    def _form(self, rules: CountingRules, freebie: bool, find: Callable[[CountingRules], Form]) -> Form:
        """Forms depend on two knobs (S3), and are kept for whoever asks under the same."""
        reading = freebie, rules.representation, rules.mask
        if reading not in self._forms:
            self._forms[reading] = find(rules)
        return self._forms[reading]

    def _freebie_form(self, rules: CountingRules) -> Form:
        fmt = self.constant.format
        wide = fmt.bits > 32 and (fmt.family == "float" or self.width > 16)
        bits = 1 if fmt.family == "bool" else fmt.bits if wide else 16
        plain = as_it_stands(self.constant.numel, bits)
        return self._cheapest([plain, *masked], rules) if (masked := self._masked(rules, plain, bits)) else plain

    def _quantized_form(self, rules: CountingRules) -> Form:
        if self._ordinary:
            return as_it_stands(self.constant.numel, self.constant.format.bits)
        forms: list[Form] = []
        for name, grid in self._grids:
            if grid is not None:
                forms += self._on_grid(rules, name, grid)
        # Whether fp16 holds every value, and how many different ones there are, is asked only where the answer can matter.
        fmt = self.constant.format
        width = 16 if fmt.family == "float" and fmt.bits > 16 else self.width
        if not forms or self._may_win(self._plain(rules, width), forms, rules, ties=True):
            width = self.width
            forms = [*self._plain(rules, width), *forms]
        if self._may_win(self._codebooks(rules, self._least_distinct, width), forms, rules):
            forms += self._codebooks(rules, self.distinct, self.width)
        return self._cheapest([*forms, *self._scaled_in_rows(rules), *self._vectors(rules)], rules)

    def _vectors(self, rules: CountingRules) -> list[Form]:
        """Codebooks of vectors, which have no mask."""
        constant = self.constant
        if constant.codes is not None or constant.row_scale is not None or constant.format.family != "float" or self.grid_of_few_bits:
            return []
        if rules.representation == "masked" or not may_be_vectors(constant.load()) or self.distinct is None:
            return []
        return list(vector_codebooks(constant.load(), self.distinct[0], self.width))

    @cached_property
    def grid_of_few_bits(self) -> bool:
        """Whether values are so few that any of their combinations may come again by chance."""
        return any(grid is not None and grid.bits <= 4 for _, grid in self._grids)

    def _scaled_in_rows(self, rules: CountingRules) -> list[Form]:
        """Under a batch norm that went into a weight: its codebook or fp16 values as they were, and a scale for each row."""
        scale = self.constant.row_scale
        if scale is None or not self._narrow_unscaled:
            return []
        unscaled = self.before_norm
        forms = unscaled._plain(rules, 16) if unscaled.exact_half else []
        forms += unscaled._codebooks(rules, unscaled.distinct, unscaled.width)
        extra = Extra("S2", "scale", scale.size, width_of_scales(scale.astype(np.float32)))
        return [replace(form, extras=(extra,)) for form in forms]

    @cached_property
    def _narrow_unscaled(self) -> bool:
        """Whether values that a batch norm scales are worth a look without it."""
        constant = self.constant
        if constant.codes is not None or constant.format.family != "float" or constant.numel < 4:
            return False
        return self.before_norm.exact_half or scan.repeats(constant.load())

    @cached_property
    def before_norm(self) -> Measured:
        """The values before a batch norm scaled their rows, but for rows that it made zero."""
        constant, scale = self.constant, self.constant.row_scale
        assert scale is not None
        load = constant.load
        if not np.all(scale):
            shape = [-1 if axis == constant.row_axis else 1 for axis in range(len(constant.shape))]
            kept = (scale != 0).reshape(shape)
            load = lambda: np.where(kept, constant.load(), constant.load().dtype.type(0))  # noqa: E731
        return Measured(replace(constant, row_scale=None, load=load), self.axes)

    @cached_property
    def _ordinary(self) -> bool:
        """Whether short looks prove that nothing is smaller than the values as they stand, under any rules."""
        constant = self.constant
        if constant.codes is not None or constant.format.family != "float" or self.nonzeros != constant.numel or self._grids:
            return False
        if self.exact_half or (constant.row_scale is not None and self._narrow_unscaled):
            return False
        least, width = self._least_distinct if constant.numel >= 4 else None, constant.format.bits
        return least is None or constant.numel * (least[0] - 1).bit_length() + least[0] * width >= constant.numel * width

    def _plain(self, rules: CountingRules, width: int) -> list[Form]:
        narrower: Spelling = "half" if self.constant.format.family == "float" else "range"
        spelling: Spelling = "plain" if width == self.constant.format.bits else narrower
        plain = Form(spelling, self.constant.numel, width)
        return [plain, *self._masked(rules, plain, width)]

    def _may_win(self, bounds: list[Form], forms: list[Form], rules: CountingRules, ties: bool = False) -> bool:
        """Whether forms that are no smaller than ``bounds`` can be the cheapest beside ``forms``."""
        if not bounds or not forms:
            return bool(bounds)
        best, bound = self._cheapest(forms, rules), self._cheapest(bounds, rules)
        if rules.representation != "cheapest" and best.masked != bound.masked:
            return True  # one side has none of the forms that the knob prefers
        return bound.bits < best.bits or (ties and bound.bits == best.bits)

    def _on_grid(self, rules: CountingRules, name: Spelling, grid: Grid) -> list[Form]:
        forms = []
        if grid.whole:
            bits = 1 if grid.sign_only and self.nonzeros == self.constant.numel else grid.bits
            extra = grid.groups * grid.bits if grid.zero_point else 0
            scales = 0 if self.constant.unscaled and name == "grid" and bool(np.all(grid.steps == 1)) else grid.groups
            dense = Form(name, self.constant.numel, bits, 0, scales, grid.scale_bits, extra)
            forms = [dense, *self._masked(rules, replace(dense, value_bits=grid.sparse_bits), grid.bits)]
        alone = not any(other == "grid" and one is not None for other, one in self._grids)
        if name == "grid per channel" and alone and self.group_axes(name) == self.axes and len(grid.lows) == self.rows:
            best = min((form.bits for form in forms), default=None)
            forms += rows_of_their_own(grid, self.nonzeros_per_row, self.constant.numel, self.constant.format.bits, best, rules)
        return forms

    def _codebooks(self, rules: CountingRules, distinct: tuple[int, int] | None, width: int) -> list[Form]:
        if self.constant.numel < 4 or distinct is None:
            return []
        values, others = distinct
        dense = Form("codebook", self.constant.numel, max((values - 1).bit_length(), 1), 0, values, width)
        if self.nonzeros == self.constant.numel:
            return [dense]
        sparse = replace(dense, value_bits=max((others - 1).bit_length(), 1), overhead_count=others)
        return [dense, *self._masked(rules, sparse, dense.value_bits)]

    def _masked(self, rules: CountingRules, form: Form, block_bits: int) -> list[Form]:
        """``form`` of the non-zeros alone, with one mask bit per element and, where zeros come in blocks, per block.

        ``block_bits`` is the width of a value that may be zero: kept blocks may hold zeros.
        """
        numel, nonzeros = self.constant.numel, self.nonzeros
        if nonzeros == numel:
            return []
        if rules.mask == "absent":
            return [replace(form, values=nonzeros, mask_bits=0, masked=True)]
        forms = [replace(form, values=nonzeros, mask_bits=numel, masked=True)]
        blocks = self.blocks(block_bits) if rules.mask == "element_or_block" else None
        if blocks is not None and blocks.blocks < numel:
            # Where kept blocks hold zeros, a codebook has an entry for zero.
            lossless = blocks.values == nonzeros
            bits = form.value_bits if lossless else block_bits
            entries = form.overhead_count + (form.spelling == "codebook" and not lossless)
            forms.append(
                replace(
                    form, values=blocks.values, value_bits=bits, mask_bits=blocks.blocks, overhead_count=entries, masked=True,
                    block=blocks.shape, view=blocks.view,
                )
            )  # fmt: skip
        return forms

    @staticmethod
    def _cheapest(forms: list[Form], rules: CountingRules) -> Form:
        if rules.representation != "cheapest":
            masked = rules.representation == "masked"
            forms = [form for form in forms if form.masked == masked] or forms
        return min(forms, key=lambda form: form.bits)


def _as_stored(grid: Grid | None, codes: Codes) -> Grid | None:
    """Codes as the file has them, with a zero point for each group, where codes less their zero points would be wider."""
    if grid is None or codes.zero_points < 2 or grid.bits <= codes.bits:
        return grid
    return replace(grid, bits=codes.bits, sparse_bits=codes.bits, multiply_bits=codes.bits, zero_point=True)
