"""One run through a graph or function: what its refs stand for, and its nodes as steps, each behind what it needs."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from micronet_verify.plugin import LONGEST, GraphBuilder, Item, Line, Operand, Refusal, Results, Step, Unknown, Walk, priced, stored
from micronet_verify.plugin import Scope as CoreScope
from micronet_verify_tensorflow.messages import Body, NodeDef, bad
from micronet_verify_tensorflow.operands import Handle
from micronet_verify_tensorflow.program import Program, Variable


@dataclass(frozen=True, slots=True)
class Idiom:
    """A function that a node ends. ``refs``: its operands; ``rule`` answers ``None`` where they do not fit it."""

    name: str
    refs: tuple[str, ...]
    rule: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Language:
    """How nodes are read: lines by operator, and the idiom that ends in a node, if one does."""

    table: Mapping[str, Line[Any] | Refusal]
    idiom: Callable[[Scope, NodeDef], Idiom | None]


class Scope(CoreScope):
    """One call of ``body``. Inputs and arguments stand under their names; of a node all results stand together.

    Refs are ``node``, ``node:1`` or ``node:output:1``. ``branches``: what the names of branches begin with here.
    """

    def __init__(
        self, walk: Walk, program: Program, language: Language, body: Body, builder: GraphBuilder, branches: str | None = None
    ) -> None:
        super().__init__(builder, branches=branches)
        self._walk, self.program, self._language, self.body = walk, program, language, body
        self._results: dict[str, Results | None] = {}
        self._as_written: set[str] = set()

    # The order of the nodes

    def steps(self, refs: Sequence[str]) -> Iterator[Step]:
        """The nodes that these refs need, one after the other, without recursion over the graph."""
        for ref in refs:
            pending, opened = [ref], set[tuple[str, bool]]()
            while pending:
                node = self.node(pending[-1])
                if node is None or self.has(node.name):
                    pending.pop()
                    continue
                idiom = None if node.name in self._as_written else self._language.idiom(self, node)
                needed = [source for ref in (idiom.refs if idiom else node.inputs) if (source := self.node(ref)) is not None]
                missing = [source.name for source in needed if not self.has(source.name)]
                if not missing:
                    yield self._step(node, idiom)
                elif (node.name, idiom is None) in opened:
                    raise bad(f"the node {node.name!r}, which needs its own result", "be computed from others", self.program.name)
                opened.add((node.name, idiom is None))
                pending += missing

    def _step(self, node: NodeDef, idiom: Idiom | None) -> Step:
        if idiom is not None:
            return Step(idiom.name, _place(node), priced(idiom.rule), idiom.refs, (node.name,), node, source=node.op)
        line = self._language.table.get(node.op, Unknown(f"the operator {node.op}"))
        return Step(node.op, _place(node), line, node.inputs, (node.name,), node, node.name)

    def call(self, name: str, builder: GraphBuilder, arguments: Sequence[Item | None], where: str, branches: str | None = None) -> Results:
        """The results of the function ``name`` that the node at ``where`` calls; its nodes go to ``builder``."""
        body = self.program.functions.get(name)
        if body is None:
            raise bad(f"a call of the function {name!r}, which is not in the file", "be in its library", where)
        if len(arguments) != len(body.arguments):
            raise bad(f"{len(arguments)} operands of {name!r}", f"be {len(body.arguments)}", where)
        inner = Scope(self._walk, self.program, self._language, body, builder, branches)
        inner.items.update(zip((argument for argument, _ in body.arguments), arguments, strict=True))
        refs = [_returned(body, result) for result in body.results]
        return self._walk.call(f"function {name!r}", name, inner, inner.steps(refs), refs, where)

    # What refs stand for

    def node(self, ref: str) -> NodeDef | None:
        """The node that a ref reads, ``None`` for an argument. Raises ``SubmissionFault`` where there is neither."""
        name, _, _ = self.split(ref)
        if name in self.items and name not in self.body.nodes:
            return None
        found = self.body.nodes.get(name)
        if found is None:
            raise bad(f"an operand {ref!r} that nothing computes", "be computed", self._title)
        return found

    def split(self, ref: str) -> tuple[str, str, int]:
        """(node or argument, name of the output, number) of a ref."""
        name, _, rest = ref.partition(":")
        output, _, number = rest.rpartition(":")
        if number and not number.isdigit():
            raise bad(f"the ref {ref!r}", "be node:output:number", self._title)
        return name, output, int(number[:9]) if number else 0

    def has(self, ref: Hashable) -> bool:
        return ref in self._results or super().has(ref)

    def find(self, ref: Hashable) -> Item | None:
        name, output, number = self.split(str(ref))
        results = [self.items[name]] if name in self.items else self._results[name]
        if results is None:
            return None
        kind = self.body.nodes[name].op if name in self.body.nodes else "an argument"
        line = self._language.table.get(kind)
        outputs = line.outputs if isinstance(line, Line) else ()
        if output and outputs:
            if output not in outputs:
                raise bad(f"the result {output!r} of {kind}", f"be one of {', '.join(outputs)}", f"node {name!r}")
            number += outputs.index(output)
        if number >= len(results):
            raise bad(f"result {number} of {kind}", f"be one of its {len(results)}", f"node {name!r}")
        return results[number]

    def take(self, step: Step, results: Sequence[Item | None]) -> None:
        """An idiom that does not fit leaves its node to be read as it is written."""
        name = step.node.name
        if step.name != step.node.op and list(results) == [None]:
            self._as_written.add(name)
        else:
            self._results[name] = list(results)

    def spoil(self, step: Step) -> None:
        self._results.setdefault(step.node.name, None)

    # Constants of the file

    def variable(self, found: Variable, key: Hashable) -> Handle | Operand:
        """What stands for a variable: its handle, or its value."""
        operand = self._walk.constant(key, lambda: stored(self._walk.builder, found.stored, found.name))
        return Handle(operand) if found.handle else operand

    def constant(self, node: NodeDef) -> Operand:
        """A constant, one and the same wherever a loop or a function that is called twice comes by again."""

        def read() -> Operand:
            return stored(self._walk.builder, self.program.constant(node, self.builder.where), node.name)

        return self._walk.constant(("constant", self.body.name, node.name), read)

    @property
    def _title(self) -> str:
        return f"function {self.body.name!r}" if self.body.name else "the main graph"


def _returned(body: Body, result: str) -> str:
    if result not in body.returned:
        raise bad(f"a result {result!r} that nothing computes", "be computed", f"function {body.name!r}")
    return body.returned[result]


def _place(node: NodeDef) -> str:
    """The layer's path that Keras and TensorFlow write into a node's name: ``block1.conv`` of ``block1/conv/Conv2D``."""
    parts = node.name.split("/")
    text = ".".join(parts[:-1] or parts)
    return "".join(letter if letter.isprintable() else "?" for letter in text)[-LONGEST:]
