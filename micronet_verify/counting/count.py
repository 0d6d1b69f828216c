"""Counts a graph: analysis passes, then the work of every live node and the storage of every constant it needs.

``count_graph`` is the room's door. It prices the same facts in each regime the entry qualifies for (see *Two regimes* in
COUNTING_RULES); an operator without a price fails the count, all of them named together (O17).
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from micronet_verify.analysis.affine import collapse_norms
from micronet_verify.analysis.batch_norm import Folded, channel_scale_and_shift, fold_batch_norms
from micronet_verify.analysis.carried import Carried, Pairs
from micronet_verify.analysis.constants import Constant, derived
from micronet_verify.analysis.contract import contract
from micronet_verify.analysis.fold import fold
from micronet_verify.analysis.hidden import NOTHING_HIDDEN, count_kept, hidden_elements
from micronet_verify.analysis.lines import order_key
from micronet_verify.analysis.live import needed_values, prune
from micronet_verify.analysis.liveness import Transient, transient
from micronet_verify.analysis.masks import name_masks
from micronet_verify.analysis.norm_ahead import fold_ahead
from micronet_verify.analysis.representation import Measured
from micronet_verify.analysis.selections import name_selections
from micronet_verify.analysis.shuffle import find_moved
from micronet_verify.analysis.spelling import name_functions
from micronet_verify.analysis.tidy import tidy
from micronet_verify.analysis.together import look_together
from micronet_verify.analysis.widths import Width, widths
from micronet_verify.counting.arithmetic import ROUNDING, is_followed, is_slice, keeps_order, work_of
from micronet_verify.counting.functions import literals
from micronet_verify.counting.ledger import Ledger, LedgerLine, Regime
from micronet_verify.counting.linear import weight_of
from micronet_verify.counting.operands import Key, Operands
from micronet_verify.counting.storage import Inventory, storage_lines
from micronet_verify.counting.work import Work, many, multiplies
from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.formats import numeric_format
from micronet_verify.facts.graph import Graph, Node, Value
from micronet_verify.facts.shapes import integer, number
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.facts.validate import place
from micronet_verify.track.rules import CountingRules

Frequencies = Mapping[str, Fraction]
NOTHING = Transient(0, 0)
_LONGEST = 1 << 20


@dataclass(frozen=True)
class Count:
    """What a graph costs: one ledger per regime it may be priced in, why the freebie is forfeited, the peak of activations.

    ``zeros``: labels of constants of which no line is charged because all their values are zero.
    """

    ledgers: Mapping[Regime, Ledger]
    forfeited: str = ""
    transient: Transient = NOTHING
    zeros: frozenset[str] = frozenset()

    def cheapest(self, parameters: Fraction, operations: Fraction) -> Ledger:
        """The ledger of the lower score under a baseline; the freebie's where they tie."""
        return min(self.ledgers.values(), key=lambda ledger: ledger.storage / parameters + ledger.operations / operations)


@dataclass
class _Counting:
    """State of one count: the inventory, the priced-later work, the lines that charge nothing."""

    rules: CountingRules
    store: ConstantStore
    frequencies: Frequencies
    inventory: Inventory = field(default_factory=Inventory)
    work: list[tuple[Node, Work, Fraction]] = field(default_factory=list)
    notes: list[LedgerLine] = field(default_factory=list)
    measured: dict[Key, Measured] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    values: Mapping[str, Value] = field(default_factory=dict)
    transient: Transient = NOTHING


def count_graph(
    graph: Graph, store: ConstantStore, rules: CountingRules, frequencies: Frequencies | None = None, carried: Carried | None = None
) -> Count:
    """Count a validated graph. ``frequencies``: of the examples that reach a branch, the share that takes its
    first body, by the branch's ``id``. ``carried``: the graph is a step of a language model, and these are its states.

    Raises ``SubmissionFault`` with every operator that has no price.
    """
    counting = _Counting(rules, store, frequencies or {})
    forfeited = quantization(prune(graph)[0])
    _count(counting, graph, {}, {}, Fraction(1), carried)
    if counting.problems:
        raise SubmissionFault(counting.problems)
    regimes: list[Regime] = ["quantized"] if forfeited else ["freebie", "quantized"]
    if rules.regimes != "both":
        regimes = [rules.regimes]
    ledgers = {regime: _ledger(counting, regime) for regime in regimes}
    charged = {line.subject for line in ledgers[regimes[0]].lines}
    return Count(ledgers, forfeited, counting.transient, frozenset(_zeros(graph, store, charged)))


