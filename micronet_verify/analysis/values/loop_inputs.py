"""What enters the body of a ``loop``, turn by turn: how wide it is (rule O2), and whether it is given (rule O9).

Written out, a loop is one long graph, and it is priced as that graph would be: a carried value is as wide as the wider of its first
value and what a turn makes of it, and it is given where both are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np

from micronet_verify.analysis.tensors.constants import Constant
from micronet_verify.analysis.values.width import UNWRITTEN, Width, format_width, widest
from micronet_verify.facts.graph import Graph, Node
from micronet_verify.facts.shapes import integer

# A constant of more values is not looked through for zeros.
_LONGEST = 1 << 20
Widths = Mapping[str, Width]
Pairs = tuple[tuple[str, str], ...]
"""What is carried on: where it enters, and what becomes of it."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The operands of a loop beside the inputs of its body: (operand, input, what a turn returns) of carried values, (operand, input) of
    scanned tensors."""

    carried: tuple[tuple[str, str, str], ...]
    scanned: tuple[tuple[str, str], ...]


def ports(node: Node, body: Graph) -> Ports:
    inner = body.inputs[1:] if node.attributes.get("turn") else body.inputs
    count = len(node.inputs) - integer(node.attributes, "scanned")
    carried = tuple(zip(node.inputs[:count], inner[:count], body.outputs[:count], strict=True))
    return Ports(carried, tuple(zip(node.inputs[count:], inner[count:], strict=True)))


def entering(
    node: Node, body: Graph, constants: Mapping[str, Constant], around: Widths, inside: Callable[[Widths], Widths]
) -> dict[str, Width]:
    """Widths of the inputs of the body. ``inside``: the widths in the body, from those around it and of its inputs."""
    found = {at: around[name] for name, at in ports(node, body).scanned if name in around}
    carried = ports(node, body).carried
    own = {name for inner in body.nodes for name in inner.outputs}
    for name, at, _ in carried:
        constant = constants.get(name)
        zeros = constant is not None and constant.numel <= _LONGEST and not np.any(constant.load())
        found[at] = around.get(name) or (UNWRITTEN if zeros else format_width(body.values[at].format))
    while True:
        made, wider = inside({**around, **found}), dict(found)
        for name, at, after in carried:
            plain = format_width(body.values[at].format)
            width = widest([found[at], made[after]]) if after in made else found[at]
            wide = width is None or (name in constants and width.low is not None and not width.low <= 0 <= (width.high or 0))
            wide = wide or (width is not None and width.scale in own)  # a scale that every turn computes anew
            wider[at] = plain if wide or width is None else width
        if wider == found:
            unwritten = {at: format_width(body.values[at].format) for at, width in found.items() if width is UNWRITTEN}
            return {**found, **unwritten}
        found = wider


def given_pairs(node: Node, body: Graph, constants: Collection[str], given: Collection[str]) -> Pairs:
    """(input of the body, what a turn makes of it) of all that need not be given; nothing becomes of a value that is computed before."""

    def known(name: str) -> bool:
        return name in given or name in constants

    found = ports(node, body)
    carried = [(at, after if known(name) else "") for name, at, after in found.carried]
    return (*carried, *((at, "") for name, at in found.scanned if not known(name)))
