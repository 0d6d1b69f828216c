"""Operators that carry subgraphs: ``cond`` becomes a branch; a switch of gradients is no operator at all."""

from __future__ import annotations

from collections.abc import Sequence

from micronet_verify.plugin import Graph, GraphBuilder, Problem, SubmissionFault, Value
from micronet_verify_pytorch.call import Argument, Poisoned, Results
from micronet_verify_pytorch.op import Subgraphs
from micronet_verify_pytorch.program import Body, Step

# Settings in front of the operands of ``wrap_with_autocast``.
AUTOCAST = 4


def cond(translator: Subgraphs, step: Step, positional: Sequence[Argument], builder: GraphBuilder) -> Results:
    """``torch.cond``: bodies[0] where the predicate holds. A body reads the operands where they are, constants among them."""
    bodies = [argument for argument in step.positional if isinstance(argument, Body)]
    predicate, operands = positional if len(positional) == 2 else (None, None)
    if len(bodies) != 2 or not isinstance(operands, tuple) or step.branch is None:
        raise SubmissionFault(Problem("a cond that is not (predicate, two bodies, operands)", "be one", builder.where))
    if not isinstance(predicate, Value):
        raise SubmissionFault(Problem("a cond on sizes", "be on data", builder.where, "sizes are known at export: use a plain if"))
    graphs = [_body(translator, body, operands, builder) for body in bodies]
    return builder.emit_bodies("branch", (predicate,), graphs, id=step.branch)


def _body(translator: Subgraphs, body: Body, operands: Sequence[Argument], outer: GraphBuilder) -> Graph:
    """An early exit answers with what is already there: a body hands that on as a result of its own."""
    graph = _entered(translator, body, operands, outer).finish(body.graph, outer.body(), own=True)
    if graph is None:
        raise Poisoned
    return graph


def inlined(translator: Subgraphs, step: Step, positional: Sequence[Argument], builder: GraphBuilder) -> Results:
    """``wrap_with_set_grad_enabled(enabled, body, *operands)``: the body, here."""
    bodies = [argument for argument in step.positional if isinstance(argument, Body)]
    if len(bodies) != 1:
        raise SubmissionFault(Problem(f"{len(bodies)} wrapped bodies", "be one", builder.where))
    return _entered(translator, bodies[0], positional[1:], builder).run(bodies[0].graph, builder)


def without_autocast(translator: Subgraphs, step: Step, positional: Sequence[Argument], builder: GraphBuilder) -> Results:
    """``wrap_with_autocast(device, dtype, enabled, cache, body, *operands)``: the body, where nothing is cast on the way."""
    bodies = [argument for argument in step.positional if isinstance(argument, Body)]
    if len(bodies) != 1 or len(positional) < AUTOCAST or positional[2] is not False:
        advice = "hand in exported_program.run_decompositions({}), in which every cast is written out"
        raise SubmissionFault(Problem("arithmetic under autocast", "be written out", builder.where, advice))
    return _entered(translator, bodies[0], positional[AUTOCAST:], builder).run(bodies[0].graph, builder)


def _entered(translator: Subgraphs, body: Body, operands: Sequence[Argument], outer: GraphBuilder) -> Subgraphs:
    if len(body.graph.inputs) != len(operands):
        raise SubmissionFault(Problem(f"{len(operands)} operands for {len(body.graph.inputs)} inputs", "be as many", outer.where))
    inner = translator.inner()
    for name, operand in zip(body.graph.inputs, operands, strict=True):
        inner.bind(name, operand)
    return inner
