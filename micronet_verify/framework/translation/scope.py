"""What the names of one graph or body stand for while it is translated."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.translation.operand import Item
from micronet_verify.framework.translation.step import Step

UNPRICED = "places of maxima, saved statistics and the like have no price: compute what you need of them with operators that have one"


class Scope:
    """One run through a graph or a body. A name maps to ``None`` where the step that makes it was at fault: that is reported once.

    ``parent``: the scope around it, whose names are seen here. ``path``: the calls around it, for places. ``branches``: what the
    names of branches begin with here, ``None`` where a step may run more than once and no record can tell the runs apart.
    ``done``: results that an earlier step has made already, by the name of what they are.
    """

    def __init__(self, builder: GraphBuilder, *, parent: Scope | None = None, path: str = "", branches: str | None = None) -> None:
        self.builder, self.parent, self.path, self.branches = builder, parent, path, branches
        self.items: dict[Hashable, Item | None] = {}
        self.done: dict[Hashable, Hashable] = {}

    def has(self, ref: Hashable) -> bool:
        """Whether ``ref`` stands for anything here, were it only a fault."""
        return ref in self.items or (self.parent is not None and self.parent.has(ref))

    def find(self, ref: Hashable) -> Item | None:
        """What ``ref`` stands for; ``None`` behind a fault. Raises ``SubmissionFault`` if nothing defines it before."""
        scope: Scope | None = self
        while scope is not None:
            if ref in scope.items:
                return scope.items[ref]
            scope = scope.parent
        return self.missing(ref)

    def missing(self, ref: Hashable) -> Item | None:
        """What stands for a name that no step has defined: a constant of the file, or a fault."""
        raise SubmissionFault(
            Problem(f"an operand {self.named(ref)} that nothing computes before", "be computed before", self.builder.where)
        )

    def present(self, refs: Sequence[Hashable | None]) -> list[Item | None] | None:
        """Operands, ``None`` for one that is left out. Nothing at all where one is behind a fault, which is reported already."""
        found: list[Item | None] = []
        for ref in refs:
            item = None if ref is None else self.find(ref)
            if item is None and ref is not None:
                return None
            found.append(item)
        return found

    def define(self, ref: Hashable, item: Item | None) -> None:
        """Give ``ref`` its one meaning. Raises ``SubmissionFault`` if it has one already, here or outside."""
        if self.has(ref):
            raise SubmissionFault(Problem(f"a second value called {self.named(ref)}", "be defined once", self.builder.where))
        self.items[ref] = item

    def take(self, step: Step, results: Sequence[Item | None]) -> None:
        """Define what a step makes. A rule may make fewer results than there are, where nobody reads the others."""
        for index, ref in enumerate(step.results):
            if ref is None:
                continue
            if index < len(results):
                self.define(ref, results[index])
            elif self.is_read(ref):
                got = f"a use of result {index + 1} ({self.named(ref)}) of {step.name}"
                raise SubmissionFault(Problem(got, f"use the first {len(results)} only", self.builder.where, UNPRICED))

    def spoil(self, step: Step) -> None:
        """Mark what a step should have made as faulty."""
        for ref in step.results:
            if ref is not None and not self.has(ref):
                self.items[ref] = None

    def is_read(self, ref: Hashable) -> bool:
        """Whether anything reads ``ref``."""
        return True

    def named(self, ref: Hashable) -> str:
        """A name as sentences quote it."""
        return repr(ref)
