"""Proves a model file, or a graph built here, in this process: as the judge's step does, without an entry around it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.counting.analysed import analyse
from micronet_verify.counting.ledger import Ledger, Regime
from micronet_verify.counting.price import price
from micronet_verify.facts.graph import Graph
from micronet_verify.facts.proof import Compared, Proof
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.interpreter.run import constants_of, execute
from micronet_verify.proof.prove import prove
from micronet_verify.proof.runs import Given
from micronet_verify.proof.terms import Charge, Terms
from micronet_verify.track.rules import CountingRules
from tests.executed import predicted
from tests.translated import translated

Array = NDArray[Any]
PER_WORD = Fraction(62)


@dataclass(frozen=True)
class Proved:
    """A proof, and the ledger that it is about."""

    proof: Proof
    ledger: Ledger

    @property
    def found(self) -> Compared:
        """What was asked last: the graph as priced or, where that was not reached, the graph as translated."""
        return self.proof.priced or self.proof.translated

    @property
    def holds(self) -> bool:
        return self.proof.priced is not None and self.proof.priced.outcome == self.proof.translated.outcome == "holds"


def prove_graph(
    graph: Graph, store: ConstantStore, inputs: Array, answers: Array | None = None, regime: Regime | None = None,
    rules: CountingRules | None = None,
) -> Proved:  # fmt: skip
    """``inputs`` [n, …]; ``answers`` [n, …] of the framework, by default the interpreter's own. ``regime``: by default the freebie."""
    rules = rules or CountingRules()
    count = price(analyse(graph, store, per_word=PER_WORD), rules)
    regime = regime or next(iter(count.ledgers))
    found = own_answers(graph, store, inputs) if answers is None else answers
    proof = prove(graph, store, Given(inputs, found), Charge(rules, regime, PER_WORD), Terms(), np.random.default_rng(1))
    return Proved(proof, count.ledgers[regime])


def own_answers(graph: Graph, store: ConstantStore, inputs: Array) -> Array:
    """What the interpreter answers, [n, …]."""
    first, shape = graph.inputs[0], graph.values[graph.inputs[0]].shape
    return np.stack([execute(graph, constants_of(store), {first: row.reshape(shape)})[0] for row in inputs])


def prove_file(framework: str, path: Path, inputs: Array, regime: Regime | None = None, rules: CountingRules | None = None) -> Proved:
    """A model file against what its framework answers."""
    answers = predicted(framework, path, inputs)
    with tempfile.TemporaryDirectory() as folder:
        found = translated(framework, path, Path(folder))
        return prove_graph(found.graph, found.store, inputs, answers, regime, rules)
