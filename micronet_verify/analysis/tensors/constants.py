"""Constants as the computation sees them: bytes in the artifact, seen through moves, masks, scales and casts.

Arithmetic among constants alone is done once, when a model is loaded, so its *result* is what inference needs: a mask
multiplied into a weight leaves a sparse weight, ``g·v/‖v‖`` leaves a weight, an int8 tensor times its scale leaves
values on a grid. Arithmetic whose result is larger than what it was made from is not folded: it would make weights
from nothing, and is charged as work per example (``analysis/rewrites/fold_constants.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.facts.formats import FLOAT32, NumericFormat, numpy_dtype
from micronet_verify.facts.graph import Shape

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Codes:
    """Integer codes of a constant that a graph dequantizes: value = (code − zero point) · scale.

    ``load`` gives code − zero point as integers, ``scales`` one number per group; ``axis`` and ``block`` say which
    slice of the tensor a group is (axis -1: the whole tensor). ``bits`` is the declared width of a code.
    """

    load: Callable[[], Array]
    scales: Array
    axis: int
    block: int
    bits: int
    zero_points: int = 0

    def spread(self, scales: Array, shape: Shape) -> Array:
        """``scales``, in the arrangement of this tensor's own, one for each value."""
        if self.axis < 0 or scales.size == 1:
            return scales.reshape(-1)[:1].reshape(())
        if self.block:
            return np.repeat(scales, self.block, self.axis)[tuple(slice(size) for size in shape)]
        extents = [1] * len(shape)
        extents[self.axis] = -1
        return scales.reshape(extents)

    def values(self, part: tuple[slice, ...]) -> Array:
        """What the codes of a part of the tensor stand for; a slice for each axis."""
        data, axis, scales = self.load()[part], self.axis, self.scales
        if axis < 0 or scales.size == 1:
            return data * scales.reshape(-1)[:1]
        if self.block:
            places = np.arange(part[axis].stop)[part[axis]][: data.shape[axis]]
            near = tuple(slice(None) if at == axis else piece for at, piece in enumerate(part))
            return data * scales[near].take(places // self.block, axis)
        shape = [1] * data.ndim
        shape[axis] = -1
        found: Array = data * scales.reshape(-1)[part[axis]].reshape(shape)
        return found


@dataclass(frozen=True)
class Constant:
    """A tensor whose value no input can change.

    ``key`` identifies what is stored: two constants of one key are stored once (rule S4), however they are viewed.
    ``load`` gives the values as this use of it sees them. ``row_scale`` multiplies slices of ``row_axis`` (batch
    normalisation folded into a weight, rule S7) without touching the values. A view of a stored tensor names the
    ``whole``, out of which ``from_whole`` takes it; ``is_part``: it is not all of it. ``unscaled``: whole numbers of the program itself,
    whose grid needs no scale. Where ``parts`` are stored instead, ``join`` makes the values of theirs.
    """

    key: str
    label: str
    shape: Shape
    format: NumericFormat
    load: Callable[[], Array]
    codes: Codes | None = None
    row_scale: Array | None = None
    row_axis: int = 0
    parts: tuple[Constant, ...] = field(default=())
    whole: Constant | None = None
    from_whole: Callable[[Array], Array] | None = None
    is_part: bool = False
    unscaled: bool = False
    join: Callable[[Sequence[Array]], Array] | None = None

    @property
    def numel(self) -> int:
        return prod(self.shape)

    @cached_property
    def number(self) -> float:
        """The value of a constant of one element."""
        return float(np.asarray(self.load(), dtype=np.float64).reshape(-1)[0])

    def viewed(self, shape: Shape, view: Callable[[Array], Array], suffix: str = "") -> Constant:
        """The same stored values in another arrangement; ``suffix`` makes it another stored tensor (a slice)."""
        load, codes = self.load, None
        if self.codes is not None and self.codes.axis < 0:
            inner = self.codes
            codes = Codes(lambda: view(inner.load()), inner.scales, -1, 0, inner.bits, inner.zero_points)
        inside = self.from_whole

        def from_whole(array: Array) -> Array:
            return view(inside(array) if inside is not None else array)

        found = Constant(self.key + suffix, self.label, shape, self.format, lambda: view(load()), codes, parts=self.parts)
        return replace(
            found, whole=self.whole or self, from_whole=from_whole, is_part=self.is_part or bool(suffix), join=self._joined(view)
        )

    def _joined(self, view: Callable[[Array], Array]) -> Callable[[Sequence[Array]], Array] | None:
        join = self.join
        return None if join is None else lambda arrays: view(join(arrays))


def values_of(constant: Constant) -> Array:
    """The values in double precision, ``row_scale`` applied; meant for small tensors (biases, statistics)."""
    data = np.asarray(constant.load(), dtype=np.float64)
    if constant.row_scale is None:
        return data
    shape = [1] * data.ndim
    shape[constant.row_axis] = -1
    scaled: Array = data * constant.row_scale.reshape(shape)
    return scaled


def computed(constant: Constant, fmt: NumericFormat) -> Array:
    """The values as a node computes with them, in ``fmt``: ``row_scale`` applied, and then in fp32 at least."""
    if constant.row_scale is None:
        return np.asarray(constant.load()).astype(numpy_dtype(fmt), copy=False)
    return values_of(constant).astype(numpy_dtype(fmt if fmt.bits > FLOAT32.bits else FLOAT32))


def derived(key: str, label: str, array: Array, fmt: NumericFormat = FLOAT32) -> Constant:
    """A small constant computed here, held in memory, rounded to its format if that is one of floats."""
    if fmt.family == "float" and array.dtype.kind == "f":
        with np.errstate(over="ignore"):
            array = np.asarray(array, numpy_dtype(fmt))
    return Constant(key, label, tuple(array.shape), fmt, lambda: array)
