"""The proof of one entry: its graph as translated, then its graph as priced, on the same examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from micronet_verify.analysis.values.carried_states import Carried
from micronet_verify.counting.analysed import Analysed, analyse
from micronet_verify.counting.forms.encoding import Undecodable
from micronet_verify.counting.rebuilt import Uncharged
from micronet_verify.facts.graph import Graph
from micronet_verify.facts.nested import all_nodes, all_values
from micronet_verify.facts.proof import Compared, Proof
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.facts.validate import place
from micronet_verify.interpreter.node_call import Array
from micronet_verify.interpreter.run import Missing, constants_of
from micronet_verify.proof.charged import charged
from micronet_verify.proof.first import First, is_half, run_first
from micronet_verify.proof.look import look
from micronet_verify.proof.runs import Given
from micronet_verify.proof.second import Priced, run_freebie, run_quantized
from micronet_verify.proof.terms import Charge, Terms


def prove(
    graph: Graph,
    store: ConstantStore,
    given: Given,
    charge: Charge,
    terms: Terms,
    random: np.random.Generator,
    initial: Mapping[str, Array] | None = None,
) -> Proof:
    """What came of running ``graph`` on what is ``given``. ``initial``: it is a step of a language model, and these states its file holds.

    Raises ``SubmissionFault`` where the graph says what cannot be computed.
    """
    count = len(given.rows)
    try:
        first = run_first(graph, constants_of(store), given, terms, random)
    except Missing as missing:
        return Proof(count, 0.0, 0, _missing(missing, "the graph"))
    if first.compared.outcome != "holds":
        return Proof(count, first.noise, first.ran.settled, first.compared)
    analysed = analyse(graph, store, None if initial is None else Carried(initial), charge.per_word)
    compared, taken, of = _priced(analysed, graph, store, first, given, charge, terms, random)
    return Proof(count, first.noise, first.ran.settled, first.compared, compared, taken, of)


def _priced(
    analysed: Analysed,
    graph: Graph,
    store: ConstantStore,
    first: First,
    given: Given,
    charge: Charge,
    terms: Terms,
    random: np.random.Generator,
) -> tuple[Compared, int, int]:
    try:
        priced = charged(analysed, charge)
        second = (
            run_freebie(priced, first, given, terms, random) if charge.regime == "freebie" else run_quantized(priced, first, given, terms)
        )
    except Missing as missing:
        return _missing(missing, "the graph as priced"), 0, 0
    except Uncharged as constant:
        words = f"a constant that no line of the ledger charges ({constant})"
        return Compared("differs", np.inf, 0.0, words, advice="organizers: a line is missing in the ledger, please report it"), 0, 0
    except Undecodable as why:
        words = f"the edition of the rules charges too little to rebuild the network from it: {why}"
        return (
            Compared("unproved", 0.0, 0.0, words, advice="organizers: another edition, or another value of its knob, can be proved"),
            0,
            0,
        )
    compared = second.compared
    if compared.outcome == "differs" and not compared.place:
        worst = int(np.argmax(second.differences))
        compared = look(compared, graph, constants_of(store), priced, given, worst, first)
        if is_half(graph) and _folds(priced, graph):
            words = f"{compared.words}; the file rounds to 16 bits where the count computes constants in advance, without these roundings"
            compared = replace(
                compared, outcome="unproved", words=words, advice="entrant: hand it in in float32, which costs the same under the freebie"
            )
    return compared, second.taken, second.of


def _folds(priced: Priced, graph: Graph) -> bool:
    """Whether the priced graph reads constants that the file does not hold: they were computed by folding."""
    stored = {name for name, value in all_values(graph).items() if value.constant is not None}
    return any(name not in stored and priced.told(name) for node in all_nodes(priced.graph) for name in node.inputs if name)


def _missing(missing: Missing, what: str) -> Compared:
    where = place(missing.node)
    words = f"{what} cannot be run, because the interpreter does not have {missing.what}"
    return Compared("unproved", 0.0, 0.0, words, where, advice="entrant: export without it, or ask the organizers to have it added")
