"""Functions that a choice spells (rule O4): bounds, thresholds, and those that bend at 0, as ELU, SELU, leaky ReLU and PReLU do."""

from __future__ import annotations

from dataclasses import replace

from micronet_verify.analysis.rewrites.written_functions import Written
from micronet_verify.facts.graph import Node


def of_choice(seen: Written, node: Node) -> Node:
    """The function that ``where`` spells at ``node``, or the node."""
    return _bounded(seen, node) or _threshold(seen, node) or _bent(seen, node)


def _bounded(seen: Written, node: Node) -> Node | None:
    """x < c ? c : x is a clip from c on, x > c ? c : x one up to c; from 0 on it is a ReLU."""
    condition = seen.only(node.inputs[0], "greater", "greater_equal", "less", "less_equal")
    if condition is None:
        return None
    then, other = node.inputs[1:]
    x, bound = (then, other) if seen.number(then) is None else (other, then)
    number, (left, right) = seen.number(bound), condition.inputs
    if number is None or not seen.fits(node, x) or x not in (left, right) or seen.number(right if x == left else left) != number:
        return None
    above = str(condition.attributes["op"]).startswith("greater") == (x == left)  # whether it holds where x is above the bound
    if above == (then == x):
        return seen.function(node, "relu", x) if number == 0 else replace(node, inputs=(x,), attributes={"op": "clip", "low": number})
    return replace(node, inputs=(x,), attributes={"op": "clip", "high": number})


def _threshold(seen: Written, node: Node) -> Node | None:
    """x > alpha ? x : beta is one function. With ≥ it is another one, and with the choice turned a NaN stays."""
    condition = seen.only(node.inputs[0], "greater", "less")
    if condition is None:
        return None
    x, bound = condition.inputs if condition.attributes["op"] == "greater" else condition.inputs[::-1]
    alpha, beta = seen.number(bound), seen.number(node.inputs[2])
    if node.inputs[1] != x or not seen.fits(node, x) or seen.values[x].format.family != "float":
        return None
    if alpha is None or beta is None or alpha != alpha or beta != beta:
        return None
    return replace(node, inputs=(x,), attributes={"op": "threshold", "alpha": alpha, "beta": beta})


def _bent(seen: Written, node: Node) -> Node:
    """x > 0 ? x : alpha·(e^x − 1) is an ELU, a SELU where gamma times both; x > 0 ? x : alpha·x is a leaky ReLU, or a PReLU."""
    condition = seen.only(node.inputs[0], "greater", "greater_equal", "less", "less_equal")
    if condition is None:
        return node
    up = str(condition.attributes["op"]).startswith("greater")
    x, zero = condition.inputs if seen.number(condition.inputs[1]) == 0 else condition.inputs[::-1]
    up = up if x == condition.inputs[0] else not up
    kept, other = node.inputs[1:] if up else node.inputs[:0:-1]
    if seen.number(zero) != 0 or not seen.fits(node, x):
        return node
    if kept != x:
        return _scaled_elu(seen, node, x, kept, other)
    if (alpha := _factored(seen, other, x)) is not None:
        return replace(node, inputs=(x,), attributes={"op": "elu", "alpha": alpha})
    scaled = seen.only(other, "mul")
    for slope, inner in () if scaled is None else (scaled.inputs, scaled.inputs[::-1]):
        if inner == x and slope in seen.constants:
            return replace(node, inputs=(x, slope), attributes={"op": "prelu"})
    return node


def _scaled_elu(seen: Written, node: Node, x: str, kept: str, other: str) -> Node:
    """A SELU, where ``kept`` is gamma·x and ``other`` gamma·alpha·(e^x − 1), with the same gamma."""
    above, below = seen.only(kept, "mul"), seen.only(other, "mul")
    if above is None or below is None or x not in above.inputs:
        return node
    gamma = seen.number(above.inputs[0] if above.inputs[1] == x else above.inputs[1])
    for factor, inner in (below.inputs, below.inputs[::-1]):
        alpha = _factored(seen, inner, x)
        if gamma is not None and alpha is not None and seen.number(factor) == gamma:
            return replace(node, inputs=(x,), attributes={"op": "selu", "alpha": alpha, "gamma": gamma})
    return node


def _factored(seen: Written, name: str, x: str) -> float | None:
    """alpha, where ``name`` is e^x − 1, alpha·(e^x − 1) or alpha·e^x − alpha."""
    if _less_one(seen, name) == x:
        return 1.0
    scaled, less = seen.only(name, "mul"), seen.only(name, "sub", "add")
    for factor, inner in () if scaled is None else (scaled.inputs, scaled.inputs[::-1]):
        if (number := seen.number(factor)) is not None and _less_one(seen, inner) == x:
            return number
    if less is None:
        return None
    sign = 1 if less.attributes["op"] == "sub" else -1
    for product, taken in (less.inputs, less.inputs[::-1])[: 1 if sign == 1 else 2]:
        scaled = seen.only(product, "mul")
        for factor, inner in () if scaled is None else (scaled.inputs, scaled.inputs[::-1]):
            power, number, offset = seen.only(inner, "exp"), seen.number(factor), seen.number(taken)
            if power is not None and power.inputs[0] == x and number is not None and offset == sign * number:
                return number
    return None


def _less_one(seen: Written, name: str) -> str | None:
    """x, where ``name`` is e^x − 1."""
    made = seen.only(name, "expm1", "sub", "add")
    if made is None or made.attributes["op"] == "expm1":
        return None if made is None else made.inputs[0]
    for power, one in (made.inputs, made.inputs[::-1])[: 1 if made.attributes["op"] == "sub" else 2]:
        exponential = seen.only(power, "exp")
        if exponential is not None and seen.number(one) == (1 if made.attributes["op"] == "sub" else -1):
            return exponential.inputs[0]
    return None
