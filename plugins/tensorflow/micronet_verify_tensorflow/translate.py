"""Walks a program from its outputs and emits the neutral graph; calls are inlined, faults are collected."""

from __future__ import annotations

from collections.abc import Sequence

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.graph import Graph, Value
from micronet_verify.facts.shapes import ShapeError
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.translation.table import Line, Refusal
from micronet_verify_tensorflow.fold import fold, is_shape
from micronet_verify_tensorflow.formats import data_type
from micronet_verify_tensorflow.idioms import Idiom, find_idiom
from micronet_verify_tensorflow.messages import Body, NodeDef, bad
from micronet_verify_tensorflow.op import Op, Result, Rule
from micronet_verify_tensorflow.op_table import TABLE
from micronet_verify_tensorflow.operands import Handle, Item, Operand, computed, folded, stored
from micronet_verify_tensorflow.program import DEEPEST, Program, Variable
from micronet_verify_tensorflow.scope import Scope

# Functions that call functions, and unrolled loops, can make a small file as long as one likes.
MOST_NODES = 200_000
_ADVICE = "see the plugin's README for the operators that can be counted"
_LONGEST = 120


class Translator:
    """Translates one program. ``problems`` collects every fault; nodes behind a fault are passed over in silence."""

    def __init__(self, program: Program, builder: GraphBuilder) -> None:
        self.program, self.builder = program, builder
        self._variables: dict[str, Handle] = {}
        self._constants: dict[tuple[str, str], Operand] = {}
        self._active: list[str] = []
        self.problems: list[Problem] = []
        self.translated = 0

    def graph(self) -> Graph:
        """The whole model. Raises ``SubmissionFault`` with all problems together."""
        scope = Scope(self.builder, self.program.main, {})
        self._inputs(scope)
        self._captured(scope)
        found = [self.find(ref, scope) for _, ref in sorted(self.program.signature.outputs.items())]
        outputs: list[Value] = []
        for item in found:
            if isinstance(item, Operand) and not self.problems:
                outputs.append(item.value)
            elif item is not None and not isinstance(item, Operand):
                self.problems.append(Problem("an output that is no tensor", "be a tensor", self.program.name))
        if self.problems:
            raise SubmissionFault(dict.fromkeys(self.problems))
        return self.builder.finish(outputs)

    def _inputs(self, scope: Scope) -> None:
        for key, ref in sorted(self.program.signature.inputs.items()):
            where = f"input {key!r}"
            node = scope.node(ref)
            if node is None or node.op != "Placeholder" or node.name in scope.results:
                self.problems.append(Problem("an input that is no placeholder of its own", "be one", where))
                continue
            try:
                shape, fmt = input_shape(self.program, node, where, self.builder.batch), self._dtype(node, where)
                scope.results[node.name] = [computed(self.builder.input(shape, data_type(fmt, where), key), static=False)]
            except SubmissionFault as fault:
                self.problems.extend(fault.problems)
                scope.results[node.name] = None

    def _captured(self, scope: Scope) -> None:
        """Placeholders that stand for variables, as in a graph that was traced here."""
        for node in self.program.main.nodes.values():
            if node.op == "Placeholder" and node.name not in scope.results and (found := self.program.variable(node)) is not None:
                operand = stored(self.builder, found.stored, found.name)
                scope.results[node.name] = [Handle(found.name, operand) if found.handle else operand]

    def _dtype(self, node: NodeDef, where: str) -> int:
        span = node.attributes.get("dtype")
        if span is None:
            raise bad("an input without a type", "have one", where)
        return self.program.attributes.kind(span, where)

    def find(self, ref: str, scope: Scope) -> Item | None:
        """What a ref stands for; the nodes that it needs are translated first, without recursion over the graph."""
        pending = [ref]
        open_: set[str] = set()
        while pending:
            node = scope.node(pending[-1])
            if node is None or node.name in scope.results:
                pending.pop()
                continue
            idiom = find_idiom(scope, node)
            needed = idiom.refs if idiom is not None else node.inputs
            missing = [item for item in needed if (source := scope.node(item)) is not None and source.name not in scope.results]
            if not missing:
                pending.pop()
                self._node(node, scope, idiom)
                continue
            if node.name in open_:
                raise bad(f"the node {node.name!r}, which needs its own result", "be computed from others", self.program.name)
            open_.add(node.name)
            pending += missing
        return self._result(ref, scope)

    def _result(self, ref: str, scope: Scope) -> Item | None:
        node = scope.node(ref)
        if node is None:
            return scope.arguments[ref]
        results = scope.results[node.name]
        if results is None:
            return None
        name, output, number = scope.split(ref)
        line = TABLE.get(node.op)
        outputs = line.outputs if isinstance(line, Line) else ()
        if output and outputs:
            if output not in outputs:
                raise bad(f"the result {output!r} of {node.op}", f"be one of {', '.join(outputs)}", f"node {name!r}")
            number += outputs.index(output)
        if number >= len(results):
            raise bad(f"result {number} of {node.op}", f"be one of its {len(results)}", f"node {name!r}")
        return results[number]

    def _node(self, node: NodeDef, scope: Scope, idiom: Idiom | None) -> None:
        self.translated += 1
        if self.translated > MOST_NODES:
            got = f"more than {MOST_NODES:,} nodes once functions and loops are written out"
            raise SubmissionFault([*self.problems, Problem(got, "be fewer", self.program.name)])
        place = _place(node)
        scope.builder.at(node.op, place)
        where = scope.builder.where
        scope.results[node.name] = None
        try:
            line = self._line(node, where)
            if idiom is not None:
                items = self._present(scope, idiom.refs)
                written = None if items is None else idiom.rule(Op(self, scope, node, items, (node.op, place)))
                if items is None or written is not None:
                    scope.results[node.name] = None if written is None else [computed(written, static=False)]
                    return
                for ref in node.inputs:
                    self.find(ref, scope)
            items = self._present(scope, node.inputs)
            if items is not None:
                scope.results[node.name] = self._results(Op(self, scope, node, items, (node.op, place)), line)
        except SubmissionFault as fault:
            if self.translated > MOST_NODES:
                raise
            self.problems.extend(fault.problems)
        except ShapeError as error:
            self.problems.append(error.at(where))
        except (ValueError, IndexError, ArithmeticError, TypeError, MemoryError) as error:
            detail = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
            self.problems.append(Problem(f"operands that do not fit ({detail})", "follow the operator's definition", where))

    def _present(self, scope: Scope, refs: Sequence[str]) -> list[Item] | None:
        """Operands, or ``None`` where one was refused: that is reported already."""
        items = [self._result(ref, scope) for ref in refs]
        present = [item for item in items if item is not None]
        return present if len(present) == len(items) else None

    def _line(self, node: NodeDef, where: str) -> Line[Rule]:
        line = TABLE.get(node.op)
        if isinstance(line, Line):
            return line
        got = f"{node.op}: {line.reason}" if isinstance(line, Refusal) else f"the operator {node.op}"
        advice = line.advice if isinstance(line, Refusal) else _ADVICE
        raise SubmissionFault(Problem(got, "be an operator that this counter can price", where, advice))

    def _results(self, op: Op, line: Line[Rule]) -> Sequence[Item | None]:
        """Shape arithmetic is folded; everything else is emitted, and small results of constants keep their numbers."""
        known = fold(op)
        if known is not None and all(is_shape(array) for array in known):
            return [folded(self.builder, array, op.node.name) for array in known]
        answer: Result | Sequence[Result | None] = line.rule(op)
        results = [answer] if isinstance(answer, Value | Item) else list(answer)
        static = op.is_static()
        made: list[Item | None] = []
        for index, result in enumerate(results):
            numbers = known[index] if known is not None and index < len(known) else None
            made.append(computed(result, static, numbers) if isinstance(result, Value) else result)
        return made

    def call(
        self, op: Op, name: str, items: Sequence[Item], builder: GraphBuilder | None = None, branches: bool = True
    ) -> list[Item | None]:
        """The results of the function ``name``, its nodes emitted into ``builder``."""
        body = self.program.functions.get(name)
        if body is None:
            op.refuse(f"a call of the function {name!r}, which is not in the file", "be in its library")
        if name in self._active or len(self._active) >= DEEPEST:
            op.refuse(f"a function {name!r} that calls itself", "end")
        if len(items) != len(body.arguments):
            op.refuse(f"{len(items)} operands of {name!r}", f"be {len(body.arguments)}")
        arguments = {argument: item for (argument, _), item in zip(body.arguments, items, strict=True)}
        path = f"{op.scope.path}{op.node.name}/"
        scope = Scope(builder or op.builder, body, arguments, path, branches and op.scope.branches)
        self._active.append(name)
        try:
            found = [self.find(_returned(body, result), scope) for result in body.results]
        finally:
            self._active.pop()
        op.here()
        return found

    def variable(self, op: Op) -> Handle:
        """The variable whose handle a node of the main graph is."""
        found: Variable | None = self.program.variable(op.node)
        if found is None or op.scope.body is not self.program.main:
            op.refuse(f"a {op.kind} that is no variable of the model", "be one")
        if found.name not in self._variables:
            self._variables[found.name] = Handle(found.name, stored(self.builder, found.stored, found.name))
        return self._variables[found.name]

    def constant(self, op: Op) -> Operand:
        """A constant of the file, one and the same wherever a loop or a function that is called twice comes by again."""
        key = (op.scope.body.name, op.node.name)
        if key not in self._constants:
            self._constants[key] = stored(self.builder, self.program.constant(op.node, op.where), op.node.name)
        return self._constants[key]


