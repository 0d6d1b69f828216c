"""What is true of a constant's values: where zeros lie, grids, how many different ones, whether fp16 holds them (S1, S2, S3, S8).

Facts know no rules: in how many bits a tensor may be stored, and which way is the cheapest, is asked in ``counting/forms``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.tensors import scan
from micronet_verify.analysis.tensors.constant_grids import Grids, grid_axes, grids_of, row_count
from micronet_verify.analysis.tensors.constants import Constant
from micronet_verify.analysis.tensors.grid import Grid
from micronet_verify.analysis.tensors.screen import beyond_half
from micronet_verify.analysis.tensors.zero_blocks import Blocks, best_blocks, lossless_blocks, may_pay
from micronet_verify.facts.formats import numpy_dtype

Array = NDArray[Any]
T = TypeVar("T")
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
        self._remembered: dict[Hashable, Any] = {}
        self._blocks: dict[int, Blocks | None] = {}

    def remember(self, key: Hashable, find: Callable[[], T]) -> T:
        """What ``find`` made of these facts when it was first asked for under ``key``."""
        if key not in self._remembered:
            self._remembered[key] = find()
        found: T = self._remembered[key]
        return found

    def rule_out(self, grid: bool, half: bool) -> None:
        """Keep what was proved from a few values: that the tensor lies on no ``grid``, that fp16 (``half``) does not hold it."""
        if grid:
            self.grids = ()
        if half:
            self.exact_half = False

    def without_zeros(self, distinct: int) -> None:
        """Keep that no value is zero, and how many ``distinct`` values there are (no matter where codebooks are out)."""
        self._dense = True
        if self.constant.row_scale is None:
            self.nonzeros = self.constant.numel
            self.least_distinct = (distinct, distinct) if distinct < self.constant.numel else None

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
        found = [grid for name, grid in self.grids if grid is not None and grid.whole and name not in inside]
        return min(found, key=lambda grid: (grid.multiply_bits, grid.groups)) if found else None

    def grid_of(self, kind: str) -> Grid:
        """The grid of this ``kind``, which there has to be."""
        return next(grid for name, grid in self.grids if name == kind and grid is not None)

    def group_axes(self, kind: str) -> tuple[int, ...]:
        """The axes whose slices have scales of their own on a grid of this ``kind``."""
        codes = self.constant.codes
        if kind != "grid per channel":
            return ()
        return (codes.axis,) if codes is not None and codes.axis >= 0 else self.axes

    @cached_property
    def grids(self) -> Grids:
        """The grids on which the values lie, by kind: one for the tensor, one per channel or per block."""
        return grids_of(self.constant, self.axes)

    @cached_property
    def rows(self) -> int:
        return row_count(self.constant, self.axes)

    @property
    def grid_axes(self) -> tuple[int, ...]:
        """The axes along which slices may have scales of their own: none where a slice is a single value."""
        return grid_axes(self.constant, self.axes)

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
    def least_distinct(self) -> tuple[int, int] | None:
        """Lower bounds of ``distinct``, from a few values; ``None`` where there is no codebook."""
        constant, codes = self.constant, self.constant.codes
        if constant.row_scale is not None:
            return None
        if codes is not None:
            return scan.count_distinct(codes.values(_CORNER[: len(constant.shape)]).astype(numpy_dtype(constant.format)))
        flat = scan.flattened(constant.load())
        if any(grid for _, grid in self.grids):
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

    @cached_property
    def grid_of_few_bits(self) -> bool:
        """Whether values are so few that any of their combinations may come again by chance."""
        return any(grid is not None and grid.bits <= 4 for _, grid in self.grids)

    @cached_property
    def narrow_unscaled(self) -> bool:
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
