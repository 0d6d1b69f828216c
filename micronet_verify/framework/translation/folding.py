"""Which operators are arithmetic on shapes: ``Shape → Gather → Concat → Reshape`` describes a tensor, it is no work.

Only whole numbers and truth values of a few thousand elements take part. Floats that come up on the way (a scale times
a size, rounded) are followed too, but their nodes stay in the graph: constant arithmetic on data is the core's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from micronet_verify.framework.translation.limits import MOST_FLOATS, MOST_INTEGERS, SHAPE_TYPES
from micronet_verify.framework.translation.operand import Array, Operand, Results

Found = Array | list[Array] | None
"""Results of an operator; ``None`` where they are too big to be about shapes, so that the operator's own rule takes over."""
Fold = Callable[[Any, list[Array]], Found]
_FLOATS = frozenset(np.dtype(name) for name in ("float16", "float32", "float64"))
_SHAPES = frozenset(np.dtype(name) for name in SHAPE_TYPES)


@dataclass(frozen=True, slots=True)
class Folds:
    """Shape arithmetic of one format. ``arithmetic``: rules for known operands; ``descriptions``: rules that ask for shapes alone."""

    arithmetic: Mapping[str, Fold]
    descriptions: Mapping[str, Callable[[Any], Found]]


def fold(op: Any, kind: str, items: Results, folds: Folds) -> list[Array] | None:
    """The results of an operator whose operands are all known, or ``None`` where it is work or too big to be about shapes."""
    if kind in folds.descriptions:
        return described(folds.descriptions[kind](op))
    rule = folds.arithmetic.get(kind)
    if rule is None or not items:
        return None
    arrays: list[Array] = []
    for item in items:
        known = item.known if isinstance(item, Operand) else None
        if item is None:
            continue
        # Narrow integers are quantized values, not sizes.
        if known is None or not (is_shape(known) or known.dtype.kind == "f"):
            return None
        arrays.append(known)
    with np.errstate(all="ignore"):
        return described(rule(op, arrays))


def is_shape(array: Array) -> bool:
    """Whether an array is of a type in which shapes are described."""
    return array.dtype in _SHAPES


def described(found: Found) -> list[Array] | None:
    """Results, if every one of them is small and of a type that takes part."""
    results = [] if found is None else [np.asarray(array) for array in (found if isinstance(found, list) else [found])]
    for array in results:
        if not is_shape(array) and array.dtype not in _FLOATS:
            return None
        if array.size > (MOST_INTEGERS if is_shape(array) else MOST_FLOATS):
            return None
    return results or None


def fits(*shapes: Sequence[int]) -> bool:
    """Whether the broadcast is small: a few thousand rows against a few thousand columns are millions."""
    return prod(np.broadcast_shapes(*map(tuple, shapes))) <= MOST_INTEGERS
