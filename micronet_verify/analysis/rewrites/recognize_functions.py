"""Gives functions that were spelled out their names back, and takes out arithmetic that changes nothing (rule O4).

x/(1 + e^−x), x·(1/(1 + e^−x)) and x·sigmoid(x) are all swish, and swish has one price. An exporter that writes 1/x as the
reciprocal times 1, or a power for a square root, makes no work. Nothing is recognised unless the values in between are
read by nobody else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from micronet_verify.analysis.tensors.constants import Constant, values_of
from micronet_verify.analysis.uses import consumers, prune
from micronet_verify.facts.graph import Graph, Node

# Exponents that have a function of their own; a cube is two multiplies.
_MOST_LOOKED_AT = 1 << 16
_POWERS = {2.0: "square", 3.0: "cube", 0.5: "sqrt", -0.5: "rsqrt", -1.0: "reciprocal"}


def recognize_functions(graph: Graph, pool: Mapping[str, Constant]) -> Graph:
    """The graph with spelled-out functions as one node each and without multiplies by 1 and adds of 0."""
    reader = _Reader(graph, pool)
    nodes = [kept for node in graph.nodes if (kept := reader.read(node)) is not None]
    renamed = replace(graph, nodes=tuple(nodes), outputs=tuple(reader.now(name) for name in graph.outputs))
    return prune(renamed)[0]


class _Reader:
    """Reads nodes in order; ``same`` maps a value to the one that it equals."""

    def __init__(self, graph: Graph, pool: Mapping[str, Constant]) -> None:
        self._values, self._pool, self._outputs = graph.values, pool, set(graph.outputs)
        self._reads = {name: len(nodes) for name, nodes in consumers(graph).items()}
        self._made: dict[str, Node] = {}
        self._same: dict[str, str] = {}

    def now(self, name: str) -> str:
        return self._same.get(name, name)

    def read(self, node: Node) -> Node | None:
        """The node as it stays, ``None`` where it changes nothing."""
        node = self._renamed(node)
        if node.kind == "elementwise":
            equal = self._unchanged(node)
            if equal is not None:
                self._equate(node.outputs[0], equal)
                return None
            node = self._named(node)
        if node.kind == "normalise" and node.attributes["op"] != "batch_norm" and self._all(node.inputs[1:2], 1.0):
            # Operators that must have a scale are given ones.
            node = replace(node, inputs=(node.inputs[0], "", *node.inputs[2:]))
        for name in node.outputs:
            self._made[name] = node
        return node

    def _renamed(self, node: Node) -> Node:
        inputs, bodies = tuple(self.now(name) for name in node.inputs), tuple(self._inside(body) for body in node.bodies)
        return node if inputs == node.inputs and bodies == node.bodies else replace(node, inputs=inputs, bodies=bodies)

    def _inside(self, body: Graph) -> Graph:
        nodes, outputs = tuple(self._renamed(node) for node in body.nodes), tuple(self.now(name) for name in body.outputs)
        unchanged = outputs == body.outputs and all(new is old for new, old in zip(nodes, body.nodes, strict=True))
        return body if unchanged else replace(body, nodes=nodes, outputs=outputs)

    def _equate(self, name: str, equal: str) -> None:
        self._same[name] = equal
        self._reads[equal] = self._reads.get(equal, 0) - 1 + self._reads.get(name, 0)
        if name in self._outputs:
            self._outputs.add(equal)

    def _number(self, name: str) -> float | None:
        constant = self._pool.get(name)
        return constant.number if constant is not None and constant.numel == 1 and constant.row_scale is None else None

    def _all(self, names: Sequence[str], number: float) -> bool:
        """Whether there is such an operand, and it is ``number`` all over."""
        constant = self._pool.get(names[0]) if names else None
        if constant is None or constant.numel > _MOST_LOOKED_AT or constant.row_scale is not None:
            return False
        return constant.number == number and bool((values_of(constant) == number).all())

    def _unchanged(self, node: Node) -> str | None:
        """The operand that the node hands on as it is: x·1, x/1, x^1, x + 0, x − 0; also by tensors of ones or zeros.

        So are the greater of x and x or −∞, the smaller of x and x or ∞, and a choice between x and x, or one that a constant makes.
        """
        if str(node.attributes["op"]) in ("max", "min", "where", "leaky_relu", "prelu"):
            return self._chosen(node)
        neutral = {"mul": 1.0, "div": 1.0, "pow": 1.0, "add": 0.0, "sub": 0.0}.get(str(node.attributes["op"]))
        if neutral is None:
            return None
        x, y = node.inputs
        pairs = ((x, y), (y, x)) if node.attributes["op"] in ("mul", "add") else ((x, y),)
        result = self._values[node.outputs[0]]
        for kept, other in pairs:
            value = self._values.get(kept)
            if kept not in self._pool and value is not None and self._all((other,), neutral):
                return kept if (value.shape, value.format) == (result.shape, result.format) else None
        return None

    def _chosen(self, node: Node) -> str | None:
        """The operand that a choice takes in any case."""
        op, (x, *others) = str(node.attributes["op"]), node.inputs
        if op == "where":
            truth = next((number for number in (1.0, 0.0) if self._all((x,), number)), None)
            kept = others[0] if others[0] == others[1] or truth == 1 else others[1] if truth == 0 else ""
        elif op in ("leaky_relu", "prelu"):
            kept = x if (self._all(others, 1.0) if others else node.attributes.get("alpha") == 1) else ""
        else:
            never = float("-inf") if op == "max" else float("inf")
            kept = x if x == others[0] or self._all(others, never) else others[0] if self._all((x,), never) else ""
        value, result = self._values.get(kept), self._values[node.outputs[0]]
        fits = kept not in self._pool and value is not None and (value.shape, value.format) == (result.shape, result.format)
        return kept if fits else None

    def _named(self, node: Node) -> Node:
        """The node, or one node for what it and the nodes before it spell."""
        op = str(node.attributes["op"])
        if op in ("mul", "div") and (negated := self._factor(node, -1.0)) is not None:
            return self._function(node, "neg", negated)
        if op == "sub" and self._number(node.inputs[0]) == 0 and self._fits(node, node.inputs[1]):
            return self._function(node, "neg", node.inputs[1])
        if op == "pow" and (name := _POWERS.get(self._number(node.inputs[1]) or 0.0)) is not None:
            return self._named(self._function(node, name, node.inputs[0]))
        if op == "log" and (made := self._only(node.inputs[0], "sigmoid")) is not None and self._fits(node, made.inputs[0]):
            return self._function(node, "log_sigmoid", made.inputs[0])
        if op == "log1p" and (made := self._only(node.inputs[0], "exp")) is not None and self._fits(node, made.inputs[0]):
            return self._function(node, "softplus", made.inputs[0])
        if op == "log" and (inner := self._one_more(node.inputs[0])) is not None and self._fits(node, inner):
            return self._function(node, "softplus", inner)
        if op == "or":
            return self._compared(node)
        if op == "where":
            return self._bounded(node) or self._threshold(node) or self._bent(node)
        if op == "div":
            return self._quotient(node, *node.inputs)
        if op == "reciprocal":
            return self._quotient(node, "", node.inputs[0])
        if op == "mul":
            for x, y in (node.inputs, node.inputs[::-1]):
                made = self._only(y, "sigmoid", "reciprocal")
                if made is not None and made.attributes["op"] == "reciprocal":
                    return replace(node, inputs=(x, made.inputs[0]), attributes={"op": "div"})
                if made is not None and made.inputs[0] == x:
                    return self._function(node, "silu", x)
        return node

    def _compared(self, node: Node) -> Node:
        """x > y or x = y is x ≥ y, and x < y or x = y is x ≤ y; all are false of a NaN."""
        for one, other in (node.inputs, node.inputs[::-1]):
            order, same = self._only(one, "greater", "less"), self._only(other, "equal")
            if order is not None and same is not None and same.inputs in (order.inputs, order.inputs[::-1]):
                return replace(node, inputs=order.inputs, attributes={"op": f"{order.attributes['op']}_equal"})
        return node

    def _one_more(self, name: str) -> str | None:
        """x, where ``name`` is 1 + e^x."""
        total = self._only(name, "add")
        for one, power in () if total is None else (total.inputs, total.inputs[::-1]):
            exponential = self._only(power, "exp")
            if exponential is not None and self._number(one) == 1:
                return exponential.inputs[0]
        return None

    def _bounded(self, node: Node) -> Node | None:
        """x < c ? c : x is a clip from c on, x > c ? c : x one up to c; from 0 on it is a ReLU."""
        condition = self._only(node.inputs[0], "greater", "greater_equal", "less", "less_equal")
        if condition is None:
            return None
        then, other = node.inputs[1:]
        x, bound = (then, other) if self._number(then) is None else (other, then)
        number, (left, right) = self._number(bound), condition.inputs
        if number is None or not self._fits(node, x) or x not in (left, right) or self._number(right if x == left else left) != number:
            return None
        above = str(condition.attributes["op"]).startswith("greater") == (x == left)  # whether it holds where x is above the bound
        if above == (then == x):
            return self._function(node, "relu", x) if number == 0 else replace(node, inputs=(x,), attributes={"op": "clip", "low": number})
        return replace(node, inputs=(x,), attributes={"op": "clip", "high": number})

    def _threshold(self, node: Node) -> Node | None:
        """x > alpha ? x : beta is one function. With ≥ it is another one, and with the choice turned a NaN stays."""
        condition = self._only(node.inputs[0], "greater", "less")
        if condition is None:
            return None
        x, bound = condition.inputs if condition.attributes["op"] == "greater" else condition.inputs[::-1]
        alpha, beta = self._number(bound), self._number(node.inputs[2])
        if node.inputs[1] != x or not self._fits(node, x) or self._values[x].format.family != "float":
            return None
        if alpha is None or beta is None or alpha != alpha or beta != beta:
            return None
        return replace(node, inputs=(x,), attributes={"op": "threshold", "alpha": alpha, "beta": beta})

    def _bent(self, node: Node) -> Node:
        """x > 0 ? x : alpha·(e^x − 1) is an ELU, a SELU where gamma times both; x > 0 ? x : alpha·x is a leaky ReLU, or a PReLU."""
        condition = self._only(node.inputs[0], "greater", "greater_equal", "less", "less_equal")
        if condition is None:
            return node
        up = str(condition.attributes["op"]).startswith("greater")
        x, zero = condition.inputs if self._number(condition.inputs[1]) == 0 else condition.inputs[::-1]
        up = up if x == condition.inputs[0] else not up
        kept, other = node.inputs[1:] if up else node.inputs[:0:-1]
        if self._number(zero) != 0 or not self._fits(node, x):
            return node
        if kept != x:
            return self._scaled_elu(node, x, kept, other)
        if (alpha := self._factored(other, x)) is not None:
            return replace(node, inputs=(x,), attributes={"op": "elu", "alpha": alpha})
        scaled = self._only(other, "mul")
        for slope, inner in () if scaled is None else (scaled.inputs, scaled.inputs[::-1]):
            if inner == x and slope in self._pool:
                return replace(node, inputs=(x, slope), attributes={"op": "prelu"})
        return node

    def _scaled_elu(self, node: Node, x: str, kept: str, other: str) -> Node:
        """A SELU, where ``kept`` is gamma·x and ``other`` gamma·alpha·(e^x − 1), with the same gamma."""
        above, below = self._only(kept, "mul"), self._only(other, "mul")
        if above is None or below is None or x not in above.inputs:
            return node
        gamma = self._number(above.inputs[0] if above.inputs[1] == x else above.inputs[1])
        for factor, inner in (below.inputs, below.inputs[::-1]):
            alpha = self._factored(inner, x)
            if gamma is not None and alpha is not None and self._number(factor) == gamma:
                return replace(node, inputs=(x,), attributes={"op": "selu", "alpha": alpha, "gamma": gamma})
        return node

    def _factored(self, name: str, x: str) -> float | None:
        """alpha, where ``name`` is e^x − 1, alpha·(e^x − 1) or alpha·e^x − alpha."""
        if self._less_one(name) == x:
            return 1.0
        scaled, less = self._only(name, "mul"), self._only(name, "sub", "add")
        for factor, inner in () if scaled is None else (scaled.inputs, scaled.inputs[::-1]):
            if (number := self._number(factor)) is not None and self._less_one(inner) == x:
                return number
        if less is None:
            return None
        sign = 1 if less.attributes["op"] == "sub" else -1
        for product, taken in (less.inputs, less.inputs[::-1])[: 1 if sign == 1 else 2]:
            scaled = self._only(product, "mul")
            for factor, inner in () if scaled is None else (scaled.inputs, scaled.inputs[::-1]):
                power, number, offset = self._only(inner, "exp"), self._number(factor), self._number(taken)
                if power is not None and power.inputs[0] == x and number is not None and offset == sign * number:
                    return number
        return None

    def _less_one(self, name: str) -> str | None:
        """x, where ``name`` is e^x − 1."""
        made = self._only(name, "expm1", "sub", "add")
        if made is None or made.attributes["op"] == "expm1":
            return None if made is None else made.inputs[0]
        for power, one in (made.inputs, made.inputs[::-1])[: 1 if made.attributes["op"] == "sub" else 2]:
            exponential = self._only(power, "exp")
            if exponential is not None and self._number(one) == (1 if made.attributes["op"] == "sub" else -1):
                return exponential.inputs[0]
        return None

    def _quotient(self, node: Node, x: str, y: str) -> Node:
        """x/(1 + e^−x) is swish, 1/(1 + e^−x) the sigmoid, 1/√x one function; ``x`` is empty for 1."""
        if (x == "" or self._number(x) == 1) and (root := self._only(y, "sqrt")) is not None and self._fits(node, root.inputs[0]):
            return self._function(node, "rsqrt", root.inputs[0])
        logistic = self._logistic(y)
        if logistic is not None and self._fits(node, logistic):
            if x == logistic:
                return self._function(node, "silu", logistic)
            if x == "" or self._number(x) == 1:
                return self._function(node, "sigmoid", logistic)
        return node

    def _logistic(self, name: str) -> str | None:
        """x, where ``name`` is 1 + e^−x."""
        total = self._only(name, "add")
        if total is None:
            return None
        for one, power in (total.inputs, total.inputs[::-1]):
            exponential = self._only(power, "exp")
            if self._number(one) == 1 and exponential is not None:
                negative = self._only(exponential.inputs[0], "neg")
                return None if negative is None else negative.inputs[0]
        return None

    def _only(self, name: str, *functions: str) -> Node | None:
        """The node of one of these functions that makes ``name``, if ``name`` is read once."""
        made = self._made.get(name)
        alone = self._reads.get(name, 0) == 1 and name not in self._outputs
        return made if alone and made is not None and made.kind == "elementwise" and made.attributes["op"] in functions else None

    def _factor(self, node: Node, number: float) -> str | None:
        """The other operand, where one is this number (the second, of a quotient)."""
        x, y = node.inputs
        if self._number(y) == number and self._fits(node, x):
            return x
        return y if node.attributes["op"] == "mul" and self._number(x) == number and self._fits(node, y) else None

    def _fits(self, node: Node, name: str) -> bool:
        value, result = self._values.get(name), self._values[node.outputs[0]]
        return value is not None and name not in self._pool and (value.shape, value.format) == (result.shape, result.format)

    def _function(self, node: Node, op: str, x: str) -> Node:
        return replace(node, inputs=(x,), attributes={"op": op})
