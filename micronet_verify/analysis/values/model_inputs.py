"""What a model is given rather than computes: positions of look-ups (rule O9), and floats that are whole numbers already (rule O4)."""

from __future__ import annotations

from collections.abc import Mapping

from micronet_verify.analysis.tensors.constants import Constant
from micronet_verify.analysis.values.loop_inputs import Pairs
from micronet_verify.facts.graph import Graph

ROUNDING = frozenset({"round", "floor", "ceil", "trunc"})


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
