"""(a), run: the graph as translated, in float32 with its decisions kept, and in float64 with the same decisions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from micronet_verify.facts.graph import Graph
from micronet_verify.facts.nested import all_nodes
from micronet_verify.facts.proof import Compared
from micronet_verify.interpreter.node_call import Array
from micronet_verify.proof import translated
from micronet_verify.proof.decisions import Flipped, Held, Key, Recorder, Replay, may_decide
from micronet_verify.proof.runs import Given, Lane, Opened, Scales
from micronet_verify.proof.spread import Measure, apart, largest, levels_apart, spread_of
from micronet_verify.proof.terms import Terms

_HALF = 16
SENSITIVE = "entrant: hand in a network whose answers depend less on the last bits"


@dataclass(frozen=True, slots=True)
class Ran:
    """All rows, run in float32 and in float64. ``answers`` and ``exact`` [n, numbers].

    Of each row the ``decisions`` of float32 and the places of values on ``ties``; in ``settled`` rows float64 decided alike.
    """

    answers: Array
    exact: Array
    settled: int
    decisions: list[dict[Key, tuple[Array, ...]]]
    ties: list[dict[Key, NDArray[np.intp]]]


@dataclass(frozen=True, slots=True)
class First:
    """What came of it. ``flips``: the most that the last bits do, by way of decisions, to the answers of some rows."""

    ran: Ran
    spread: float
    noise: float
    limit: float
    compared: Compared
    flips: Callable[[NDArray[np.intp]], float] = lambda rows: 0.0


def _run(graph: Graph, constants: Opened, given: Given, scales: Scales) -> Ran:
    single, double = Lane(graph, constants), Lane(graph, constants, "float64")
    quantizes = any(node.kind == "quantize" for node in all_nodes(graph))
    answers, exact, changed = [], [], []
    decisions, ties = [], []
    for row in range(len(given.rows)):
        inputs = single.inputs(given, row)
        recorder = Recorder(Held(graph, inputs), scales, quantizes)
        answers.append(single.run(inputs, recorder))
        replay = Replay(recorder.decisions)
        exact.append(double.run(double.inputs(given, row), replay))
        changed.append(replay.changed)
        decisions.append(recorder.decisions)
        ties.append(recorder.ties)
    return Ran(answers=np.stack(answers), exact=np.stack(exact), settled=changed.count(0), decisions=decisions, ties=ties)


def run_first(graph: Graph, constants: Opened, given: Given, terms: Terms, random: np.random.Generator) -> First:
    """Run the graph on all rows and compare it with the framework. Raises ``interpreter.Missing``."""
    scales = Scales(graph, constants, lambda value: value.constant is not None)
    ran = _run(graph, constants, given, scales)
    found, spread = ran.answers, spread_of(ran.answers)
    if spread == 0:
        return First(ran=ran, spread=0.0, noise=0.0, limit=0.0, compared=_nothing_shown(given.rows))
    noise, level = float(apart(found, ran.exact, spread).max()), float(levels_apart(found, ran.exact).max())
    factor, cap = terms.factor, terms.cap
    if is_half(graph):  # float16 is rounded after every step: that is the yardstick, and what it may be
        factor, cap = terms.ratio, terms.spread
    limit = translated.allowed(noise, translated.floor_of(found, spread, factor), factor, cap)
    measure = Measure(spread, limit, max(limit * spread, factor * level, factor * translated.EPS * largest(found)))
    differences = measure.apart(given.answers, found)
    decided = any(may_decide(node, graph) for node in all_nodes(graph))

    def flips(rows: NDArray[np.intp]) -> float:
        return _flips(graph, constants, given, found, measure, rows, random, scales) if decided and rows.size else 0.0

    compared = translated.decide(differences, limit, ran.settled, flips(np.flatnonzero(differences > limit)), decided, terms.factor)
    if compared.outcome == "differs" and factor * noise > cap:  # its own rounding moves the answers further than is allowed
        compared = replace(compared, advice=SENSITIVE)
    if compared.outcome == "holds" and noise > cap:
        words = f"rounding to float32 alone moves answers by {noise:.2g} of the spread between examples, and {cap:g} is the most allowed"
        compared = replace(compared, outcome="unproved", words=words, advice=SENSITIVE)
    return First(ran=ran, spread=spread, noise=noise, limit=limit, compared=compared, flips=flips)


def is_half(graph: Graph) -> bool:
    """Whether floats narrower than float32 are computed."""
    return any(
        graph.values[name].format.family == "float" and graph.values[name].format.bits <= _HALF
        for node in graph.nodes
        if node.kind not in ("move", "permute", "lookup", "dequantize")
        for name in node.outputs
        if name in graph.values
    )


def _nothing_shown(rows: Array) -> Compared:
    n = len(rows)
    if all(np.array_equal(row, rows[0]) for row in rows):  # no network could answer these differently
        words = f"{n} examples that are all the same, so that nothing can be compared"
        return Compared("unproved", 0.0, 0.0, words, advice="organizers: the inputs of the data set should differ")
    words = f"the same answer to all {n} examples, so that nothing can be compared"
    return Compared("differs", 0.0, 0.0, words, advice="entrant: hand in a network whose answers depend on its input")


def _flips(
    graph: Graph,
    constants: Opened,
    given: Given,
    answers: Array,
    measure: Measure,
    rows: NDArray[np.intp],
    random: np.random.Generator,
    scales: Scales,
) -> float:
    """The most that the last bits did to the answers of ``rows`` by way of decisions: in float64, and with codes on ties flipped."""
    most = 0.0
    free = Lane(graph, constants, "float64").all(given) if given.begins else None
    for row in rows.tolist():
        lane = Lane(graph, constants, "float64")
        alone = free[row] if free is not None else lane.run(lane.inputs(given, row))
        most = max(most, float(measure.apart(alone[None], answers[row][None])[0]))
        if given.begins:
            continue  # a text goes on with the states that flips leave: float64 says what they do
        seed = int(random.integers(1 << 62))
        for others in (False, True):  # each tie falls to its other side in one of them
            lane = Lane(graph, constants)
            inputs = lane.inputs(given, row)
            flipped = lane.run(inputs, Flipped(Held(graph, inputs), scales, np.random.default_rng(seed), others))
            most = max(most, float(measure.apart(flipped[None], answers[row][None])[0]))
    return most
