"""A model as the counter and the loader see it: a graph, a library of functions, a signature, and variables with values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from micronet_verify.plugin import Stored
from micronet_verify_tensorflow.attributes import AttributeReader
from micronet_verify_tensorflow.messages import Body, NodeDef, Reader, Signature, bad
from micronet_verify_tensorflow.tensors import read_tensor

CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
IFS = frozenset({"If", "StatelessIf"})


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable's name and its value. ``handle``: what stands for it in the graph is its handle, which is read, not the value."""

    name: str
    stored: Stored
    handle: bool = True


@dataclass(frozen=True)
class Program:
    """``variable`` gives the variable that a node of the main graph stands for, or ``None`` for another node."""

    name: str
    reader: Reader
    main: Body
    functions: Mapping[str, Body]
    signature: Signature
    variable: Callable[[NodeDef], Variable | None]

    @property
    def attributes(self) -> AttributeReader:
        return AttributeReader(self.reader)

    def called(self, node: NodeDef) -> tuple[str, ...]:
        """The functions that a node names: of a call, the branches of an If, condition and body of a While."""
        found = []
        for key, span in sorted(node.attributes.items()):
            if key in ("f", "cond", "body", "then_branch", "else_branch"):
                where = f"node {node.name!r}"
                found.append(self.attributes.function(span, where))
        for name in found:
            if name not in self.functions:
                raise bad(f"a call of the function {name!r}, which is not in the file", "be in its library", f"node {node.name!r}")
        return tuple(found)

    def reached(self, nodes: Mapping[str, NodeDef] | tuple[NodeDef, ...]) -> frozenset[str]:
        """Every function that these nodes call, directly or through others."""
        pending = list(nodes.values() if isinstance(nodes, Mapping) else nodes)
        found: set[str] = set()
        while pending:
            for name in self.called(pending.pop()):
                if name not in found:
                    found.add(name)
                    pending += self.functions[name].nodes.values()
        return frozenset(found)

    def before(self, refs: tuple[str, ...]) -> tuple[NodeDef, ...]:
        """The nodes of the main graph that have to run for these, controls included."""
        pending = [base(ref) for ref in refs if ref]
        found: dict[str, NodeDef] = {}
        while pending:
            name = pending.pop()
            if name in found:
                continue
            node = self.main.nodes.get(name)
            if node is None:
                raise bad(f"a tensor of {name!r}, which no node computes", "be computed", self.name)
            found[name] = node
            pending += [base(ref) for ref in (*node.inputs, *node.controls)]
        return tuple(found.values())

    @cached_property
    def readers(self) -> Mapping[str, Mapping[str, tuple[NodeDef | None, ...]]]:
        """By function ("" for the main graph) and node: the nodes that read it, and ``None`` where it is a result."""
        found: dict[str, dict[str, tuple[NodeDef | None, ...]]] = {}
        for body in (self.main, *self.functions.values()):
            reads: dict[str, list[NodeDef | None]] = {}
            for node in body.nodes.values():
                for ref in node.inputs:
                    reads.setdefault(base(ref), []).append(node)
            for ref in body.returned.values() if body.name else self.signature.outputs.values():
                reads.setdefault(base(ref), []).append(None)
            found[body.name] = {name: tuple(nodes) for name, nodes in reads.items()}
        return found

    def constant(self, node: NodeDef, where: str) -> Stored:
        """The value of a ``Const`` node."""
        if "value" not in node.attributes:
            raise bad("a constant without a value", "have one", where)
        return read_tensor(self.reader, self.attributes.tensor(node.attributes["value"], where), where)


def base(ref: str) -> str:
    """The node of a ref of either spelling: ``node``, ``node:0``, ``node:output:0``, ``^node``."""
    return ref.removeprefix("^").partition(":")[0]
