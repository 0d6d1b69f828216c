"""(b), run: the graph as it is priced, with every constant rebuilt from what the ledger charges, against the graph as translated.

In the quantized regime both must agree as (a) does. Under the freebie what is charged says less than the file holds, so the
yardstick is what rounding to 11 bits does when it is done by chance: the charged network may differ ``ratio`` times as much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from micronet_verify.analysis.tensors.mantissa import rounded
from micronet_verify.analysis.values.width import Width
from micronet_verify.facts.graph import Graph, Node
from micronet_verify.facts.nested import all_nodes, all_values
from micronet_verify.facts.proof import Compared
from micronet_verify.interpreter.node_call import Array
from micronet_verify.interpreter.run import Watch
from micronet_verify.proof import translated
from micronet_verify.proof.accumulators import Accumulator, Sums
from micronet_verify.proof.decisions import Taken, may_decide
from micronet_verify.proof.first import First, is_half
from micronet_verify.proof.freebie import Rounding, marked
from micronet_verify.proof.narrow import Narrow
from micronet_verify.proof.runs import Given, Lane, Opened, Scales, depends_on_inputs
from micronet_verify.proof.spread import apart, apart_in_the_mean
from micronet_verify.proof.terms import Terms

# Stochastic runs, and more of them where comparisons and the like are decided.
RUNS, MORE_RUNS = 2, 6
# By how much a single example may exceed what the others show of rounding, beside their mean.
SINGLE = 2.0


@dataclass(frozen=True)
class Priced:
    """The graph after all passes. ``constants`` gives each one as it is stored, ``exact`` as the file has it.

    ``tables``: large ones that only look-ups read. ``initial``: the states before the first token, as stored. ``told``: what a constant was
    rebuilt from, ``""`` for what is none. ``widths``: of values that are narrower than their format, as they are priced. ``granted``:
    accumulators of fewer than 32 bits. ``forget`` lets go of constants that were rebuilt.
    """

    graph: Graph
    constants: Opened
    exact: Opened
    tables: frozenset[str] = frozenset()
    initial: tuple[Array, ...] | None = None
    told: Callable[[str], str] = lambda name: ""
    widths: Mapping[str, Width] = field(default_factory=dict)
    granted: Mapping[str, Accumulator] = field(default_factory=dict)
    forget: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Second:
    """What came of it. ``differences`` [n] from the graph as translated; ``taken`` of so many codes were its."""

    compared: Compared
    differences: Array
    taken: int = 0
    of: int = 0


def run_quantized(priced: Priced, first: First, given: Given, terms: Terms) -> Second:
    """Every value at the width at which it is charged; codes from (a) only on ties. Raises ``interpreter.Missing``."""
    lane = Lane(priced.graph, priced.constants, initial=priced.initial)
    free = depends_on_inputs(priced.graph)
    answers, taken, of, narrow = [], 0, 0, _narrow(priced)
    for row in range(len(given.rows)):
        codes = Taken(first.ran.decisions[row], first.ran.ties[row], free)
        answers.append(lane.run(lane.inputs(given, row), _both(codes, narrow)))
        taken, of = taken + codes.taken, of + codes.of
    found = np.stack(answers)
    differences = apart(found, first.ran.answers, first.spread)
    if narrow.wide:
        return Second(Compared("differs", float(differences.max()), first.limit, narrow.words, narrow.wide), differences, taken, of)
    # Codes were compared one by one; what a comparison or a place does is only bounded.
    others = any(
        may_decide(node, priced.graph) and node.kind != "quantize" and free.intersection(node.outputs) for node in all_nodes(priced.graph)
    )
    # In 16 bits each of both runs lies so far from what float64 gives, once constants are folded.
    limit = min(2 * first.limit, max(terms.spread, first.limit)) if is_half(priced.graph) else first.limit
    flips = first.flips(np.flatnonzero(differences > limit)) if others else 0.0
    return Second(translated.decide(differences, limit, first.ran.settled, flips, others, terms.factor), differences, taken, of)


def _narrow(priced: Priced) -> Narrow:
    values = all_values(priced.graph)
    halves = frozenset(name for name, value in values.items() if value.format.family == "float" and value.format.bits <= 16)
    scales = Scales(priced.graph, priced.constants, lambda value: value.id in {width.scale for width in priced.widths.values()})
    reads = {node.outputs[0]: node.inputs[:2] for node in all_nodes(priced.graph) if node.outputs[0] in priced.granted}
    sums = Sums(priced.granted, frozenset(name for names in reads.values() for name in names)) if reads else None
    return Narrow(priced.widths, scales, halves, sums)


def _both(codes: Taken, narrow: Narrow) -> Watch:
    def watch(node: Node, results: tuple[Array, ...]) -> tuple[Array, ...]:
        results = codes(node, results)
        narrow.see(node, results)
        return results

    return watch


def run_freebie(priced: Priced, first: First, given: Given, terms: Terms, random: np.random.Generator) -> Second:
    """Constants and operands of multiplications at 11 bits of mantissa. Raises ``interpreter.Missing``.

    What rounding does is measured on the constants of the file, in the same graph: whatever is lost on the way to what is charged is no
    part of the yardstick.
    """
    graph = marked(priced.graph, priced.tables)

    def run(opened: Opened, source: np.random.Generator | None) -> Array:
        rounding = Rounding(opened, priced.tables, source, settled=opened is priced.constants)
        initial = None if priced.initial is None else tuple(rounded(state, source) for state in priced.initial)
        return Lane(graph, rounding.constants, initial=initial).all(given, rounding)

    found = run(priced.constants, None)
    priced.forget()
    exact = Lane(priced.graph, priced.exact).all(given)
    tried = [run(priced.exact, random) for _ in range(RUNS)]
    differences = apart_in_the_mean(found, first.ran.answers, first.spread)
    chances = np.stack([apart_in_the_mean(one, exact, first.spread) for one in tried])
    compared = decide(differences, chances, first.limit, terms)
    if compared.outcome == "differs" and any(may_decide(node, priced.graph) for node in all_nodes(priced.graph)):
        # A comparison near its bound turns out otherwise seldom, and then does much: chance has more tries before it explains nothing.
        tried = [apart_in_the_mean(run(priced.exact, random), exact, first.spread) for _ in range(MORE_RUNS)]
        compared = decide(differences, np.concatenate([chances, np.stack(tried)]), first.limit, terms)
    return Second(compared, differences)


def decide(differences: Array, chances: Array, limit: float, terms: Terms) -> Compared:
    """``differences`` [n] of the charged network; ``chances`` [runs, n] of stochastic rounding. All root mean squares of an example's
    answers, in spreads between examples.
    """
    if not np.isfinite(chances).all() or not np.isfinite(differences).all():
        return Compared("differs", float("inf"), limit, "infinite numbers or NaN at 16 bits, where the file has finite ones")
    mean, spread = float(np.sqrt(np.mean(np.square(differences)))), float(np.sqrt(np.max(np.mean(np.square(chances), axis=1))))
    allowed = max(terms.ratio * spread, limit)
    worst, most = float(differences.max()), max(terms.ratio * SINGLE * float(chances.max()), limit)
    if spread > terms.spread:
        words = (
            f"answers that rounding to 16 bits moves by {spread:.2g} of the spread between examples; at most {terms.spread:g} is allowed"
        )
        return Compared("differs", spread, terms.spread, words)
    if mean > allowed:
        return Compared("differs", mean, allowed, _words(mean, allowed))
    if worst > most:
        return Compared("differs", worst, most, _words(worst, most))
    return Compared("holds", mean, allowed)


def _words(found: float, allowed: float) -> str:
    return f"different answers: they differ by {found:.2g} of the spread between examples, and rounding to 16 bits explains {allowed:.2g}"
