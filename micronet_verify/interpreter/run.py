"""Walks a neutral graph and computes its values, one example at a time, freeing each when it was last read.

The graph is one that ``facts.validate`` accepts. Nothing here depends on a framework, on prices or on where the constants
come from: the artifact as it is, or whatever form of it was charged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from micronet_verify.errors import BenchFault, Problem, SubmissionFault
from micronet_verify.facts.formats import NumericFormat
from micronet_verify.facts.graph import Graph, Node, Value
from micronet_verify.facts.nested import branch_ids
from micronet_verify.facts.shapes import integer
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.facts.validate import place
from micronet_verify.interpreter.kinds import FUNCTIONS
from micronet_verify.interpreter.node_call import ABSENT, Array, Function, Missing, NodeCall, call_of, number_type, settled

__all__ = ["Array", "Missing", "Plan", "Watch", "constants_of", "execute", "plan_of"]

Watch = Callable[[Node, tuple[Array, ...]], tuple[Array, ...]]
"""Sees each node's results, also in bodies, and hands on these or others."""
Constants = Callable[[Value], Array] | Mapping[str, Array]
# Kinds that hand elements on as they are: a stored constant stays in its own dtype, so that no copy of it is made.
_HANDING_ON = frozenset({"move", "permute", "lookup"})
_BODIES = frozenset({"branch", "loop"})


def constants_of(store: ConstantStore) -> Callable[[Value], Array]:
    """Opens constants where they lie in the artifact; no copy is made."""

    def opened(value: Value) -> Array:
        assert value.constant is not None
        return store.open(value.constant, value.shape, value.format, value.label)

    return opened


def execute(
    graph: Graph,
    constants: Constants,
    inputs: Mapping[str, Array],
    *,
    precision: Literal["float32", "float64"] = "float32",
    watch: Watch | None = None,
    taken: dict[str, int] | None = None,
    plan: Plan | None = None,
) -> tuple[Array, ...]:
    """The outputs of ``graph`` for one example: ``inputs`` by the ids of the graph's inputs, in their shapes.

    ``float32``: every result is rounded to its format, and sums are accumulated in float32 as frameworks do it. ``float64``:
    floats are float64 and not rounded, but for casts and the quotients of quantizers. Floats come back as float32 (or
    float64), integers in their formats. ``taken`` receives which body each branch took, by its ``id``; −1: it was not reached.
    ``plan``: of this graph in this precision (``plan_of``), where it is run more than once.

    Raises ``Missing`` for an operator that there is no function for, ``SubmissionFault`` for indices outside of their axis
    and results of another shape than the graph says, ``BenchFault`` for inputs that do not fit the graph.
    """
    run = _Run(constants if callable(constants) else _by_id(constants), precision == "float64", watch, taken)
    plan = plan or plan_of(graph, precision)
    values: dict[str, Array] = {}
    for name in graph.inputs:
        value = graph.values[name]
        given = inputs.get(name)
        if given is None or given.shape != value.shape:
            got = "nothing" if given is None else f"an input of shape {given.shape}"
            raise BenchFault(Problem(f"{got} for {value.label or name}", f"be of shape {value.shape}", "interpreter"))
        values[name] = given.astype(number_type(value.format, run.double), copy=False)
    if taken is not None:
        for name in branch_ids(graph):
            taken.setdefault(name, -1)
    with np.errstate(all="ignore"):
        outputs = run.graph(plan, values)
        return tuple(np.asarray(array, number_type(fmt, run.double)) for array, fmt in zip(outputs, _formats(graph), strict=True))


def _by_id(constants: Mapping[str, Array]) -> Callable[[Value], Array]:
    return lambda value: constants[value.id]


def _formats(graph: Graph) -> list[NumericFormat]:
    return [graph.values[name].format for name in graph.outputs]


