"""A model, analysed once: everything that has a price under some rules, and no price.

The few knobs that change the graph, or what has to be stored, are readings of their own, made when they are first
asked for; they share the constants and what was measured of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np

from micronet_verify.analysis.rewrites.named import Named, named
from micronet_verify.analysis.rewrites.passes import Watch
from micronet_verify.analysis.rewrites.rewritten import Norms, Rewritten, SharedFacts, dear_norms, rewrite, unmasked
from micronet_verify.analysis.tensors.measured import Measured
from micronet_verify.analysis.tensors.screen_many import screen_many
from micronet_verify.analysis.values.carried_states import Carried
from micronet_verify.analysis.values.integer_arithmetic import integer_arithmetic
from micronet_verify.analysis.values.peak_activations import PeakActivations, peak_activations
from micronet_verify.counting.forms.cheapest import CheapestForms
from micronet_verify.counting.formulas.dot_products import weight_of
from micronet_verify.counting.formulas.operands import Operands
from micronet_verify.counting.freebie import quantization
from micronet_verify.counting.inventory import Inventory
from micronet_verify.counting.ledger import Regime
from micronet_verify.counting.stock import take_stock
from micronet_verify.facts.graph import Graph, Value
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.facts.validate import place
from micronet_verify.track.rules import CountingRules

T = TypeVar("T")
# A tensor of more values is not looked through for zeros.
_LONGEST = 1 << 20
PER_WORD = Fraction(1_170_000_000, 6_900_000)
"""Operations per word of the challenge's image task: what a count is weighed with where no track says otherwise."""


class _Source(NamedTuple):
    """What was analysed, as ``analyse`` was given it."""

    graph: Graph
    store: ConstantStore
    carried: Carried | None
    per_word: Fraction


