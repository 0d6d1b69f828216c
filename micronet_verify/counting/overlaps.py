"""Parts of one stored tensor that overlap: what they have in common is stored once (rules S2, S4)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.tensors.constants import Array, Constant
from micronet_verify.analysis.tensors.measured import Measured


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor in the list of what is stored: its facts, the module that first uses it, and how many ``signs`` of zeros are told."""

    measured: Measured
    scope: str
    note: str = ""
    signs: int = 0


@dataclass(frozen=True, slots=True)
class Twin:
    """A tensor that has the values ``of`` another, in its order or transposed."""

    stored: Stored
    of: Stored


@dataclass(slots=True)
class Overlaps:
    """``kept`` is stored tensor by tensor; of each of the ``groups`` one alternative is stored, the one of fewest bits.

    ``covered`` are parts of what is stored anyway: (label, scope, label of the tensor). ``twins`` are among them.
    """

    kept: list[Stored] = field(default_factory=list)
    groups: list[tuple[tuple[Stored, ...], ...]] = field(default_factory=list)
    covered: list[tuple[str, str, str]] = field(default_factory=list)
    twins: list[Twin] = field(default_factory=list)


def without_overlaps(tensors: Iterable[Stored]) -> Overlaps:
    """Slices of one tensor: those of a tensor that is stored whole cost nothing, overlapping ones their union or the whole."""
    found, parts = Overlaps(), dict[str, list[Stored]]()
    plain = {stored.measured.constant.key for stored in tensors if stored.measured.constant.row_scale is None}
    for stored in tensors:
        constant = stored.measured.constant
        if constant.whole is None or not constant.is_part or constant.row_scale is not None:
            found.kept.append(stored)
        elif constant.whole.key in plain:
            found.covered.append((constant.label, stored.scope, constant.whole.label))
        else:
            parts.setdefault(constant.whole.key, []).append(stored)
    for group in parts.values():
        together = _together(group) if len(group) > 1 else None
        if together is None:
            found.kept += group
        else:
            found.groups.append((*((one,) for one in together), tuple(group)))
            label = together[0].measured.constant.label
            found.covered += [(stored.measured.constant.label, stored.scope, f"a part of {label}") for stored in group]
    return found


def _together(group: list[Stored]) -> tuple[Stored, Stored] | None:
    """The union of parts and the whole of which they are, as tensors; ``None`` where no parts overlap."""
    whole = group[0].measured.constant.whole
    assert whole is not None
    mask = np.zeros(whole.shape, np.bool_)
    for stored in group:
        from_whole = stored.measured.constant.from_whole
        view = None if from_whole is None else from_whole(mask)
        if view is None or not np.may_share_memory(view, mask):
            return None  # a copy says nothing about where its elements lie
        view[...] = True
    if int(np.count_nonzero(mask)) == sum(stored.measured.constant.numel for stored in group):
        return None
    scope, axes = group[0].scope, group[0].measured.axes
    return Stored(_measured(_union(whole, mask), axes), scope, "overlapping parts"), Stored(
        _measured(whole, axes), scope, "overlapping parts"
    )


def _measured(constant: Constant, axes: tuple[int, ...]) -> Measured:
    return Measured(constant, axes if max(axes, default=-1) < len(constant.shape) else ())


def _union(whole: Constant, mask: NDArray[np.bool_]) -> Constant:
    """The elements that some part holds: a box of the whole where they are one, else in a row."""
    sides = [np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis))) for axis in range(mask.ndim)]
    box = tuple(slice(int(side[0]), int(side[-1]) + 1) for side in sides)
    count = int(np.count_nonzero(mask))
    if mask[box].size == count:
        return whole.viewed(mask[box].shape, lambda array: array[box], "[parts]")
    return whole.viewed((count,), lambda array: _picked(array, mask), "[parts]")


def _picked(array: Array, mask: NDArray[np.bool_]) -> Array:
    picked: Array = array[mask]
    return picked
