"""The graph as it is priced, with every constant rebuilt from exactly the form that the ledger charges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from micronet_verify.analysis.constants import Constant
from micronet_verify.counting.analysed import Analysed
from micronet_verify.counting.ledger import Regime
from micronet_verify.facts.formats import numpy_dtype
from micronet_verify.facts.graph import Attribute, Graph, Node, Value
from micronet_verify.interpreter.step import Array
from micronet_verify.proof.second import Priced
from micronet_verify.track.rules import CountingRules


@dataclass(frozen=True, slots=True)
class Charge:
    """How an entry is charged. ``per_word``: the baseline's operations for each word (``analyse``)."""

    rules: CountingRules
    regime: Regime
    per_word: Fraction


def charged(analysed: Analysed, charge: Charge) -> Priced:
    """What ``price`` charges, ready to run."""
    rewritten = analysed.rewritten(charge.rules, charge.regime)
    constants = rewritten.constants
    opened: dict[str, Array] = {}

    def rebuilt(value: Value) -> Array:
        if value.id not in opened:
            opened[value.id] = _as_read(constants[value.id])
        return opened[value.id]

    graph = as_stored(rewritten.graph, constants)
    initial = tuple(np.asarray(first.load()) for first in rewritten.initial) or None
    return Priced(graph, rebuilt, only_looked_up(graph, frozenset(constants)), initial)


def _as_read(constant: Constant) -> Array:
    data = constant.load()
    if constant.row_scale is None:
        return data
    shape = [1] * data.ndim
    shape[constant.row_axis] = -1
    scaled = np.asarray(data, np.float64) * constant.row_scale.reshape(shape)
    return scaled.astype(numpy_dtype(constant.format) if constant.format.family == "float" else np.float32)


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