@dataclass(frozen=True, slots=True)
class _Planned:
    """A node ready to run: its call and function, constants to open before it, values that nobody reads after it, its bodies."""

    call: NodeCall
    function: Function | None
    opened: tuple[Value, ...]
    freed: tuple[str, ...]
    bodies: tuple[Plan, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything about a run of one graph or body that does not depend on values."""

    graph: Graph
    nodes: tuple[_Planned, ...]
    opened: tuple[Value, ...]
    captured: frozenset[str]


def plan_of(graph: Graph, precision: Literal["float32", "float64"] = "float32") -> Plan:
    """How ``graph`` is run. Raises ``Missing`` for an operator that there is no function for."""
    return _Planning(precision == "float64").planned(graph)


class _Planning:
    def __init__(self, double: bool) -> None:
        self.double = double
        self._values: dict[str, Value] = {}  # of the graph and of all bodies: ids are unique

    def planned(self, graph: Graph, is_body: bool = False) -> Plan:
        """The graph with everything decided that does not depend on values. Constants of bodies are opened by the outermost node."""
        values = self._values
        values.update(graph.values)
        bodies = [tuple(self.planned(body, True) for body in node.bodies) for node in graph.nodes]
        reads = [
            {name for name in node.inputs if name}.union(*(body.captured for body in inner))
            for node, inner in zip(graph.nodes, bodies, strict=True)
        ]
        last: dict[str, int] = {}
        for at, names in enumerate(reads):
            last.update(dict.fromkeys([*names, *(name for name in graph.nodes[at].outputs if name)], at))
        kept = set(graph.outputs)
        steps, open_now = [], set(graph.inputs)
        inside = {name for node in graph.nodes for name in node.outputs} | set(graph.inputs)
        for at, node in enumerate(graph.nodes):
            fresh = [] if is_body else sorted(name for name in reads[at] if name not in inside and name not in open_now)
            open_now.update(fresh)
            freed = tuple(name for name in (*sorted(reads[at]), *node.outputs) if name and last[name] == at and name not in kept)
            if is_body:
                freed = tuple(name for name in freed if name in inside)
            steps.append(self._planned_node(node, tuple(values[name] for name in fresh), freed, bodies[at]))
        left = () if is_body else tuple(graph.values[name] for name in graph.outputs if name not in inside and name not in open_now)
        captured = frozenset().union(kept, *reads) - inside
        return Plan(graph, tuple(steps), left, captured)

    def _planned_node(self, node: Node, opened: tuple[Value, ...], freed: tuple[str, ...], bodies: tuple[Plan, ...]) -> _Planned:
        function = FUNCTIONS.get(node.kind)
        if function is None and node.kind not in _BODIES:
            raise Missing(node, node.kind)
        values = self._values
        formats = [values[name].format if name else None for name in node.inputs]
        results = [values[name] if name else None for name in node.outputs]
        return _Planned(call_of(node, formats, results, self.double), function, opened, freed, bodies)


class _Run:
    def __init__(self, constants: Callable[[Value], Array], double: bool, watch: Watch | None, taken: dict[str, int] | None) -> None:
        self._constants, self.double, self._watch, self._taken = constants, double, watch, taken

    def graph(self, plan: Plan, values: dict[str, Array]) -> tuple[Array, ...]:
        for planned in plan.nodes:
            for value in planned.opened:
                values[value.id] = self._constants(value)
            self._node(planned, values)
            for name in planned.freed:
                values.pop(name, None)
        for value in plan.opened:
            values[value.id] = self._constants(value)
        return tuple(values[name] for name in plan.graph.outputs)

    def _node(self, planned: _Planned, values: dict[str, Array]) -> None:
        call, node = planned.call, planned.call.node
        operands = [values[name] if name else ABSENT for name in node.inputs]
        if node.kind == "branch":
            results = self._branch(planned, operands, values)
        elif node.kind == "loop":
            results = self._loop(planned, operands, values)
        else:
            results = self._computed(planned, operands)
        for result, value in zip(results, call.results, strict=False):
            if value is not None and result.shape != value.shape:
                raise SubmissionFault(Problem(f"a result of shape {result.shape}", f"be {value.shape}", place(node)))
        if self._watch is not None:
            results = self._watch(node, results)
        values.update((name, result) for name, result in zip(node.outputs, results, strict=False) if name)

    def _computed(self, planned: _Planned, operands: list[Array]) -> tuple[Array, ...]:
        call, function = planned.call, planned.function
        assert function is not None
        try:
            found = function(call, operands)
        except IndexError as error:
            raise SubmissionFault(Problem(f"an index that is not there ({error})", "lie inside its axis", place(call.node))) from None
        results = found if isinstance(found, tuple) else (found,)
        if call.node.kind in _HANDING_ON:
            return results
        return tuple(
            result if value is None else settled(np.asarray(result), value.format, self.double)
            for result, value in zip(results, call.results, strict=False)
        )

    def _branch(self, planned: _Planned, operands: list[Array], values: dict[str, Array]) -> tuple[Array, ...]:
        """The body that the predicate chooses: the first where it holds."""
        node = planned.call.node
        chosen = 0 if bool(operands[0].reshape(-1)[0]) else 1
        if self._taken is not None and "id" in node.attributes:
            self._taken[str(node.attributes["id"])] = chosen
        return self._body(planned.bodies[chosen], (), values)

    def _loop(self, planned: _Planned, operands: list[Array], values: dict[str, Array]) -> tuple[Array, ...]:
        """``trips`` turns of the body: carried values from turn to turn, slices of scanned tensors in, collected results out."""
        attributes, body = planned.call.attributes, planned.bodies[0]
        trips, scans = integer(attributes, "trips"), integer(attributes, "scanned")
        carried, scanned = operands[: len(operands) - scans], operands[len(operands) - scans :]
        backward, collected_backward = _places(attributes.get("backward")), _places(attributes.get("collected_backward"))
        collected: list[list[Array]] = [[] for _ in range(len(body.graph.outputs) - len(carried))]
        for turn in range(trips):
            given = [np.asarray(turn, np.int64)] if attributes.get("turn") else []
            slices = [x[trips - 1 - turn if at in backward else turn] for at, x in enumerate(scanned)]
            found = self._body(body, (*given, *carried, *slices), values)
            carried = list(found[: len(carried)])
            for kept, result in zip(collected, found[len(carried) :], strict=True):
                kept.append(result)
        stacked = [
            np.stack(kept[::-1] if at in collected_backward else kept) if kept else self._none(planned, len(carried) + at)
            for at, kept in enumerate(collected)
        ]
        return (*carried, *stacked)

    def _none(self, planned: _Planned, at: int) -> Array:
        value = planned.call.results[at]
        assert value is not None
        return np.zeros(value.shape, number_type(value.format, self.double))

    def _body(self, plan: Plan, inputs: tuple[Array, ...], values: dict[str, Array]) -> tuple[Array, ...]:
        inner = {name: values[name] for name in plan.captured}
        inner.update(zip(plan.graph.inputs, inputs, strict=True))
        return self.graph(plan, inner)


def _places(attribute: object) -> tuple[int, ...]:
    return attribute if isinstance(attribute, tuple) else ()
