"""How many bits a graph takes beside its constants (rule S9): which operation comes where, on what, with which whole numbers.

A network is its constants and its wiring, and what is not stored in the one can be hidden in the other. The measure is plain:
for each node ⌈log₂⌉ of the number of kinds, and of the kind's functions where it has several; for each operand ⌈log₂⌉ of the
values that there are by then (inputs, constants, results of nodes before), absent ones included; for each whole number n among
its attributes ⌈log₂(|n| + 2)⌉, a word out of a list ⌈log₂⌉ of its length, a truth value one bit, and each index of a product
⌈log₂⌉ of its different indices. Numbers that are not whole are stored values (S2) and not counted again. A name for each output
comes last. Linear in the number of nodes.
"""

from __future__ import annotations

from collections.abc import Collection

from micronet_verify.facts.functions import OPS
from micronet_verify.facts.graph import Attribute, Graph, Node
from micronet_verify.facts.kinds import CHOICES, KINDS

_LABELS = ("left", "right", "out")
_FUNCTIONS = {kind: max(len(functions) - 1, 0).bit_length() for kind, functions in OPS.items()}


def structure_bits(graph: Graph, constants: Collection[str] | None = None) -> int:
    """Bits of the wiring of ``graph`` and of the bodies in it.

    ``constants``: ids of constants, by default those values that are stored; one counts as defined if the graph reads it.
    """
    if constants is None:
        constants = {name for name, value in graph.values.items() if value.constant is not None}
    read = {name for name in _read(graph) if name in constants}
    return _bits(graph, len(read))[0]


def bits_for(choices: int) -> int:
    """⌈log₂⌉ of a number of choices; 0 for one or none."""
    return max(choices - 1, 0).bit_length()


def _read(graph: Graph) -> set[str]:
    found = set(graph.outputs)
    for node in graph.nodes:
        found.update(node.inputs)
        for body in node.bodies:
            found |= _read(body)
    return found


def _bits(graph: Graph, defined: int) -> tuple[int, int]:
    """(bits, values that are defined behind it), with ``defined`` values before it."""
    defined += len(graph.inputs)
    total = len(graph.nodes) * bits_for(len(KINDS))
    for node in graph.nodes:
        total += len(node.inputs) * bits_for(defined + 1)
        for name, value in node.attributes.items():
            total += _of_attribute(node, name, value)
        for body in node.bodies:
            inside, _ = _bits(body, defined)
            total += inside
        defined += len(node.outputs)
    return total + len(graph.outputs) * bits_for(defined), defined


def _of_attribute(node: Node, name: str, value: Attribute) -> int:
    if isinstance(value, bool):
        return 1
    if isinstance(value, int):
        return (abs(value) + 1).bit_length()
    if isinstance(value, tuple):
        return sum([(abs(number) + 1).bit_length() for number in value if isinstance(number, int)])
    if not isinstance(value, str):
        return 0
    if name == "op":
        return _FUNCTIONS[node.kind]
    if node.kind == "matmul" and name in _LABELS:
        return len(value) * bits_for(len({label for each in _LABELS for label in str(node.attributes.get(each, ""))}))
    return bits_for(len(CHOICES[node.kind, name])) if (node.kind, name) in CHOICES else 0
