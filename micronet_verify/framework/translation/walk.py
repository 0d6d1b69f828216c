"""Drives a translation: operator by operator, with faults collected, constants kept and shape arithmetic folded.

The walk asks a plugin for steps and for a view on each (an ``Op``), looks the rule up, and defines what it makes. Nothing else
decides what happens to an operator, so every plugin's files are read alike.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.graph import Graph, Value
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.translation.faults import COLLECTED, Faults
from micronet_verify.framework.translation.folding import Folds, fold, is_shape
from micronet_verify.framework.translation.limits import DEEPEST
from micronet_verify.framework.translation.operand import Array, Item, Operand, Results, folded
from micronet_verify.framework.translation.scope import Scope
from micronet_verify.framework.translation.step import Step
from micronet_verify.framework.translation.table import rule_of


class View(Protocol):
    """What the walk asks of a plugin's view on one operator (``op.Op`` answers all of it)."""

    builder: GraphBuilder

    def check(self) -> None: ...
    def may_fold(self) -> bool: ...
    def label(self, index: int) -> str: ...
    def result(self, value: Value, index: int, known: Array | None) -> Operand: ...
    def finish(self) -> None: ...


class Walk:
    """One translation. ``view`` makes a plugin's view on a step from the walk, a scope, the step and its operands;
    ``folds`` is the format's shape arithmetic."""

    def __init__(self, file: str, builder: GraphBuilder, view: Callable[..., View], folds: Folds) -> None:
        self.file, self.builder, self._view, self._folds = file, builder, view, folds
        self.faults = Faults(file)
        self._constants: dict[Hashable, Operand] = {}
        self._active: list[Hashable] = []
        self.branches: set[str] = set()
        """Names of branches so far: a record has one name."""
        self.turns: set[str] = set()
        """Values that are the number of a loop's turn, where what it decides may not be charged as if the data did."""

    # The main graph

    def input(self, scope: Scope, ref: Hashable, name: str, make: Callable[[], Item]) -> None:
        """An input of the model; behind a fault it stands for nothing."""
        where = f"input {name!r}"
        with self.faults.collecting(where):
            self.builder.at(where)
            scope.define(ref, None)
            self.builder.at("input", name)
            scope.items[ref] = make()

    def main(self, key: Hashable, scope: Scope, steps: Iterable[Step]) -> None:
        """The steps of the main graph; a function of the same key would call the model itself."""
        with self._entered("model", key, self.file):
            self.run(steps, scope)

    def output(self, scope: Scope, ref: Hashable, name: str, plain: Callable[[Item], Value]) -> Value | None:
        """An output of the model as a value; nothing behind a fault."""
        self.builder.at("output", name)
        with self.faults.collecting(f"output {name!r}"):
            item = scope.find(ref)
            return None if item is None or self.faults.problems else plain(item)
        return None

    def graph(self, inputs: int, outputs: Sequence[Value | None]) -> Graph:
        """The whole model, which has so many inputs. Raises ``SubmissionFault`` with all problems together."""
        for found, what in ((inputs, "inputs"), (len(outputs), "outputs")):
            if not found:
                self.faults.problems.append(Problem(f"a model without {what}", "have one", self.file))
        self.faults.check()
        return self.builder.finish([value for value in outputs if value is not None])

    # Steps

    def run(self, steps: Iterable[Step], scope: Scope) -> None:
        """All steps, in the order in which the plugin gives them."""
        for step in steps:
            self.step(step, scope)

    def step(self, step: Step, scope: Scope) -> None:
        """One operator. A fault is kept for the end, and what the step should have made is passed over in silence from here on."""
        self.faults.one_more()
        scope.builder.at(step.source or step.name, step.place)
        where = scope.builder.where
        try:
            rule = rule_of(step.name, step.line, where)
            items = scope.present(step.operands)
            if items is None:
                scope.spoil(step)
            else:
                scope.take(step, self._results(step, scope, rule, items))
        except COLLECTED as error:
            self.faults.keep(error, where)
            scope.spoil(step)

    def _results(self, step: Step, scope: Scope, rule: Callable[[View], object], items: Results) -> Results:
        """Shape arithmetic is folded; everything else is emitted, and small results of constants keep their numbers."""
        view = self._view(self, scope, step, items)
        view.check()
        if scope.done and step.results[0] in scope.done:
            return [scope.find(scope.done[step.results[0]])]
        known = fold(view, step.name, items, self._folds) if view.may_fold() else None
        if known is not None and all(is_shape(array) for array in known):
            return [folded(view.builder, array, view.label(index)) for index, array in enumerate(known)]
        answer = rule(view)
        made: Results = []
        for index, result in enumerate(answer if isinstance(answer, list | tuple) else (answer,)):
            if isinstance(result, Value):
                result = view.result(result, index, known[index] if known is not None and index < len(known) else None)
            made.append(result)
        view.finish()
        return made

    # Bodies and constants

    def call(self, name: str, key: Hashable, scope: Scope, steps: Iterable[Step], outputs: Sequence[Hashable], where: str) -> Results:
        """The results of a function or body. ``scope`` has its arguments; ``key`` is one and the same for a function that calls itself."""
        with self._entered(name, key, where):
            self.run(steps, scope)
            return [scope.find(ref) for ref in outputs]

    @contextmanager
    def _entered(self, name: str, key: Hashable, where: str) -> Iterator[None]:
        if key in self._active:
            raise SubmissionFault(Problem(f"a recursive {name}", "not call itself, directly or through others", where))
        if len(self._active) >= DEEPEST:
            got = f"functions, branches and loops more than {DEEPEST} levels deep"
            raise SubmissionFault(Problem(got, f"be at most {DEEPEST} levels deep", where))
        self._active.append(key)
        try:
            yield
        finally:
            self._active.pop()

    def constant(self, key: Hashable, make: Callable[[], Operand]) -> Operand:
        """A tensor of the file, one and the same wherever a loop or a function that is called twice comes by again."""
        if key not in self._constants:
            self._constants[key] = make()
        return self._constants[key]

    def known_constants(self) -> dict[str, Array]:
        """The numbers of small tensors of the file that are in the graph, by value id."""
        used = [(operand.made, operand) for operand in self._constants.values()]
        return {value.id: operand.known for value, operand in used if value is not None and operand.known is not None}