def _zeros(graph: Graph, store: ConstantStore, charged: Container[str]) -> Iterator[str]:
    """Labels of the tensors of zeros that nothing charges, as they lie in the file; larger ones than ``_LONGEST`` are not looked at."""
    for node in graph.nodes:
        for body in node.bodies:
            yield from _zeros(body, store, charged)
    for value in graph.values.values():
        label = value.label or value.id
        if value.constant is None or label in charged or not 1 < value.numel <= _LONGEST:
            continue
        if not np.any(store.open(value.constant, value.shape, value.format, label)):
            yield label


def quantization(graph: Graph) -> str:
    """The first node that computes below 16 bits, in words (it forfeits the freebie, S5), or an empty string."""
    for node in graph.nodes:
        if node.kind in ("quantize", "dequantize"):
            return f"{place(node)} quantizes"
        if node.kind in ("conv", "matmul"):
            narrow = [graph.values[name].format for name in node.inputs if name in graph.values]
            if any(fmt.is_integer or fmt.bits < 16 for fmt in narrow):
                return f"{place(node)} computes with {min(narrow, key=lambda fmt: fmt.bits)}"
        if node.kind == "move" and node.attributes["op"] == "cast":
            fmt = graph.values[node.outputs[0]].format
            if fmt.bits < 16 and fmt.family != "bool":
                return f"{place(node)} makes {fmt}"
        for body in node.bodies:
            if found := quantization(replace(body, values={**graph.values, **body.values})):
                return found
    return ""


def _count(
    counting: _Counting,
    graph: Graph,
    outer: Mapping[str, Constant],
    outer_widths: Mapping[str, Width],
    times: Fraction,
    carried: Carried | None = None,
    outer_given: frozenset[str] = frozenset(),
) -> None:
    """Count one graph or body, ``times`` per example; a body sees the values, constants and widths around it."""
    own = graph
    graph = replace(graph, values={**counting.values, **graph.values})
    counting.values = graph.values
    live, dead = prune(graph)
    folded, pool = fold(live, counting.store, outer)
    folded = name_masks(name_selections(contract(name_functions(prune(folded)[0], pool)), pool), pool)
    folded = collapse_norms(tidy(folded, pool), pool)
    norms: tuple[Folded, ...] = ()
    if counting.rules.batch_norm == "folded":
        folded, norms = fold_batch_norms(folded, pool)
        folded, ahead = fold_ahead(folded, pool, counting.rules)
        norms += ahead
    states = carried.pairs(folded) if carried else ()
    found = widths(folded, pool, carried.widths(folded, pool) if carried else outer_widths)
    given = as_given(folded, pool, states, outer_given)
    hidden = hidden_elements(folded, pool) if counting.rules.attention_mask == "skipped" else NOTHING_HIDDEN
    operands = Operands(folded.values, pool, found, counting.measured, counting.rules, given, whole_numbers(folded), hidden)
    look_together(_weights(folded, operands))
    for node in folded.nodes:
        if node.kind in ("branch", "loop"):
            _count_bodies(counting, node, pool, operands, times)
        else:
            _count_node(counting, node, operands, times)
        _note_hidden(counting, node, operands)
    _count_moved(counting, folded, operands, times)
    counting.transient = transient(folded, found)  # bodies come first, so the whole model's is the one that stays
    for name in folded.outputs:
        if name in pool:
            counting.inventory.add(name, Measured(pool[name]), "", "an output of the model")
    for name, array in carried.initial.items() if carried else ():
        first = derived(f"initial state {name}", f"initial {name}", array, numeric_format(array.dtype.name))
        counting.inventory.add(first.key, Measured(first), "", "initial state, S2")
    _note_unused(counting, own, dead, live)
    for item in norms:
        note = f"folded into {place(item.into)}"
        counting.notes.append(LedgerLine("operations", "S7", place(item.node), item.node.scope, Fraction(0), 0, "0", note))


def _weights(graph: Graph, operands: Operands) -> Iterator[Measured]:
    """The constant operands of convolutions and products, which are asked about first."""
    for node in graph.nodes:
        if node.kind in ("conv", "matmul"):
            at, axes = weight_of(node, operands)
            measured = operands.constant(node.inputs[at], axes)
            if measured is not None:
                yield measured


