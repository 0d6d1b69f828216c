"""A graph after all passes, and what is true of it: what is priced, and what can be run to prove the price.

``rewrite`` takes a model whose operators have their names and does the rest for one reading: batch norms fold or stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from micronet_verify.analysis.permutations.find import Moved, find_moved
from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.analysis.rewrites.fold_batch_norm_back import Folded, Made
from micronet_verify.analysis.rewrites.named import Named, body_title, seen_by, with_bodies
from micronet_verify.analysis.rewrites.norms_that_stay import dear
from micronet_verify.analysis.rewrites.passes import Watch, norm_passes, run
from micronet_verify.analysis.tensors.constants import Array, Constant, derived
from micronet_verify.analysis.tensors.measurements import Measurements
from micronet_verify.analysis.tensors.storing import StorageCost
from micronet_verify.analysis.uses import needed_values
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Norms:
    """How batch norms are read (S7): they fold or stay, and of those that fold, the ones that make a value in ``kept`` stay."""

    fold: bool = True
    kept: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SharedFacts:
    """What all readings of a model share: its constants, what was measured of them, and weights with scales in them."""

    constants: Mapping[str, Constant]
    cost: StorageCost
    measured: Measurements = field(default_factory=Measurements)
    made: Made = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Around:
    """What is known around a body: widths of the values that it reads, those that the model was given, what a loop carries."""

    widths: Mapping[str, Width] = field(default_factory=dict)
    given: frozenset[str] = frozenset()
    turns: Pairs = ()
    title: str = ""


def rewrite(named: Named, shared: SharedFacts, norms: Norms, carried: Carried | None = None, watch: Watch | None = None) -> Rewritten:
    """One reading of a model. ``carried``: it is a step of a language model with these states."""
    return _rewritten(named, dict(shared.constants), shared, norms, carried, _Around(), watch)


def unmasked(rewritten: Rewritten) -> Rewritten:
    """The same where masks spare nothing (O15)."""
    bodies = {name: tuple(map(unmasked, inside)) for name, inside in rewritten.bodies.items()}
    return replace(rewritten, hidden=NOTHING_HIDDEN, bodies=bodies)


def dear_norms(rewritten: Rewritten, measured: Measurements, cost: StorageCost, per_word: Fraction) -> frozenset[str]:
    """Of the norms that were folded, here and in bodies, those that had better stay where weights need not be 16 bits wide."""
    inside = [dear_norms(body, measured, cost, per_word) for bodies in rewritten.bodies.values() for body in bodies]
    return dear(rewritten.graph, rewritten.norms, measured, cost, per_word).union(*inside)


def with_values(graph: Graph, constants: Mapping[str, Constant]) -> Graph:
    """The graph with a value for each constant that it reads, also for those that passes made: so it can be executed."""
    values = dict(graph.values)
    for name in (*graph.outputs, *(name for node in graph.nodes for name in node.inputs)):
        if name in constants and name not in values:
            constant = constants[name]
            values[name] = Value(name, constant.shape, constant.format, label=constant.label)
    return replace(graph, values=values)


def _rewritten(
    named: Named, constants: dict[str, Constant], shared: SharedFacts, read: Norms, carried: Carried | None, around: _Around,
    watch: Watch | None,
) -> Rewritten:  # fmt: skip
    editable, norms = EditableGraph(named.graph, constants, shared.cost, around.title), list[Folded]()
    run(editable, norm_passes(read.fold, read.kept, shared.made, shared.measured, norms), watch)
    graph = with_values(editable.graph, constants)
    states: Pairs = carried.pairs(graph) if carried else around.turns
    codes = follow_codes(graph, constants)
    widths = find_widths(graph, constants, codes, carried.widths(graph, constants, codes) if carried else around.widths)
    given = as_given(graph, constants, states, around.given)
    bodies: dict[str, tuple[Rewritten, ...]] = {}
    for node in graph.nodes:
        if node.bodies:
            inner, turns = widths, Pairs()
            if node.kind == "loop":
                inner = {**widths, **entering_widths(node, constants, widths)}
                turns = given_pairs(node, node.bodies[0], constants, given)
            bodies[node.outputs[0]] = tuple(
                _rewritten(body, constants, shared, read, None, _seen(body.graph, inner, given, turns, body_title(node, at)), watch)
                for at, body in enumerate(named.bodies[node.outputs[0]])
            )
    return Rewritten(
        graph=with_bodies(graph, {name: tuple(body.graph for body in inside) for name, inside in bodies.items()}),
        constants=constants,
        widths=widths,
        given=given,
        whole=whole_numbers(graph),
        hidden=hidden_elements(graph, constants),
        codes=codes,
        saturation=saturation(graph, constants, editable.readers),
        moved=find_moved(graph, constants, editable.readers),
        norms=tuple(norms),
        dead=named.dead,
        unused=named.unused,
        bodies=bodies,
        initial=tuple(_first(name, array) for name, array in carried.initial.items()) if carried else (),
    )


def _seen(body: Graph, widths: Mapping[str, Width], given: frozenset[str], turns: Pairs, title: str) -> _Around:
    return _Around(seen_by(body, widths), given.intersection(needed_values(body)), turns, title)


def _first(name: str, array: Array) -> Constant:
    return derived(f"initial state {name}", f"initial {name}", array, numeric_format(array.dtype.name))
