"""A TensorFlow program as a neutral graph: the walk over what the outputs of its signature need."""

from __future__ import annotations

from functools import partial

from micronet_verify.plugin import Graph, GraphBuilder, Item, Shape, Value, Walk, computed, input_shape, tensor
from micronet_verify_tensorflow.fold import FOLDS
from micronet_verify_tensorflow.formats import data_type
from micronet_verify_tensorflow.idioms import find_idiom
from micronet_verify_tensorflow.messages import NodeDef, bad
from micronet_verify_tensorflow.op import Op
from micronet_verify_tensorflow.op_table import TABLE
from micronet_verify_tensorflow.program import Program, base
from micronet_verify_tensorflow.scope import Language, Scope


def translate(program: Program, builder: GraphBuilder) -> Graph:
    """The whole model. Raises ``SubmissionFault`` with all problems together."""
    walk = Walk(program.name, builder, Op, FOLDS)
    scope = Scope(walk, program, Language(TABLE, find_idiom), program.main, builder, branches="")
    inputs, outputs = sorted(program.signature.inputs.items()), sorted(program.signature.outputs.items())
    for key, ref in inputs:
        walk.input(scope, base(ref), key, partial(_input, scope, key, ref))
    for node in program.main.nodes.values():
        # What was traced here has placeholders for its variables.
        if node.op == "Placeholder" and not scope.has(node.name) and (found := program.variable(node)) is not None:
            scope.define(node.name, scope.variable(found, ("captured", node.name)))
    results: list[Value | None] = [None] * len(outputs)
    with walk.faults.collecting(program.name):
        walk.main(None, scope, scope.steps([ref for _, ref in outputs]))
        results = [walk.output(scope, ref, key, lambda item: tensor(item, builder.where).value) for key, ref in outputs]
    return walk.graph(len(inputs), results)


def _input(scope: Scope, key: str, ref: str) -> Item:
    where, node = f"input {key!r}", scope.body.nodes.get(base(ref))
    if node is None or node.op != "Placeholder":
        raise bad("an input that is not a placeholder of its own", "be one", where)
    if "dtype" not in node.attributes:
        raise bad("an input without a type", "have one", where)
    kind = scope.program.attributes.kind(node.attributes["dtype"], where)
    shape = declared_shape(scope.program, node, where, scope.builder.batch)
    return computed(scope.builder, scope.builder.input(shape, data_type(kind, where), key))


def declared_shape(program: Program, node: NodeDef, where: str, batch: int = 1) -> Shape:
    """The shape of a placeholder; a free batch is ``batch``. Raises ``SubmissionFault`` for other free axes or another batch."""
    span = node.attributes.get("shape")
    sizes = program.attributes.shape(span, where) if span is not None else None
    return input_shape([None if size < 0 else size for size in sizes or ()], where, batch)