def as_given(graph: Graph, constants: Mapping[str, Constant], states: Pairs = (), outer: frozenset[str] = frozenset()) -> frozenset[str]:
    """Integers that are the model's inputs (tokens), moved or shifted: what a table is looked up with for nothing (O9).

    A state, (input, output), is one where what becomes of it is one: an earlier token. ``outer`` are those around a body.
    """
    kept = [pair for pair in states if graph.values[pair[0]].format.family != "float"]
    while True:
        given = _given(graph, constants, {before for before, _ in states} - {before for before, _ in kept}, outer)
        left = [(before, after) for before, after in kept if after in given or after in constants]
        if left == kept:
            return frozenset(given)
        kept = left


def _given(graph: Graph, constants: Mapping[str, Constant], computed: set[str], outer: frozenset[str] = frozenset()) -> set[str]:
    given = {name for name in graph.inputs if graph.values[name].format.family != "float" and name not in computed} | outer
    for node in graph.nodes:
        operands = [name for name in node.inputs if name and name not in constants]
        whole = all(graph.values[name].format.family != "float" for name in node.outputs)
        if node.kind in ("move", "permute", "elementwise") and whole and operands and given.issuperset(operands):
            given.update(node.outputs)
    return given


def whole_numbers(graph: Graph) -> frozenset[str]:
    """Floats that are whole numbers already: casting them to an integer rounds nothing."""
    whole: set[str] = set()
    for node in graph.nodes:
        op = node.attributes.get("op")
        if (node.kind == "elementwise" and op in ROUNDING) or (node.kind in ("move", "permute") and node.inputs[0] in whole):
            whole.update(node.outputs)
    return frozenset(whole)


def _count_bodies(counting: _Counting, node: Node, pool: Mapping[str, Constant], around: Operands, times: Fraction) -> None:
    if node.kind == "loop":
        _count(counting, node.bodies[0], pool, around.widths, times * integer(node.attributes, "trips"), outer_given=around.given)
        return
    taken = counting.frequencies.get(str(node.attributes.get("id", "")))
    shares = (Fraction(1), Fraction(1)) if taken is None else (taken, 1 - taken)
    for body, share in zip(node.bodies, shares, strict=True):
        _count(counting, body, pool, around.widths, times * share, outer_given=around.given)
    if taken is None:
        note = "both bodies charged in full: no predictions say how often each is taken"
        counting.notes.append(LedgerLine("operations", "O13", place(node), node.scope, Fraction(0), 0, "0", note))


def _count_node(counting: _Counting, node: Node, operands: Operands, times: Fraction) -> None:
    try:
        work = (
            _norm_as_shift(node, operands)
            if _is_batch_norm(node) and counting.rules.batch_norm == "shift_only"
            else work_of(node, operands)
        )
    except SubmissionFault as fault:
        counting.problems.extend(fault.problems)
        return
    counting.work.extend((node, item, times) for item in work)
    _take_stock(counting.inventory, node, operands)


def _is_batch_norm(node: Node) -> bool:
    return node.kind == "normalise" and node.attributes["op"] == "batch_norm"


def _norm_as_shift(node: Node, operands: Operands) -> list[Work]:
    return [work for work in work_of(node, operands) if work.operation == "add"]


def _take_stock(inventory: Inventory, node: Node, operands: Operands) -> None:
    """Put every constant that the node needs into the inventory, in the form in which this node needs it."""
    _take_literals(inventory, node)
    if _is_batch_norm(node):
        found = channel_scale_and_shift(node, operands.constants)
        if found is not None:
            names = ("scale", "shift") if operands.rules.batch_norm != "shift_only" else ("shift",)
            for name, array in zip(names, found[2 - len(names) :], strict=True):
                label = f"{operands.constants[node.inputs[1]].label.rpartition('.')[0]}.{name}".lstrip(".")
                key = f"{node.outputs[0]}.{name}"
                inventory.add(key, Measured(derived(key, label, array.astype(np.float32))), node.scope, "batch norm")
            return
    weight = weight_of(node, operands) if node.kind in ("conv", "matmul") else (-1, ())
    for at, name in enumerate(node.inputs):
        if name not in operands.constants:
            continue
        constant = operands.constants[name]
        if node.kind == "permute" and at == 1 and operands.rules.permutation != "free":
            _take_index(inventory, node, operands)
        elif node.kind in ("quantize", "dequantize") and at == 2 and not np.any(constant.load()):
            continue  # a zero point of zeros is none
        else:
            measured = operands.constant(name, weight[1] if at == weight[0] else ())
            assert measured is not None
            inventory.add(name, measured, node.scope)


