"""Operators that carry subgraphs: ``cond`` becomes a branch; a switch of gradients is no operator at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.graph import Graph, Value
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify_pytorch.call import Item, Poisoned, Results
from micronet_verify_pytorch.program import Body, Step

if TYPE_CHECKING:
    from micronet_verify_pytorch.counter import Translator

Resolved = Item | tuple[Item, ...]


def cond(translator: Translator, step: Step, positional: Sequence[Resolved], builder: GraphBuilder) -> Results:
    """``torch.cond``: bodies[0] where the predicate holds.

    Constants are declared again inside each body, at the same place of the file: they are stored once. Everything else is
    an operand of the node and an input of both bodies, in the same order.
    """
    bodies = [argument for argument in step.positional if isinstance(argument, Body)]
    predicate, operands = positional if len(positional) == 2 else (None, None)
    if len(bodies) != 2 or not isinstance(operands, tuple):
        raise SubmissionFault(Problem("a cond that is not (predicate, two bodies, operands)", "be one", builder.where))
    if not isinstance(predicate, Value):
        raise SubmissionFault(Problem("a cond on sizes", "be on data", builder.where, "sizes are known at export: use a plain if"))
    passed = [operand for operand in operands if isinstance(operand, Value) and translator.origin(operand) is None]
    graphs = [_body(translator, body, operands, builder) for body in bodies]
    if graphs[0] is None or graphs[1] is None:
        raise Poisoned
    return builder.emit_bodies("branch", (predicate, *passed), (graphs[0], graphs[1]))


def _body(translator: Translator, body: Body, operands: Sequence[Item], outer: GraphBuilder) -> Graph | None:
    inner, builder = translator.inner(), outer.body()
    if len(body.graph.inputs) != len(operands):
        raise SubmissionFault(Problem(f"{len(operands)} operands for {len(body.graph.inputs)} inputs", "be as many", outer.where))
    for name, operand in zip(body.graph.inputs, operands, strict=True):
        constant = translator.origin(operand) if isinstance(operand, Value) else None
        if constant is not None:
            inner.bind_constant(name, constant, builder)
        elif isinstance(operand, Value):
            inner.bind(name, builder.input(operand.shape, operand.format, operand.label))
        else:
            inner.bind(name, operand)
    return inner.finish(body.graph, builder)


def inlined(translator: Translator, step: Step, positional: Sequence[Resolved], builder: GraphBuilder) -> Results:
    """``wrap_with_set_grad_enabled(enabled, body, *operands)``: the body, here."""
    bodies = [argument for argument in step.positional if isinstance(argument, Body)]
    operands = positional[1:]
    if len(bodies) != 1 or len(bodies[0].graph.inputs) != len(operands):
        raise SubmissionFault(Problem("a wrapped body that does not fit its operands", "fit", builder.where))
    inner = translator.inner(here=True)
    for name, operand in zip(bodies[0].graph.inputs, operands, strict=True):
        inner.bind(name, operand)
    return inner.run(bodies[0].graph, builder)
