"""Branches and loops as they run: plain Python around the functions of their bodies, on one example at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from micronet_verify_pytorch.source import Function

List = Sequence[Any]


def cond(bodies: Sequence[Function], note: Callable[[int], None]) -> Callable[[Any, List], tuple[Any, ...]]:
    """The first body where the predicate holds; ``note`` is told which."""

    def run(predicate: Any, operands: List) -> tuple[Any, ...]:
        index = 0 if bool(predicate) else 1
        note(index)
        return bodies[index](*operands)

    return run


def while_loop(test: Function, body: Function) -> Callable[[List, List], tuple[Any, ...]]:
    def run(state: List, others: List) -> tuple[Any, ...]:
        while bool(test(*state, *others)[0]):
            state = body(*state, *others)
        return tuple(state)

    return run


def scan(body: Function) -> Callable[[List, List, List], tuple[Any, ...]]:
    """The last state, then what each turn adds, stacked."""

    def run(state: List, sequences: List, others: List) -> tuple[Any, ...]:
        rows = []
        for slices in zip(*(sequence.unbind(0) for sequence in sequences), strict=True):
            found = body(*state, *slices, *others)
            state, row = found[: len(state)], found[len(state) :]
            rows.append(row)
        return (*state, *(torch.stack(parts) for parts in zip(*rows, strict=True)))

    return run


def map_impl(body: Function) -> Callable[[List, List], tuple[Any, ...]]:
    """A scan without a state."""
    run = scan(body)
    return lambda sequences, others: run((), sequences, others)


LOOPS: Mapping[str, Callable[..., Callable[..., tuple[Any, ...]]]] = {"map_impl": map_impl, "scan": scan, "while_loop": while_loop}
