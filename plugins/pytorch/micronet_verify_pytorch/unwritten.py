"""Memory that ``empty`` hands out: nothing may read it before something is written there.

A decomposed graph fills such memory piece by piece, with slices that are scattered back into it. Which elements are still
unwritten is followed through those operators; any other that reads one is refused, because what lies there is anybody's guess.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.plugin import Problem, SubmissionFault, Value
from micronet_verify_pytorch.call import Call
from micronet_verify_pytorch.lines import Line
from micronet_verify_pytorch.names import Names
from micronet_verify_pytorch.ops_create import within
from micronet_verify_pytorch.ops_shape import slice_bounds

Mask = NDArray[np.bool_]
EMPTY = frozenset({"aten.empty", "aten.empty_like", "aten.new_empty"})


def follow(call: Call, result: Value) -> None:
    """Note what is unwritten in ``result``. Raises ``SubmissionFault`` where an operator reads what nobody wrote."""
    unwritten, base = call.scope.unwritten, call.kind
    if isinstance(call.step.line, Line) and call.step.line.changes:
        base = base.removesuffix("_")
    if base in EMPTY:
        within(call, result.numel)
        left = np.ones(result.shape, np.bool_)
    elif not any(value.id in unwritten for value in call.values()):
        return
    elif base in _RULES:
        left = _RULES[base](call, lambda value: unwritten.get(value.id, np.zeros(value.shape, np.bool_)))
    else:
        call.refuse("memory that nothing was written to", "be written before it is read", "begin with torch.zeros in place of empty")
    if left.any():
        unwritten[result.id] = left
    else:
        unwritten.pop(result.id, None)


def check_written(names: Names, value: Value) -> None:
    """Raises ``SubmissionFault`` for an answer that nobody wrote."""
    if value.id in names.unwritten:
        got = "an answer that holds memory to which nothing was written"
        raise SubmissionFault(Problem(got, "be written everywhere", names.builder.where))


Rule = Callable[[Call, Callable[[Value], Mask]], Mask]


def _same(call: Call, mask: Callable[[Value], Mask]) -> Mask:
    return mask(call.tensor())


def _copied(call: Call, mask: Callable[[Value], Mask]) -> Mask:
    return np.broadcast_to(mask(call.tensor("src")), call.tensor().shape)


def _filled(call: Call, mask: Callable[[Value], Mask]) -> Mask:
    return np.zeros(call.tensor().shape, np.bool_)


def _cut(call: Call) -> tuple[Any, ...]:
    axis = call.dim("dim", len(call.tensor().shape), 0)
    return (*(slice(None),) * axis, slice(*slice_bounds(call, call.tensor().shape[axis])))


def _place(call: Call) -> tuple[Any, ...]:
    return (*(slice(None),) * call.dim("dim", len(call.tensor().shape)), call.integer("index"))


def _taken(where: Callable[[Call], tuple[Any, ...]]) -> Rule:
    return lambda call, mask: mask(call.tensor())[where(call)]


def _put(where: Callable[[Call], tuple[Any, ...]]) -> Rule:
    def rule(call: Call, mask: Callable[[Value], Mask]) -> Mask:
        left = mask(call.tensor()).copy()
        left[where(call)] = mask(call.tensor("src"))
        return left

    return rule


_RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "aten.alias": _same,
        "aten.clone": _same,
        "aten.contiguous": _same,
        "aten.copy": _copied,
        "aten.detach": _same,
        "aten.fill": _filled,
        "aten.select": _taken(_place),
        "aten.select_scatter": _put(_place),
        "aten.slice": _taken(_cut),
        "aten.slice_scatter": _put(_cut),
        "aten.zero": _filled,
    }
)
