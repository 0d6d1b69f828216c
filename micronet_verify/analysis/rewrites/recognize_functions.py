"""Gives functions that were spelled out their names back, and takes out arithmetic that changes nothing (rule O4).

x/(1 + e^−x), x·(1/(1 + e^−x)) and x·sigmoid(x) are all swish, and swish has one price. An exporter that writes 1/x as the
reciprocal times 1, or a power for a square root, makes no work. Nothing is recognised unless the values in between are
read by nobody else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from micronet_verify.analysis.rewrites.bent_functions import of_choice
from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.analysis.rewrites.written_functions import Written
from micronet_verify.facts.graph import Node

# Exponents that have a function of their own; a cube is two multiplies.
_POWERS = {2.0: "square", 3.0: "cube", 0.5: "sqrt", -0.5: "rsqrt", -1.0: "reciprocal"}


def recognize_functions(graph: EditableGraph) -> None:
    """Spelled-out functions become one node each; multiplies by 1 and adds of 0 go."""
    seen = Written(graph)
    graph.sweep(lambda node: _read(seen, node))


def _read(seen: Written, node: Node) -> Iterator[Node]:
    """The node as it stays, nothing where it changes nothing."""
    if node.kind == "elementwise":
        equal = _unchanged(seen, node)
        if equal is not None:
            seen.equate(node.outputs[0], equal)
            return
        node = _named(seen, node)
    if node.kind == "normalise" and node.attributes["op"] != "batch_norm" and seen.all(node.inputs[1:2], 1.0):
        # Operators that must have a scale are given ones.
        node = replace(node, inputs=(node.inputs[0], "", *node.inputs[2:]))
    for name in node.outputs:
        seen.made[name] = node
    yield node


def _unchanged(seen: Written, node: Node) -> str | None:
    """The operand that the node hands on as it is: x·1, x/1, x^1, x + 0, x − 0; also by tensors of ones or zeros.

    So are the greater of x and x or −∞, the smaller of x and x or ∞, and a choice between x and x, or one that a constant makes.
    """
    if str(node.attributes["op"]) in ("max", "min", "where", "leaky_relu", "prelu"):
        return _chosen(seen, node)
    neutral = {"mul": 1.0, "div": 1.0, "pow": 1.0, "add": 0.0, "sub": 0.0}.get(str(node.attributes["op"]))
    if neutral is None:
        return None
    x, y = node.inputs
    pairs = ((x, y), (y, x)) if node.attributes["op"] in ("mul", "add") else ((x, y),)
    result = seen.values[node.outputs[0]]
    for kept, other in pairs:
        value = seen.values.get(kept)
        if kept not in seen.constants and value is not None and seen.all((other,), neutral):
            return kept if (value.shape, value.format) == (result.shape, result.format) else None
    return None


def _chosen(seen: Written, node: Node) -> str | None:
    """The operand that a choice takes in any case."""
    op, (x, *others) = str(node.attributes["op"]), node.inputs
    if op == "where":
        truth = next((number for number in (1.0, 0.0) if seen.all((x,), number)), None)
        kept = others[0] if others[0] == others[1] or truth == 1 else others[1] if truth == 0 else ""
    elif op in ("leaky_relu", "prelu"):
        kept = x if (seen.all(others, 1.0) if others else node.attributes.get("alpha") == 1) else ""
    else:
        never = float("-inf") if op == "max" else float("inf")
        kept = x if x == others[0] or seen.all(others, never) else others[0] if seen.all((x,), never) else ""
    value, result = seen.values.get(kept), seen.values[node.outputs[0]]
    fits = kept not in seen.constants and value is not None and (value.shape, value.format) == (result.shape, result.format)
    return kept if fits else None


def _named(seen: Written, node: Node) -> Node:
    """The node, or one node for what it and the nodes before it spell."""
    op = str(node.attributes["op"])
    if op in ("mul", "div") and (negated := seen.factor(node, -1.0)) is not None:
        return seen.function(node, "neg", negated)
    if op == "sub" and seen.number(node.inputs[0]) == 0 and seen.fits(node, node.inputs[1]):
        return seen.function(node, "neg", node.inputs[1])
    if op == "pow" and (name := _POWERS.get(seen.number(node.inputs[1]) or 0.0)) is not None:
        return _named(seen, seen.function(node, name, node.inputs[0]))
    if op == "log" and (made := seen.only(node.inputs[0], "sigmoid")) is not None and seen.fits(node, made.inputs[0]):
        return seen.function(node, "log_sigmoid", made.inputs[0])
    if op == "log1p" and (made := seen.only(node.inputs[0], "exp")) is not None and seen.fits(node, made.inputs[0]):
        return seen.function(node, "softplus", made.inputs[0])
    if op == "log" and (inner := _one_more(seen, node.inputs[0])) is not None and seen.fits(node, inner):
        return seen.function(node, "softplus", inner)
    if op == "or":
        return _compared(seen, node)
    if op == "where":
        return of_choice(seen, node)
    if op == "div":
        return _quotient(seen, node, *node.inputs)
    if op == "reciprocal":
        return _quotient(seen, node, "", node.inputs[0])
    if op == "mul":
        for x, y in (node.inputs, node.inputs[::-1]):
            made = seen.only(y, "sigmoid", "reciprocal")
            if made is not None and made.attributes["op"] == "reciprocal":
                return replace(node, inputs=(x, made.inputs[0]), attributes={"op": "div"})
            if made is not None and made.inputs[0] == x:
                return seen.function(node, "silu", x)
    return node


def _compared(seen: Written, node: Node) -> Node:
    """x > y or x = y is x ≥ y, and x < y or x = y is x ≤ y; all are false of a NaN."""
    for one, other in (node.inputs, node.inputs[::-1]):
        order, same = seen.only(one, "greater", "less"), seen.only(other, "equal")
        if order is not None and same is not None and same.inputs in (order.inputs, order.inputs[::-1]):
            return replace(node, inputs=order.inputs, attributes={"op": f"{order.attributes['op']}_equal"})
    return node


def _one_more(seen: Written, name: str) -> str | None:
    """x, where ``name`` is 1 + e^x."""
    total = seen.only(name, "add")
    for one, power in () if total is None else (total.inputs, total.inputs[::-1]):
        exponential = seen.only(power, "exp")
        if exponential is not None and seen.number(one) == 1:
            return exponential.inputs[0]
    return None


def _quotient(seen: Written, node: Node, x: str, y: str) -> Node:
    """x/(1 + e^−x) is swish, 1/(1 + e^−x) the sigmoid, 1/√x one function; ``x`` is empty for 1."""
    if (x == "" or seen.number(x) == 1) and (root := seen.only(y, "sqrt")) is not None and seen.fits(node, root.inputs[0]):
        return seen.function(node, "rsqrt", root.inputs[0])
    logistic = _logistic(seen, y)
    if logistic is not None and seen.fits(node, logistic):
        if x == logistic:
            return seen.function(node, "silu", logistic)
        if x == "" or seen.number(x) == 1:
            return seen.function(node, "sigmoid", logistic)
    return node


def _logistic(seen: Written, name: str) -> str | None:
    """x, where ``name`` is 1 + e^−x."""
    total = seen.only(name, "add")
    if total is None:
        return None
    for one, power in (total.inputs, total.inputs[::-1]):
        exponential = seen.only(power, "exp")
        if seen.number(one) == 1 and exponential is not None:
            negative = seen.only(exponential.inputs[0], "neg")
            return None if negative is None else negative.inputs[0]
    return None
