"""Translates a ``.pt2`` archive into the neutral graph, step by step, as data. Imports no torch."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from micronet_verify.plugin import Graph, GraphBuilder, Problem, Shape, SubmissionFault, TranslateRequest, Value
from micronet_verify_pytorch.aliases import Aliases, names_in
from micronet_verify_pytorch.archive import Constant
from micronet_verify_pytorch.call import Call, Item, Poisoned, Results
from micronet_verify_pytorch.expressions import UnknownSymbol, evaluate, symbol_name
from micronet_verify_pytorch.formats import container
from micronet_verify_pytorch.op import Op
from micronet_verify_pytorch.op_table import lookup
from micronet_verify_pytorch.program import Argument, Body, Program, ProgramGraph, Ref, Step, read_program
from micronet_verify_pytorch.unwritten import Unwritten

BATCH = "torch.export with dynamic_shapes={0: torch.export.Dim('batch')}, or with an example of batch 1"
# What a translation meets in arguments that no real export writes: axes out of range, a factor of 0.
_MISFITS = (ValueError, IndexError, ZeroDivisionError, OverflowError, TypeError, KeyError, AssertionError, MemoryError)
UNPRICED = "places of maxima, saved statistics and the like: compute what you need of them with operators that have a price"
TRAINING = "in training mode"
FUNCTIONAL = "hand in exported_program.run_decompositions({}), which has no operators in place"


class PyTorchCounter:
    """The ``Counter`` of ``.pt2`` archives."""

    def translate(self, request: TranslateRequest, builder: GraphBuilder) -> Graph:
        program = read_program(request.artifact)
        problems: list[Problem] = []
        translator = Translator(program, bind_batch(program, builder.batch, builder.chunk), problems)
        graph = translator.main(builder)
        if any(TRAINING in problem.got for problem in problems):
            # Batch norms in training mode change their statistics in place; out of training mode they do not.
            problems = [problem for problem in problems if problem.advice != FUNCTIONAL]
        if problems:
            raise SubmissionFault(dict.fromkeys(problems))
        assert graph is not None
        return graph


def bind_batch(program: Program, batch: int = 1, chunk: bool = False) -> dict[str, int]:
    """The batch symbol, bound to ``batch``; nothing where it is fixed at 1. Raises ``SubmissionFault`` for another fixed batch.

    ``chunk``: tokens come first, and may be fixed in any number.
    """
    where = program.path.name
    if not program.inputs:
        raise SubmissionFault(Problem("a model without inputs", "take one", where))
    name = program.inputs[0]
    sizes = program.graph.metas[name].sizes if name in program.graph.metas else ()
    if not sizes:
        raise SubmissionFault(Problem(f"the input {name!r} without axes", "have a batch axis first", where, BATCH))
    first = sizes[-1 if chunk else 0]
    if isinstance(first, int):
        if first != 1 and not chunk:
            raise SubmissionFault(Problem(f"a fixed batch of {first}", "be 1 or free (dynamic)", f"input {name} of {where}", BATCH))
        return {}
    symbol = symbol_name(first)
    if symbol is None:
        raise SubmissionFault(Problem(f"a batch of {first[:80]}", "be 1 or free (dynamic)", f"input {name} of {where}", BATCH))
    return {symbol: batch}


class Translator:
    """One graph or subgraph: an environment of names, and where problems are collected."""

    def __init__(self, program: Program, symbols: Mapping[str, int], problems: list[Problem]) -> None:
        self._program, self._symbols, self._problems = program, symbols, problems
        self._env: dict[str, Item | tuple[Item, ...]] = {}
        self._poisoned: set[str] = set()
        self._fixed: set[str] = set()
        self._unwritten = Unwritten()

    def main(self, builder: GraphBuilder) -> Graph | None:
        """The whole graph, or ``None`` where a problem was added."""
        graph, program = self._program.graph, self._program
        for name in graph.inputs:
            builder.at(f"input {name}")
            if name in program.constants:
                self._constant(name, program.constants[name], builder)
            elif name in program.literals:
                self._env[name] = program.literals[name]  # type: ignore[assignment]
            else:
                try:
                    meta = graph.metas[name]
                    if meta.format is None:
                        raise SubmissionFault(Problem(f"the input {name!r} of complex numbers", "be of real ones", program.path.name))
                    self._env[name] = builder.input(self._sizes(graph, name, builder), meta.format, name)
                except SubmissionFault as fault:
                    self._problems.extend(fault.problems)
                    self._poisoned.add(name)
        return self.finish(graph, builder)

    def finish(self, graph: ProgramGraph, builder: GraphBuilder, own: bool = False) -> Graph | None:
        """Run the steps and close the builder, unless a step was refused. ``own``: every output is made in this graph."""
        before = len(self._problems)
        try:
            outputs = [value for value in self.run(graph, builder) if isinstance(value, Value)]
            if self._unwritten.reads(outputs) and len(self._problems) == before:
                what = "an answer that holds memory to which nothing was written"
                raise SubmissionFault(Problem(what, "be written everywhere", self._program.path.name))
            if own:
                outputs = [value if builder.owns(value) else builder.emit("move", value, op="identity") for value in outputs]
        except Poisoned:
            return None
        except SubmissionFault as fault:
            self._problems.extend(fault.problems)
            return None
        if not outputs:
            self._problems.append(Problem("a model without a tensor as output", "answer with one", self._program.path.name))
        return builder.finish(outputs) if len(self._problems) == before else None

    def run(self, graph: ProgramGraph, builder: GraphBuilder) -> list[Item]:
        """Emit the steps; the outputs."""
        aliases = Aliases(graph)
        for index, step in enumerate(graph.steps):
            self._step(graph, index, step, builder, aliases)
        return [self._resolve(output) for output in graph.outputs]  # type: ignore[misc]

    def _constant(self, name: str, constant: Constant, builder: GraphBuilder) -> None:
        path = self._program.path.name
        value = builder.constant_at(path, constant.offset, constant.shape, constant.format, constant.fqn, constant.strides)
        self._env[name] = value
        self._fixed.add(value.id)

    def bind(self, name: str, value: Item | tuple[Item, ...]) -> None:
        self._env[name] = value

    def _step(self, graph: ProgramGraph, index: int, step: Step, builder: GraphBuilder, aliases: Aliases) -> None:
        op, base = lookup(step.target)
        builder.at(base, step.scope)
        try:
            if op is None:
                advice = "see the plugin's README for the operators that can be counted"
                raise SubmissionFault(Problem(f"the operator {step.target}", "be one that can be priced", builder.where, advice))
            if op.charge == "refused":
                op.translate(Call(step.target, builder, {}, (), self._fixed))
            arguments = {name: self._resolve(argument) for name, argument in step.arguments.items()}
            positional = [self._resolve(argument) for argument in step.positional if not isinstance(argument, Body)]
            if op.body is not None:
                results = op.body(self, step, positional, builder)
            else:
                call = Call(step.target, builder, arguments, [aliases.used(name) for name in step.outputs], self._fixed)
                results = op.translate(call)
                call.finish()
                self._written(base.removesuffix("_") if op.changes else base, call, results)
            self._bind_results(graph, index, step, op, results, builder, aliases)
        except Poisoned:
            self._skip(graph, step, builder)
        except SubmissionFault as fault:
            self._problems.extend(fault.problems)
            self._skip(graph, step, builder)
        except _MISFITS as error:
            what = f"arguments that do not fit ({str(error)[:80] or type(error).__name__})"
            self._problems.append(Problem(what, "be those of the operator", builder.where))
            self._skip(graph, step, builder)

    def _written(self, base: str, call: Call, results: Results) -> None:
        """Follow memory that nothing has been written to; what follows it has one result."""
        values = list(results) if isinstance(results, list | tuple) else [results]
        for result in values[:1]:
            if isinstance(result, Value):
                self._unwritten.follow(base, call, call.values(), result)

    def _skip(self, graph: ProgramGraph, step: Step, builder: GraphBuilder) -> None:
        """After a refusal, go on with the declared results, so that one pass finds every fault; the graph is thrown away."""
        for name in step.outputs:
            meta = graph.metas.get(name) if name is not None else None
            if name is None or name in self._env:
                continue
            self._poisoned.add(name)
            if meta is not None and meta.format is not None:
                with contextlib.suppress(SubmissionFault):
                    self._env[name] = builder.input(self._sizes(graph, name, builder), meta.format)

    def _bind_results(
        self, graph: ProgramGraph, index: int, step: Step, op: Op, results: Results, builder: GraphBuilder, aliases: Aliases
    ) -> None:
        listed: list[Item] = list(results) if isinstance(results, list | tuple) else [results]  # type: ignore[list-item]
        if len(listed) < len(step.outputs):
            raise SubmissionFault(Problem(f"{len(step.outputs)} results", f"be {len(listed)}", builder.where))
        sources = map(self._env.get, names_in((*step.arguments.values(), *step.positional)))
        fixed = all(item.id in self._fixed for item in sources if isinstance(item, Value))
        subject = step.arguments.get("self", step.arguments.get("input"))
        for name, result in zip(step.outputs, listed, strict=False):
            if name is None or (result is None and not aliases.used(name)):
                continue
            if name in self._env:
                raise SubmissionFault(Problem(f"two results called {name!r}", "have names of their own", builder.where))
            if result is None:
                raise SubmissionFault(Problem(f"the result {name!r} in use", "not be: it has no price", builder.where, UNPRICED))
            if isinstance(result, Value):
                self._compare(graph, name, result, builder)
                if fixed:
                    self._fixed.add(result.id)
                if isinstance(subject, Ref) and op.alias:
                    aliases.join(name, subject.name, op.alias == "same")
                if op.changes:
                    self._change(index, name, subject, result, builder, aliases)
            self._env[name] = result

    def _change(self, index: int, name: str, changed: Argument, result: Value, builder: GraphBuilder, aliases: Aliases) -> None:
        """An operator in place: everything that is the tensor it changes means the result from here on."""
        subject = changed.name if isinstance(changed, Ref) else ""
        before = self._env.get(subject)
        if not isinstance(before, Value) or (before.shape, container(before.format)) != (result.shape, container(result.format)):
            raise SubmissionFault(Problem("a change of shape or type in place", "keep both", builder.where, FUNCTIONAL))
        group, other = aliases.change(subject, index)
        if other is not None:
            what = f"a tensor changed in place while {other!r} still shares its memory"
            raise SubmissionFault(Problem(what, "be changed as a copy", builder.where, FUNCTIONAL))
        for member in group:
            self._env[member] = result
        aliases.join(name, subject, True)

    def _compare(self, graph: ProgramGraph, name: str, value: Value, builder: GraphBuilder) -> None:
        """The archive's own declaration is never believed; where it disagrees with what is inferred, one of them lies."""
        meta = graph.metas.get(name)
        if meta is None:
            raise SubmissionFault(Problem(f"no declared shape for {name!r}", "have one", builder.where))
        declared = self._sizes(graph, name, builder)
        if declared != value.shape:
            what = f"a declared shape {declared}" + (f" (at batch {builder.batch})" if self._symbols else "")
            raise SubmissionFault(Problem(what, f"be {value.shape}", builder.where))
        if meta.format != container(value.format):
            raise SubmissionFault(Problem(f"a declared type {meta.format or 'complex'}", f"be {container(value.format)}", builder.where))

    def _sizes(self, graph: ProgramGraph, name: str, builder: GraphBuilder) -> Shape:
        """Declared sizes at batch 1."""
        sizes = []
        for axis, size in enumerate(graph.metas[name].sizes):
            try:
                sizes.append(size if isinstance(size, int) else evaluate(size, self._symbols))
            except UnknownSymbol as symbol:
                what = f"a free size {symbol} on axis {axis} of {name!r}"
                raise SubmissionFault(Problem(what, "be fixed: only the batch may be free", builder.where, BATCH)) from None
            except ValueError as error:
                raise SubmissionFault(Problem(str(error), "be an integer expression", builder.where)) from None
        return tuple(sizes)

    def _resolve(self, argument: Argument) -> Item | tuple[Item, ...]:
        if isinstance(argument, Ref):
            if argument.name in self._env:
                return self._env[argument.name]
            if argument.name in self._poisoned:
                raise Poisoned
            raise SubmissionFault(Problem(f"a use of {argument.name!r}", "come after it is computed", self._program.path.name))
        if isinstance(argument, tuple):
            return tuple(self._resolve(item) for item in argument)  # type: ignore[misc]
        if isinstance(argument, Body):
            raise SubmissionFault(Problem(f"a subgraph {argument.name!r}", "belong to an operator that takes one", self._program.path.name))
        return argument

    def inner(self) -> Translator:
        """A translator for a subgraph, which sees the values around it and adds to the same problems."""
        inner = Translator(self._program, self._symbols, self._problems)
        inner._fixed, inner._unwritten = self._fixed, self._unwritten
        return inner