@dataclass(frozen=True)
class Analysed:
    """What ``analyse`` found. ``forfeited``: why the freebie is (S5), or an empty string.

    ``rewritten`` is the graph that is priced and can be run, ``stock`` what it needs stored; both under given rules, and kept.
    """

    forfeited: str
    _source: _Source
    _named: Named
    _shared: SharedFacts
    _watch: Watch | None = None
    _rewritten: dict[Norms, Rewritten] = field(default_factory=dict)
    _unmasked: dict[Norms, Rewritten] = field(default_factory=dict)
    _peaks: dict[bool, PeakActivations] = field(default_factory=dict)
    _stocks: dict[object, Inventory] = field(default_factory=dict)
    _zero: dict[str, bool] = field(default_factory=dict)
    _remembered: dict[object, Any] = field(default_factory=dict)

    def show_passes(self, rules: CountingRules, watch: Watch) -> None:
        """Run all passes once more, as each regime under ``rules`` has them, for ``watch`` to see the graph behind each."""
        again = analyse(*self._source, watch)
        regimes: list[Regime] = ["quantized"] if self.forfeited else ["freebie", "quantized"]
        for regime in regimes:
            again.rewritten(rules, regime)

    @property
    def graph(self) -> Graph:
        """The graph as the plugin translated it."""
        return self._source.graph

    def rewritten(self, rules: CountingRules, regime: Regime) -> Rewritten:
        """The graph, after all passes, as it is priced under ``rules`` in ``regime``."""
        norms = self._norms(rules, regime)
        found = self._as(norms)
        if rules.attention_mask == "skipped":
            return found
        if norms not in self._unmasked:
            self._unmasked[norms] = unmasked(found)
        return self._unmasked[norms]

    def _norms(self, rules: CountingRules, regime: Regime) -> Norms:
        if rules.batch_norm != "folded":
            return Norms(fold=False)
        return Norms(kept=self._dear) if regime == "quantized" else Norms()

    @cached_property
    def _dear(self) -> frozenset[str]:
        return dear_norms(self._as(Norms()), self._shared.measured, self._shared.cost, self._source.per_word)

    def _as(self, norms: Norms) -> Rewritten:
        if norms not in self._rewritten:
            found = rewrite(self._named, self._shared, norms, self._source.carried, self._watch)
            self._look(found, CountingRules())
            self._rewritten[norms] = found
        return self._rewritten[norms]

    def peak_activations(self, rules: CountingRules) -> PeakActivations:
        """The peak of activations, bodies left out."""
        folded = rules.batch_norm == "folded"
        if folded not in self._peaks:
            found = self._as(Norms(folded))
            self._peaks[folded] = peak_activations(found.graph, found.widths)
        return self._peaks[folded]

    def operands(self, rewritten: Rewritten, rules: CountingRules) -> Operands:
        """What may be asked about the operands of one graph or body under ``rules``."""
        return Operands(
            values=rewritten.graph.values,
            constants=rewritten.constants,
            widths=rewritten.widths,
            measured=self._shared.measured,
            rules=rules,
            given=rewritten.given,
            whole=rewritten.whole,
            hidden=rewritten.hidden,
            codes=rewritten.codes,
            saturation=rewritten.saturation,
        )

    def stock(self, rules: CountingRules, regime: Regime) -> Inventory:
        """Every constant that the graph needs, once, with its uses."""
        reading = self._norms(rules, regime), rules.batch_norm, rules.permutation
        if reading not in self._stocks:
            self._stocks[reading] = take_stock(self._as(reading[0]), lambda found: self.operands(found, rules))
        return self._stocks[reading]

    def remember(self, key: object, make: Callable[[], T]) -> T:
        """What ``make`` gave when it was first asked for under ``key``."""
        if key not in self._remembered:
            self._remembered[key] = make()
        found: T = self._remembered[key]
        return found

    def zeros(self, charged: frozenset[str]) -> frozenset[str]:
        """Labels of the tensors of zeros that nothing charges, as they lie in the file; long ones are not looked at."""
        return frozenset(value.label or value.id for value in _stored(self._source.graph) if self._is_unseen_zero(value, charged))

    def _is_unseen_zero(self, value: Value, charged: frozenset[str]) -> bool:
        label = value.label or value.id
        if label in charged or not 1 < value.numel <= _LONGEST or value.constant is None:
            return False
        if value.id not in self._zero:
            self._zero[value.id] = not np.any(self._source.store.open(value.constant, value.shape, value.format, label))
        return self._zero[value.id]

    def _look(self, rewritten: Rewritten, rules: CountingRules) -> None:
        """Look at the weights together, as each of them would be alone."""
        for bodies in rewritten.bodies.values():
            for body in bodies:
                self._look(body, rules)
        screen_many(_weights(rewritten.graph, self.operands(rewritten, rules)))


def analyse(
    graph: Graph, store: ConstantStore, carried: Carried | None = None, per_word: Fraction = PER_WORD, watch: Watch | None = None
) -> Analysed:
    """Analyse a validated graph. ``carried``: it is a step of a language model, and these are its states.

    ``per_word``: operations that the baseline has for each word of its storage; only which norms fold depends on it.
    ``watch`` is told the graph behind each pass, whenever one runs.
    Raises ``SubmissionFault`` for constants that cannot be computed.
    """
    cost = CheapestForms()
    model, constants = named(graph, store, cost, watch)
    forfeited = quantization(model.live)
    if not forfeited and (node := integer_arithmetic(model.graph, constants)) is not None:
        forfeited = f"{place(node)} computes with integers"
    return Analysed(
        forfeited, _source=_Source(graph, store, carried, per_word), _named=model, _shared=SharedFacts(constants, cost), _watch=watch
    )


def _weights(graph: Graph, operands: Operands) -> Iterator[Measured]:
    """The constant operands of convolutions and products, which are asked about first."""
    for node in graph.nodes:
        if node.kind in ("conv", "matmul"):
            at, axes = weight_of(node, operands)
            measured = operands.constant(node.inputs[at], axes)
            if measured is not None:
                yield measured


def _stored(graph: Graph) -> Iterator[Value]:
    """The stored values of a graph and of its bodies."""
    for node in graph.nodes:
        for body in node.bodies:
            yield from _stored(body)
    yield from (value for value in graph.values.values() if value.constant is not None)
