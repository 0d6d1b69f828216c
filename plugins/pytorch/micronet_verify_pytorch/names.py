"""What the names of a graph or body stand for: every value is compared with what the archive declares, operators in place are followed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from micronet_verify.plugin import (
    GraphBuilder,
    Item,
    NoTensor,
    Operand,
    Problem,
    Refusal,
    Results,
    Scope,
    Shape,
    Step,
    SubmissionFault,
    Unknown,
    Walk,
    computed,
)
from micronet_verify_pytorch.aliases import Aliases, names_in
from micronet_verify_pytorch.formats import container
from micronet_verify_pytorch.inputs import shape_of
from micronet_verify_pytorch.lines import Line
from micronet_verify_pytorch.program import ProgramGraph, Ref

LookUp = Callable[[str], tuple[Line[Any] | Refusal | Unknown, str]]
"""The line of an operator of torch, and its name without the overload."""
FUNCTIONAL = "hand in exported_program.run_decompositions({}), which has no operators in place"


class Number(NoTensor):
    """A size, or what arithmetic makes of sizes; the same for every example."""

    got: ClassVar[str] = "a number"
    static: ClassVar[bool] = True

    def __init__(self, number: Any) -> None:
        self.number = number


class Names(Scope):
    """``unwritten``: elements of memory that nothing was written to, by value id; of the whole translation."""

    def __init__(
        self, walk: Walk, graph: ProgramGraph, builder: GraphBuilder, look_up: LookUp, symbols: Mapping[str, int], branches: str | None = ""
    ) -> None:
        super().__init__(builder, branches=branches)
        self.graph, self.aliases = graph, Aliases(graph)
        self.unwritten: dict[str, NDArray[np.bool_]] = {}
        self._walk, self._look_up, self._symbols = walk, look_up, symbols
        self._at = 0

    def steps(self) -> Iterator[Step]:
        """The operators, in order."""
        for index, node in enumerate(self.graph.steps):
            self._at = index
            line, base = self._look_up(node.target)
            operands = tuple(dict.fromkeys(names_in((*node.arguments.values(), *node.positional))))
            yield Step(base, node.scope, line, operands, node.outputs, node, node.label)

    def call(self, graph: ProgramGraph, builder: GraphBuilder, operands: Sequence[Item | None], branches: str | None = None) -> Results:
        """The results of a body, whose nodes go to ``builder``. It reads the operands where they are, constants among them."""
        where = self.builder.where
        if len(graph.inputs) != len(operands):
            raise SubmissionFault(Problem(f"{len(operands)} operands for {len(graph.inputs)} inputs", "be as many", where))
        inner = Names(self._walk, graph, builder, self._look_up, self._symbols, branches)
        inner.unwritten = self.unwritten
        inner.items.update(zip(graph.inputs, operands, strict=True))
        outputs = [output.name for output in graph.outputs if isinstance(output, Ref)]
        if len(outputs) != len(graph.outputs):
            raise SubmissionFault(Problem("a body that answers with something else than tensors", "answer with tensors", where))
        return self._walk.call("body", id(graph), inner, inner.steps(), outputs, where)

    def missing(self, ref: Hashable) -> Item | None:
        raise SubmissionFault(Problem(f"a use of {ref!r}", "come after it is computed", self.builder.where))

    def is_read(self, ref: Hashable) -> bool:
        return ref in self.aliases.last_use

    def take(self, step: Step, results: Sequence[Item | None]) -> None:
        """Define what a step makes, and note which names are one tensor from here on."""
        super().take(step, results)
        line, subject = step.line, step.node.arguments.get("self", step.node.arguments.get("input"))
        for name, result in zip(step.results, results, strict=False):
            if isinstance(name, str) and isinstance(result, Operand) and isinstance(line, Line):
                if line.changes:
                    self._change(name, subject.name if isinstance(subject, Ref) else "", result)
                elif isinstance(subject, Ref) and line.alias:
                    self.aliases.join(name, subject.name, line.alias == "same")

    def define(self, ref: Hashable, item: Item | None) -> None:
        """The archive's own declaration is never believed; where it disagrees with what is inferred, one of them lies."""
        if isinstance(item, Operand):
            self._compare(ref, item)
        super().define(ref, item)

    def _compare(self, ref: Hashable, item: Operand) -> None:
        where, meta = self.builder.where, self.graph.metas.get(str(ref))
        if meta is None:
            raise SubmissionFault(Problem(f"no declared shape for {ref!r}", "have one", where))
        declared = self.declared(str(ref))
        if declared != item.shape:
            got = f"a declared shape {declared}" + (f" (at batch {self.builder.batch})" if self._symbols else "")
            raise SubmissionFault(Problem(got, f"be {item.shape}", where))
        if meta.format != container(item.format):
            raise SubmissionFault(Problem(f"a declared type {meta.format or 'complex'}", f"be {container(item.format)}", where))

    def declared(self, name: str, where: str = "") -> Shape:
        """The shape that the archive declares. Raises ``SubmissionFault``."""
        return shape_of(self.graph.metas[name].sizes, self._symbols, where or self.builder.where)

    def spoil(self, step: Step) -> None:
        """Go on with the declared results, so that one pass finds every fault; the graph is thrown away."""
        super().spoil(step)
        for name in step.results:
            meta = self.graph.metas.get(str(name))
            if name is not None and self.items[name] is None and meta is not None and meta.format is not None:
                with contextlib.suppress(SubmissionFault):
                    value = self.builder.input(self.declared(str(name)), meta.format)
                    self.items[name] = computed(self.builder, value)

    def _change(self, name: str, subject: str, result: Operand) -> None:
        """An operator in place: everything that is the tensor it changes means the result from here on."""
        before, where = self.items.get(subject), self.builder.where
        if not isinstance(before, Operand) or (before.shape, container(before.format)) != (result.shape, container(result.format)):
            raise SubmissionFault(Problem("a change of shape or type in place", "keep both", where, FUNCTIONAL))
        group, other = self.aliases.change(subject, self._at)
        if other is not None:
            got = f"a tensor changed in place while {other!r} still shares its memory"
            raise SubmissionFault(Problem(got, "be changed as a copy", where, FUNCTIONAL))
        self.items.update(dict.fromkeys(group, result))
        self.aliases.join(name, subject, True)
