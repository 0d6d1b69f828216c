"""Constants in every form, fills, sequences."""

from __future__ import annotations

import math

import numpy as np

from micronet_verify.plugin import MOST_GENERATED, Operand, Result, Stored, computed, stored, stored_array
from micronet_verify_onnx.checks import plain
from micronet_verify_onnx.formats import element_type
from micronet_verify_onnx.op import Op

_FORMS = ("value", "sparse_value", "value_float", "value_floats", "value_int", "value_ints", "value_string", "value_strings")


def constant(op: Op) -> Operand:
    """Constant: a tensor, sparse or not, one number or a list of them."""
    given = [name for name in _FORMS if op.attribute(name) is not None]
    if len(given) != 1:
        op.refuse(f"a Constant with {given or 'no value'}", "have one value")
    form = given[0]
    if form in ("value_string", "value_strings"):
        op.refuse("a Constant of text", "be of numbers")
    label = op.node.output[0]
    if any(attribute.ref_attr_name for attribute in op.node.attribute):
        # The value comes from the call: another call has another one.
        return stored(op.builder, _value(op, form), label)
    return op.scope.constant(op.node, label, lambda: _value(op, form))


def _value(op: Op, form: str) -> Stored:
    if form == "value":
        found = op.tensor(form)
        assert found is not None
        return found
    attribute = op.attribute(form)
    assert attribute is not None
    if form == "sparse_value":
        return op.scope.reader.sparse(attribute.sparse_tensor, op.where)
    if form == "value_floats":
        return op.scope.reader.floats(attribute, op.where)
    if form == "value_float":
        return stored_array(np.array(attribute.f, np.float32))
    return stored_array(np.array(attribute.i if form == "value_int" else list(attribute.ints), np.int64))


def constant_of_shape(op: Op) -> Result:
    """A fill is one stored number, expanded."""
    shape = op.known_ints(0)
    if min(shape, default=0) < 0:
        op.refuse(f"a fill of shape {shape}", "have sizes of at least 0")
    fill = op.tensor("value") or stored_array(np.zeros(1, np.float32))
    if fill.numel != 1:
        op.refuse(f"a fill of {fill.numel} values", "have one")
    number = fill.load().reshape(-1)[0]
    return op.expand(op.builder.scalar(number.item(), fill.format), shape)


def eye_like(op: Op) -> Operand:
    """The identity matrix, stored."""
    shape = op.operand(0).shape
    if len(shape) != 2 or math.prod(shape) > MOST_GENERATED:
        op.refuse(f"an identity of shape {shape}", f"be a matrix of at most {MOST_GENERATED:,} elements")
    fmt = element_type(op.integer("dtype"), op.where).format if op.attribute("dtype") is not None else op.operand(0).format
    value = op.builder.constant(np.eye(*shape, k=op.integer("k", 0)), "identity", fmt)
    return computed(op.builder, value, static=True)


def shape_only(op: Op) -> Operand:
    """Shape, Size and NonZero describe tensors: they are folded, or the data decides them."""
    op.refuse(f"{op.kind} of something that the data decides", "be constant", "fixed shapes are counted: export with constant shapes")


def ahead(op: Op, name: str) -> Operand | None:
    """What ``name`` stands for, also where a Constant of this graph defines it only later; ``None`` where nothing does yet."""
    if op.scope.has(name):
        item = op.scope.find(name)
        return item if isinstance(item, Operand) else None
    node = op.scope.producer(name)
    if node is None or node.op_type != "Constant" or plain(node.domain):
        return None
    found = constant(Op(op.walk, op.scope, op.scope.step(node), []))
    op.here()
    return found