def _take_literals(inventory: Inventory, node: Node) -> None:
    if node.kind == "normalise" and not _is_batch_norm(node):
        for name in ("eps", "alpha", "beta"):
            inventory.literal(number(node.attributes, name), name)
    if node.kind == "move" and node.attributes["op"] == "pad":
        inventory.literal(number(node.attributes, "value"), "padding")
    if node.kind == "elementwise":
        op = str(node.attributes["op"])
        for literal in literals(op, node.attributes):
            inventory.literal(literal, op)


def _take_index(inventory: Inventory, node: Node, operands: Operands) -> None:
    """An index that permutes is a matrix, here or where the permutation is complete (O9); one that only chooses is a constant (S2)."""
    name, index = node.inputs[1], operands.constants[node.inputs[1]]
    if keeps_order(node, operands):
        measured = operands.constant(name)
        if measured is not None and not is_slice(node, operands):
            inventory.add(name, measured, node.scope)
    elif not is_followed(node, operands):
        length = operands.shape(node.inputs[0])[integer(node.attributes, "axis")]
        key = order_key(length, index.load().reshape(-1))
        inventory.permutation(key, index.label, node.scope, index.numel, index.numel * length)


def _count_moved(counting: _Counting, graph: Graph, operands: Operands, times: Fraction) -> None:
    """Elements in another order are a product with a matrix (O9); copies side by side are nearest-neighbour resizing (O10)."""
    for moved in find_moved(graph, operands.constants):
        node, selection = moved.node, moved.selection
        bits = max(operands.width(name).bits for name in node.inputs if name and name not in operands.constants)
        if selection is None:
            note = "elements copied side by side, as a nearest-neighbour resize does"
            counting.work.append((node, multiplies("O10", moved.elements, bits, many(moved.elements, "output"), note), times))
        elif counting.rules.permutation != "free":
            note = "moves that permute elements within an axis"
            work = multiplies("O9", moved.elements, bits, f"{many(moved.elements, 'element')} moved", note)
            counting.work.append((node, work, times))
            mask = selection.chosen * selection.extent
            counting.inventory.permutation(selection.key, place(node), node.scope, selection.chosen, mask)


def _note_hidden(counting: _Counting, node: Node, operands: Operands) -> None:
    if node.outputs[0] in operands.hidden.masks:
        result = operands.output(node)
        kept = count_kept(operands.hidden.computed[node.outputs[0]], result.shape)
        formula = f"{result.numel - kept:,} of {result.numel:,}"
        note = "hidden by a constant mask: not computed, nor what only they need"
        counting.notes.append(LedgerLine("operations", "O15", place(node), node.scope, Fraction(0), 0, formula, note))


def _note_unused(counting: _Counting, graph: Graph, dead: tuple[Node, ...], live: Graph) -> None:
    for node in dead:
        note = "no output depends on it"
        counting.notes.append(LedgerLine("operations", "O16", place(node), node.scope, Fraction(0), 0, "0", note))
    needed = needed_values(live)
    for value in graph.values.values():
        if value.constant is not None and value.id not in needed:
            formula = many(value.numel, "value")
            counting.notes.append(
                LedgerLine("storage", "S6", value.label or value.id, "", Fraction(0), 0, formula, "no output depends on it")
            )


def _ledger(counting: _Counting, regime: Regime) -> Ledger:
    lines = list(storage_lines(counting.inventory, regime, counting.rules))
    for node, work, times in counting.work:
        rule, bits = _price(work, regime)
        lines.append(
            LedgerLine("operations", rule, place(node), node.scope, work.count * times, bits, work.formula, work.note, work.operation)
        )
    return Ledger(counting.rules.edition, regime, (*lines, *counting.notes))


def _price(work: Work, regime: Regime) -> tuple[str, int]:
    """(rule, bits): 16 and 32 under the freebie (O7), which 64-bit inputs have no part in; else the widest input (O2)."""
    if regime == "freebie" and (work.bits <= 32 or work.integer):
        return (work.rule if work.rule != "O3" else "O1", 16) if work.operation == "multiply" else (work.rule, 32)
    return work.rule, work.bits
