"""The graph as it is priced, with every constant rebuilt from exactly the form that the ledger charges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from micronet_verify.analysis.rewrites.rewritten import Rewritten
from micronet_verify.analysis.tensors.constants import Constant
from micronet_verify.analysis.values.width import Width
from micronet_verify.counting.analysed import Analysed
from micronet_verify.counting.forms.encoding import as_seen
from micronet_verify.counting.formulas.dot_products import narrow_accumulator, weight_of
from micronet_verify.counting.rebuilt import rebuilt
from micronet_verify.facts.graph import Attribute, Graph, Node, Value
from micronet_verify.interpreter.node_call import Array
from micronet_verify.proof.accumulators import Accumulator
from micronet_verify.proof.second import Priced
from micronet_verify.proof.terms import Charge
from micronet_verify.track.rules import CountingRules

# A constant of more values is not copied where only rows of it are read.
_LARGE = 1 << 22


def charged(analysed: Analysed, charge: Charge) -> Priced:
    """What ``price`` charges, ready to run."""
    rules, regime = charge.rules, charge.regime
    rewritten = analysed.rewritten(rules, regime)
    constants = rewritten.constants
    graph = as_stored(rewritten.graph, constants)
    found = rebuilt(analysed.stock(rules, regime), constants, regime, rules)
    initial = tuple(found.value(state) for state in rewritten.initial) or None
    tables = frozenset(name for name in only_looked_up(graph, frozenset(constants)) if constants[name].numel > _LARGE)

    def stored(value: Value) -> Array:
        # A large table is rounded by the rows that are read: a copy of all of it would double what the proof takes.
        in_rows = value.id in tables and regime == "freebie" and constants[value.id].row_scale is None
        return np.asarray(constants[value.id].load()) if in_rows else found[value.id]

    def told(name: str) -> str:
        return f"{constants[name].label} of {found.why(name)}" if name in constants else ""

    granted = {} if rules.accumulator == "full" or regime == "freebie" else _accumulators(analysed, rewritten, rules)
    return Priced(
        graph=graph,
        constants=stored,
        exact=lambda value: as_seen(constants[value.id]),
        tables=tables,
        initial=initial,
        told=told,
        widths=_narrow(rewritten),
        granted=granted,
        forget=found.forget,
    )


def _narrow(found: Rewritten) -> dict[str, Width]:
    """Widths of values that are narrower than their format, in bodies, too."""
    values = found.graph.values
    widths = {name: width for name, width in found.widths.items() if name in values and width.bits < values[name].format.bits}
    for inside in found.bodies.values():
        for body in inside:
            widths |= _narrow(body)
    return widths


def _accumulators(analysed: Analysed, found: Rewritten, rules: CountingRules) -> dict[str, Accumulator]:
    """Linear operators whose sums are granted fewer than 32 bits (O12), in bodies, too."""
    operands, granted = analysed.operands(found, rules), dict[str, Accumulator]()
    for node in found.graph.nodes:
        if node.kind in ("conv", "matmul") and (bits := narrow_accumulator(node, operands)) is not None:
            at, axes = weight_of(node, operands)
            weight = operands.constant(node.inputs[at], axes)
            assert weight is not None
            granted[node.outputs[0]] = Accumulator(bits, at, weight, operands.width(node.inputs[1 - at]), operands.output(node))
    for inside in found.bodies.values():
        for body in inside:
            granted |= _accumulators(analysed, body, rules)
    return granted


def as_stored(graph: Graph, constants: Mapping[str, Constant]) -> Graph:
    """The graph over the constants that passes left, and with the numbers of the program as fp32 holds them (S2)."""
    read = {name for node in graph.nodes for name in node.inputs if name in constants}
    read |= {name for name in (*graph.outputs, *graph.values) if name in constants}
    stored = {name: Value(name, constants[name].shape, constants[name].format, None, constants[name].label) for name in read}
    return replace(graph, values={**graph.values, **stored}, nodes=tuple(_with_literals(node, constants) for node in graph.nodes))


def _with_literals(node: Node, constants: Mapping[str, Constant]) -> Node:
    attributes: dict[str, Attribute] = dict(node.attributes)
    for name, value in node.attributes.items():
        if isinstance(value, float):
            attributes[name] = float(np.float32(value)) if np.isfinite(np.float32(value)) else value
    return replace(node, attributes=attributes, bodies=tuple(as_stored(body, constants) for body in node.bodies))


def only_looked_up(graph: Graph, constants: frozenset[str]) -> frozenset[str]:
    """Constants that nothing but look-ups read, as their tables."""
    tables, others = set[str](), set(graph.outputs)
    for node in graph.nodes:
        for at, name in enumerate(node.inputs):
            (tables if node.kind == "lookup" and at == 0 else others).add(name)
        for body in node.bodies:
            others.update(name for inner in body.nodes for name in inner.inputs)
    return frozenset(tables & constants - others)
