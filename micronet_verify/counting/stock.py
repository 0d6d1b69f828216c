"""Takes stock of a rewritten graph: every constant that a node needs, in the form in which this node needs it."""

from __future__ import annotations

from collections.abc import Callable

from micronet_verify.analysis.permutations.axis_order import order_key
from micronet_verify.analysis.rewrites.rewritten import Rewritten
from micronet_verify.analysis.tensors.measured import Measured
from micronet_verify.analysis.values.zero_signs import told_zeros
from micronet_verify.counting.formulas.dot_products import weight_of
from micronet_verify.counting.formulas.functions import literals
from micronet_verify.counting.formulas.operands import Operands
from micronet_verify.counting.formulas.places import is_followed, is_slice, keeps_order
from micronet_verify.counting.inventory import Inventory
from micronet_verify.counting.scalars import no_offset
from micronet_verify.facts.formats import NumericFormat
from micronet_verify.facts.graph import Node
from micronet_verify.facts.shapes import integer, number
from micronet_verify.facts.validate import place


def take_stock(rewritten: Rewritten, asked: Callable[[Rewritten], Operands]) -> Inventory:
    """The inventory of a graph and its bodies; ``asked`` answers for the operands of each."""
    inventory = Inventory(told=told_zeros(rewritten.graph, rewritten.constants))
    _take(inventory, rewritten, asked)
    return inventory


def _take(inventory: Inventory, rewritten: Rewritten, asked: Callable[[Rewritten], Operands]) -> None:
    operands = asked(rewritten)
    for node in rewritten.graph.nodes:
        for body in rewritten.bodies.get(node.outputs[0], ()) if node.bodies else ():
            _take(inventory, body, asked)
        if not node.bodies:
            _take_node(inventory, node, operands)
        elif node.kind == "loop":
            _take_entering(inventory, node, operands)
    if operands.rules.permutation != "free":
        for moved in rewritten.moved:
            if moved.selection is not None:
                selection, node = moved.selection, moved.node
                inventory.permutation(selection.key, place(node), node.scope, selection.chosen, selection.chosen * selection.extent)
    for name in rewritten.graph.outputs:
        if name in rewritten.constants:
            inventory.add(name, Measured(rewritten.constants[name]), "", "an output of the model")
    states = {f"initial state {rewritten.graph.values[name].label}" for name in rewritten.graph.inputs if name in inventory.told}
    inventory.told |= states
    for first in rewritten.initial:
        inventory.add(first.key, Measured(first), "", "initial state, S2")


def _take_entering(inventory: Inventory, node: Node, operands: Operands) -> None:
    """First values that a loop carries on, and tensors that it scans, as they lie in the file."""
    for name in node.inputs:
        measured = operands.constant(name)
        if measured is not None:
            inventory.add(name, measured, node.scope)


def is_batch_norm(node: Node) -> bool:
    return node.kind == "normalise" and node.attributes["op"] == "batch_norm"


def _take_node(inventory: Inventory, node: Node, operands: Operands) -> None:
    _take_literals(inventory, node, operands.output(node).format)
    if is_batch_norm(node) and all(name in operands.constants for name in node.inputs[1:]):
        _take_norm(inventory, node, operands)
        return
    weight = weight_of(node, operands) if node.kind in ("conv", "matmul") else (-1, ())
    for at, name in enumerate(node.inputs):
        if name not in operands.constants:
            continue
        constant = operands.constants[name]
        if node.kind == "permute" and at == 1 and operands.rules.permutation != "free":
            _take_index(inventory, node, operands)
        elif node.kind in ("quantize", "dequantize") and at == 2:
            if not no_offset(constant):  # a zero point of zeros is none
                codes = operands.output(node).format if node.kind == "quantize" else operands.values[node.inputs[0]].format
                inventory.offset(name, _of(operands, name), node.scope, codes.bits)
        else:
            inventory.add(name, _of(operands, name, weight[1] if at == weight[0] else ()), node.scope)


def _of(operands: Operands, name: str, axes: tuple[int, ...] = ()) -> Measured:
    measured = operands.constant(name, axes)
    assert measured is not None
    return measured


def _take_norm(inventory: Inventory, node: Node, operands: Operands) -> None:
    """Scale and shift (its mean is 0 and its variance 1, ``analysis/rewrites/norms.py``); the shift alone where the edition reads it so."""
    inventory.said.update(operands.constants[name].key for name in node.inputs[1:3])
    for name in node.inputs[3:5] if operands.rules.batch_norm != "shift_only" else node.inputs[4:5]:
        inventory.add(name, _of(operands, name), node.scope, "batch norm")


def _take_literals(inventory: Inventory, node: Node, fmt: NumericFormat) -> None:
    """The numbers of a node that computes in ``fmt``."""
    if node.kind == "normalise" and not is_batch_norm(node):
        for name in ("eps", "alpha", "beta"):
            inventory.literal(number(node.attributes, name), name, fmt)
    if node.kind == "move" and node.attributes["op"] == "pad":
        inventory.literal(number(node.attributes, "value"), "padding", fmt)
    if node.kind == "elementwise":
        op = str(node.attributes["op"])
        for literal in literals(op, node.attributes):
            inventory.literal(literal, op, fmt)


def _take_index(inventory: Inventory, node: Node, operands: Operands) -> None:
    """An index that permutes is a matrix, here or where the permutation is complete (O9); one that only chooses is a constant (S2)."""
    name, index = node.inputs[1], operands.constants[node.inputs[1]]
    inventory.said.add(index.key)
    if keeps_order(node, operands):
        measured = operands.constant(name)
        if measured is not None and not is_slice(node, operands):
            inventory.add(name, measured, node.scope)
    elif not is_followed(node, operands):
        length = operands.shape(node.inputs[0])[integer(node.attributes, "axis")]
        key = order_key(length, index.load().reshape(-1))
        inventory.permutation(key, index.label, node.scope, index.numel, index.numel * length)
