"""Runs of one graph over the examples of a proof: each by itself or, of a language model, token after token with its states."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from micronet_verify.facts.graph import Graph, Value
from micronet_verify.facts.nested import all_values
from micronet_verify.interpreter.node_call import Array
from micronet_verify.interpreter.run import Plan, Watch, execute, plan_of

Opened = Callable[[Value], Array]


@dataclass(frozen=True)
class Given:
    """``rows``: what the model was fed, [n, …]. ``answers``: what the framework answered, [n, …].

    ``begins``: of a language model, the rows before which it has the ``states`` [len(begins)] and not those of the row before.
    """

    rows: Array
    answers: Array
    begins: tuple[int, ...] = ()
    states: tuple[tuple[Array, ...], ...] = ()


@dataclass
class Lane:
    """One graph with its constants, in one precision, and the states it has. ``initial``: states in place of those of row 0."""

    graph: Graph
    constants: Opened
    precision: Literal["float32", "float64"] = "float32"
    initial: tuple[Array, ...] | None = None
    taken: dict[str, int] = field(default_factory=dict)
    _states: tuple[Array, ...] = ()
    _plan: Plan | None = None

    def inputs(self, given: Given, row: int) -> dict[str, Array]:
        """What goes into the graph for this row."""
        first = self.graph.values[self.graph.inputs[0]]
        if row in given.begins:
            at = given.begins.index(row)
            self._states = self.initial if row == 0 and self.initial is not None else given.states[at]
        fed = np.asarray(given.rows[row]).reshape(first.shape)
        return {first.id: fed, **dict(zip(self.graph.inputs[1:], self._states, strict=True))}

    def run(self, inputs: Mapping[str, Array], watch: Watch | None = None) -> Array:
        """The answer, flat."""
        self._plan = self._plan or plan_of(self.graph, self.precision)
        outputs = execute(self.graph, self.constants, inputs, precision=self.precision, watch=watch, taken=self.taken, plan=self._plan)
        if len(self.graph.inputs) > 1:
            self._states = outputs[1:]
        return np.asarray(outputs[0], np.float64).reshape(-1)

    def all(self, given: Given, watch: Watch | None = None) -> Array:
        """The answers to all rows, [n, numbers]."""
        return np.stack([self.run(self.inputs(given, row), watch) for row in range(len(given.rows))])


class Scales(Mapping[str, Array]):
    """Constants by id, opened when asked for."""

    def __init__(self, graph: Graph, constants: Opened, known: Callable[[Value], bool]) -> None:
        self._values = {name: value for name, value in all_values(graph).items() if known(value)}
        self._constants = constants

    def __getitem__(self, name: str) -> Array:
        return self._constants(self._values[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def depends_on_inputs(graph: Graph, around: frozenset[str] = frozenset()) -> frozenset[str]:
    """The values that some input reaches, in bodies too; ``around`` a body are those that are reached outside."""
    free = {*graph.inputs, *around}
    for node in graph.nodes:
        inside = [depends_on_inputs(body, frozenset(free)) for body in node.bodies]
        given = any(free.intersection(node.inputs)) or any(
            found.intersection(body.outputs) for found, body in zip(inside, node.bodies, strict=True)
        )
        if given:
            free.update(name for name in node.outputs if name)
        free.update(*inside)
    return frozenset(free)
