"""Where the sign of a zero can be told: −0 and +0 are equal until something divides by them (rule S2).

A tensor of ±0 would hold a bit a value for nothing. Masked weights of honest networks hold −0, too, and nobody ever tells it from +0:
sums, comparisons and most functions do not. So signs are charged where a quotient, a power, a reciprocal or an angle reads zeros that
come from a constant by products, moves and functions that keep them; everywhere else every zero is +0, and the graph that is
proved is run with +0 for each of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from micronet_verify.analysis.tensors.constants import Array, Constant
from micronet_verify.facts.graph import Graph, Node
from micronet_verify.facts.nested import all_nodes

# Operands of which 0 and −0 give other results.
_TELLING: Mapping[str, tuple[int, ...]] = {"reciprocal": (0,), "rsqrt": (0,), "div": (1,), "floor_div": (1,), "pow": (0,), "atan2": (0, 1)}
# Functions and kinds whose result is another number for 0, or the same for both signs.
_ENDING = frozenset(
    "add sub exp exp2 cos acos cosh acosh sigmoid hard_sigmoid softplus log log2 abs square equal not_equal less less_equal greater "
    "greater_equal and or xor not isnan isinf relu clip threshold log_sigmoid reciprocal rsqrt".split()
)
_ENDING_KINDS = frozenset({"normalise", "softmax", "quantize", "dequantize"})
_ENDING_OTHERS = frozenset("l1 l2 sum_square logsumexp var any all argmax argmin".split())


def told_zeros(graph: Graph, constants: Mapping[str, Constant]) -> frozenset[str]:
    """Names of constants and of inputs (states) the signs of whose zeros some node of ``graph`` or of its bodies tells apart."""
    nodes = list(all_nodes(graph))
    makers = {name: node for node in nodes for name in node.outputs}
    entered = {name: node for node in nodes for body in node.bodies for name in body.inputs}
    pending = [node.inputs[at] for node in nodes for at in _telling(node) if at < len(node.inputs)]
    seen, found = set[str](), set[str]()
    while pending:
        name = pending.pop()
        if not name or name in seen:
            continue
        seen.add(name)
        if name in constants or (name not in makers and name not in entered):
            found.add(name)
        elif name in entered and name not in makers:
            pending += entered[name].inputs
        else:
            pending += _kept(makers[name], constants)
    return frozenset(found)


def negative_zeros(array: Array) -> int:
    """How many zeros there are in a tensor of floats, if any of them is −0; else 0."""
    if array.dtype.kind not in "fV":
        return 0
    zeros = array == 0
    return (
        int(np.count_nonzero(zeros))
        if bool((np.signbit(array.astype(np.float32) if array.dtype.kind == "V" else array) & zeros).any())
        else 0
    )


def _telling(node: Node) -> tuple[int, ...]:
    return _TELLING.get(str(node.attributes["op"]), ()) if node.kind == "elementwise" else ()


def _kept(node: Node, constants: Mapping[str, Constant]) -> Sequence[str]:
    """The operands whose zeros the node hands on as they are signed."""
    op = str(node.attributes.get("op", ""))
    if node.bodies:
        return (*node.inputs, *(name for body in node.bodies for name in body.outputs))
    ends = op in _ENDING if node.kind == "elementwise" else op in _ENDING_OTHERS and node.kind in ("reduce", "select")
    if ends or node.kind in _ENDING_KINDS:
        return ()
    if node.kind in ("conv", "matmul"):
        if len(node.inputs) > 2 and node.inputs[2]:
            return ()
        # A sum is a zero of its weights' sign only where it has no weight but zeros.
        return [name for name in node.inputs if name not in constants or not np.any(constants[name].load())]
    if node.kind in ("lookup", "permute", "resize", "scatter") and len(node.inputs) > 1:
        return node.inputs[:1] if node.kind != "scatter" else (node.inputs[0], node.inputs[2])
    return node.inputs