def _returned(body: Body, result: str) -> str:
    if result not in body.returned:
        raise bad(f"a result {result!r} that nothing computes", "be computed", f"function {body.name!r}")
    return body.returned[result]


def _place(node: NodeDef) -> str:
    """The layer's path that Keras and TensorFlow write into a node's name: ``block1.conv`` of ``block1/conv/Conv2D``."""
    parts = node.name.split("/")
    text = ".".join(parts[:-1] or parts)
    return "".join(letter if letter.isprintable() else "?" for letter in text)[-_LONGEST:]


def input_shape(program: Program, node: NodeDef, where: str, batch: int = 1) -> tuple[int, ...]:
    """The shape of an input; a free batch is ``batch``. Raises ``SubmissionFault`` for other free axes or another batch."""
    span = node.attributes.get("shape")
    shape = program.attributes.shape(span, where) if span is not None else None
    if shape is None or not shape:
        raise bad("an input without a batch axis", "have a shape whose first axis is the batch", where)
    if shape[0] not in (-1, 1):
        raise bad(f"a fixed batch of {shape[0]}", "be 1 or free (None)", where, "export with a batch of None")
    for axis, size in enumerate(shape[1:], 1):
        if size < 0:
            raise bad(f"a free axis {axis}", "have a fixed size", where, "export with fixed sizes; only the batch may be free")
        if size == 0:
            raise bad(f"size 0 on axis {axis}", "be at least 1", where)
    return (batch if shape[0] < 0 else 1, *shape[1:])
