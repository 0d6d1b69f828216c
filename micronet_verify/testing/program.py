"""Small networks in a neutral notation, which a plugin's author writes down in the format of his framework.

A ``Program`` is a list of steps; each reads the input ``x`` or what earlier steps made, by name. Tensors are [batch, …] with
the channels second, as numpy has them; a framework with another layout transposes on the way in and out, which is free.
What each operator computes is in ``micronet_verify.testing.operators``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]


class Unsupported(Exception):
    """Raised by an author's ``write`` for a program that his framework cannot say; the tests of that program are skipped."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One operator. ``inputs`` are names of earlier steps or ``x``; ``arrays`` its constants; ``options`` its numbers.

    ``bodies``: the steps of a ``branch`` (the first where its predicate holds, then the other) or of a ``loop``. A body reads
    the values around it by name, too, and its last step is its result.
    """

    op: str
    inputs: tuple[str, ...] = ("x",)
    arrays: Mapping[str, Array] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    name: str = "y"
    bodies: tuple[tuple[Step, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """A state of a language model's step: an input of shape [1, *shape] that starts as zeros and becomes what the step ``after`` made."""

    name: str
    shape: tuple[int, ...]
    after: str


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A network. ``shape`` is that of one example; ``words`` > 0 makes the input int64 word numbers below it, else float32.

    The output is the step ``y``. ``spread``: the standard deviation of the examples. ``unit``: where it is not 0, every number of the
    examples is a multiple of it, so that some lie in the middle between two codes: only for formats that round ties to even.
    ``states``: the program is a step of a language model, fed one word ``x`` [1] at a time; its outputs are ``y`` [1, words] and then the
    states, in their order. ``alike``: where the format allows it, nodes and tensors have one and the same name; elsewhere the names of
    the steps, which differ only in a mark.
    """

    name: str
    shape: tuple[int, ...]
    steps: tuple[Step, ...]
    words: int = 0
    spread: float = 1.0
    unit: float = 0.0
    states: tuple[State, ...] = ()
    alike: bool = False

    @property
    def operators(self) -> frozenset[str]:
        return frozenset(step.op for step in self.all_steps())

    @property
    def input_format(self) -> str:
        return "int64" if self.words else "float32"

    @property
    def branches(self) -> tuple[str, ...]:
        """Names of the steps that branch, outer ones before those in their bodies."""
        return tuple(step.name for step in self.all_steps() if step.op == "branch")

    def all_steps(self) -> Iterator[Step]:
        """Every step, also of bodies, in the order in which they are written."""
        yield from _walk(self.steps)


def _walk(steps: tuple[Step, ...]) -> Iterator[Step]:
    for step in steps:
        yield step
        for body in step.bodies:
            yield from _walk(body)


def pair(option: int | tuple[int, int]) -> tuple[int, int]:
    """The numbers for height and width of an option that is one for both, or a pair."""
    return (option, option) if isinstance(option, int) else option
