"""A graph after all passes, and what is true of it: what is priced, and what can be run to prove the price.

``named`` does what no reading of the rules changes, once for a model: constants are folded, functions, products and masks get
their names. ``rewrite`` does the rest for one reading: batch norms fold or stay. Either gives a graph that computes what the
graph before it computed, with the constants of one pool, bodies included; ids are unique in a model, so one pool serves all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TypeVar

from micronet_verify.analysis.permutations.find import Moved, find_moved
from micronet_verify.analysis.rewrites.fold_batch_norm_back import Folded, Made, fold_batch_norms
from micronet_verify.analysis.rewrites.fold_batch_norm_forward import fold_batch_norms_forward
from micronet_verify.analysis.rewrites.fold_constants import Pool, fold
from micronet_verify.analysis.rewrites.hoist_numbers import hoist_numbers
from micronet_verify.analysis.rewrites.join_addends import join_addends
from micronet_verify.analysis.rewrites.matmul_from_sum import matmul_from_sum
from micronet_verify.analysis.rewrites.norms import name_norms
from micronet_verify.analysis.rewrites.norms_that_stay import dear
from micronet_verify.analysis.rewrites.recognize_batch_norms import recognize_batch_norms
from micronet_verify.analysis.rewrites.recognize_choices import recognize_choices
from micronet_verify.analysis.rewrites.recognize_functions import recognize_functions
from micronet_verify.analysis.rewrites.recognize_masks import recognize_masks
from micronet_verify.analysis.rewrites.recognize_scatters import recognize_scatters
from micronet_verify.analysis.rewrites.recognize_selections import recognize_selections
from micronet_verify.analysis.rewrites.recognize_softmaxes import recognize_softmaxes
from micronet_verify.analysis.rewrites.recognize_standardised import recognize_standardised
from micronet_verify.analysis.rewrites.recognize_sums import recognize_sums
from micronet_verify.analysis.rewrites.recognize_variances import recognize_variances
from micronet_verify.analysis.rewrites.remove_redundant import remove_redundant
from micronet_verify.analysis.rewrites.sink_slices import with_cuts
from micronet_verify.analysis.tensors.constants import Constant, derived
from micronet_verify.analysis.tensors.measurements import Measurements
from micronet_verify.analysis.tensors.storing import StorageCost
from micronet_verify.analysis.uses import needed_values, prune
from micronet_verify.analysis.values.carried_states import Carried
from micronet_verify.analysis.values.codes import CodeFacts, follow_codes
from micronet_verify.analysis.values.loop_inputs import Pairs, given_pairs
from micronet_verify.analysis.values.masked_elements import NOTHING_HIDDEN, Hidden, hidden_elements
from micronet_verify.analysis.values.model_inputs import as_given, whole_numbers
from micronet_verify.analysis.values.operand_widths import entering_widths, find_widths
from micronet_verify.analysis.values.saturation import Saturation, saturation
from micronet_verify.analysis.values.width import Width
from micronet_verify.facts.formats import numeric_format
from micronet_verify.facts.graph import Graph, Node, Value
from micronet_verify.facts.tensors import ConstantStore

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Named:
    """A graph whose operators have their names; ``bodies`` by the first result of their node.

    ``dead`` and ``unused``: nodes and stored values of the file on which no output depends.
    """

    graph: Graph
    dead: tuple[Node, ...]
    unused: tuple[Value, ...]
    bodies: Mapping[str, tuple[Named, ...]]


@dataclass(frozen=True)
class Rewritten:
    """A graph or a body as it is priced: it can be executed with ``constants``, and computes what the file computes.

    ``bodies`` by the first result of their node, whose own bodies are the graphs in them. ``norms`` were folded;
    ``moved`` says where elements change their order; ``initial`` are the states before the first token.
    """

    graph: Graph
    constants: Mapping[str, Constant]
    widths: Mapping[str, Width]
    given: frozenset[str]
    whole: frozenset[str]
    hidden: Hidden
    codes: CodeFacts
    saturation: Saturation
    moved: tuple[Moved, ...]
    norms: tuple[Folded, ...]
    dead: tuple[Node, ...]
    unused: tuple[Value, ...]
    bodies: Mapping[str, tuple[Rewritten, ...]]
    initial: tuple[Constant, ...] = ()


def named(graph: Graph, store: ConstantStore, cost: StorageCost) -> tuple[Named, Pool]:
    """The graph and its bodies with everything done that no reading of the rules changes, and the pool of constants."""
    pool: Pool = {}
    return _named(graph, store, cost, pool, {}), pool


def _named(graph: Graph, store: ConstantStore, cost: StorageCost, pool: Pool, around: Mapping[str, Value]) -> Named:
    live, dead = prune(replace(graph, values={**around, **graph.values}))
    folded = fold(live, store, pool)
    folded = recognize_choices(recognize_scatters(folded, pool), pool)
    folded = recognize_standardised(recognize_functions(prune(folded)[0], pool), pool)
    folded = recognize_softmaxes(recognize_variances(remove_redundant(folded, pool)))
    folded = recognize_masks(recognize_selections(matmul_from_sum(recognize_sums(hoist_numbers(folded, pool), pool)), pool), pool)
    folded = recognize_batch_norms(remove_redundant(join_addends(folded, pool, cost), pool), pool)
    needed = needed_values(live)
    unused = tuple(value for value in graph.values.values() if value.constant is not None and value.id not in needed)
    folded = prune(with_cuts(folded))[0]
    bodies = {
        node.outputs[0]: tuple(_named(body, store, cost, pool, seen_by(body, folded.values)) for body in node.bodies)
        for node in folded.nodes
        if node.bodies
    }
    return Named(
        _with_bodies(folded, {name: tuple(body.graph for body in inside) for name, inside in bodies.items()}), dead, unused, bodies
    )


def seen_by(body: Graph, around: Mapping[str, T]) -> dict[str, T]:
    """What is known of the values around a body that it reads."""
    return {name: around[name] for name in needed_values(body) if name in around}


def with_values(graph: Graph, constants: Mapping[str, Constant]) -> Graph:
    """The graph with a value for each constant that it reads, also for those that passes made: so it can be executed."""
    values = dict(graph.values)
    for name in (*graph.outputs, *(name for node in graph.nodes for name in node.inputs)):
        if name in constants and name not in values:
            constant = constants[name]
            values[name] = Value(name, constant.shape, constant.format, label=constant.label)
    return replace(graph, values=values)


def _with_bodies(graph: Graph, bodies: Mapping[str, tuple[Graph, ...]]) -> Graph:
    if not bodies:
        return graph
    nodes = tuple(replace(node, bodies=bodies[node.outputs[0]]) if node.bodies else node for node in graph.nodes)
    return replace(graph, nodes=nodes)


@dataclass(frozen=True, slots=True)
class Norms:
    """How batch norms are read (S7): they fold or stay, and of those that fold, the ones that make a value in ``kept`` stay."""

    fold: bool = True
    kept: frozenset[str] = frozenset()


def dear_norms(found: Rewritten, measured: Measurements, cost: StorageCost, per_word: Fraction) -> frozenset[str]:
    """Of the norms that were folded, here and in bodies, those that had better stay where weights need not be 16 bits wide (``worth``)."""
    inside = [dear_norms(body, measured, cost, per_word) for bodies in found.bodies.values() for body in bodies]
    return dear(found.graph, found.norms, measured, cost, per_word).union(*inside)


@dataclass(frozen=True, slots=True)
class Workshop:
    """What all readings of a model share: its constants, what was measured of them, and weights with scales in them."""

    constants: Mapping[str, Constant]
    cost: StorageCost
    measured: Measurements = field(default_factory=Measurements)
    made: Made = field(default_factory=dict)


def rewrite(found: Named, shared: Workshop, norms: Norms, carried: Carried | None = None) -> Rewritten:
    """One reading of a model. ``carried``: it is a step of a language model with these states."""
    return _rewritten(found, dict(shared.constants), shared, norms, carried, {}, frozenset())


def unmasked(found: Rewritten) -> Rewritten:
    """The same where masks spare nothing (O15)."""
    bodies = {name: tuple(map(unmasked, inside)) for name, inside in found.bodies.items()}
    return replace(found, hidden=NOTHING_HIDDEN, bodies=bodies)


def _rewritten(
    found: Named,
    pool: Pool,
    shared: Workshop,
    read: Norms,
    carried: Carried | None,
    around: Mapping[str, Width],
    outer: frozenset[str],
    turns: Pairs = (),
) -> Rewritten:
    graph, norms = found.graph, tuple[Folded, ...]()
    if read.fold:
        graph, norms = fold_batch_norms(graph, pool, read.kept, shared.made)
        graph, ahead = fold_batch_norms_forward(graph, pool, shared.measured, shared.cost)
        norms += ahead
    graph = with_values(name_norms(graph, pool), pool)
    states: Pairs = carried.pairs(graph) if carried else turns
    codes = follow_codes(graph, pool)
    wide = find_widths(graph, pool, codes, carried.widths(graph, pool, codes) if carried else around)
    given = as_given(graph, pool, states, outer)
    bodies: dict[str, tuple[Rewritten, ...]] = {}
    for node in graph.nodes:
        inner, turns = wide, ()
        if node.kind == "loop":
            inner, turns = {**wide, **entering_widths(node, pool, wide)}, given_pairs(node, node.bodies[0], pool, given)
        if node.bodies:
            inside = found.bodies[node.outputs[0]]
            bodies[node.outputs[0]] = tuple(
                _rewritten(body, pool, shared, read, None, seen_by(body.graph, inner), given.intersection(needed_values(body.graph)), turns)
                for body in inside
            )
    return Rewritten(
        _with_bodies(graph, {name: tuple(body.graph for body in inside) for name, inside in bodies.items()}),
        pool,
        wide,
        given,
        whole_numbers(graph),
        hidden_elements(graph, pool),
        codes,
        saturation(graph, pool),
        find_moved(graph, pool),
        norms,
        found.dead,
        found.unused,
        bodies,
        tuple(_first(name, array) for name, array in carried.initial.items()) if carried else (),
    )


def _first(name: str, array: object) -> Constant:
    return derived(f"initial state {name}", f"initial {name}", array, numeric_format(array.dtype.name))  # type: ignore[arg-type, attr-defined]
