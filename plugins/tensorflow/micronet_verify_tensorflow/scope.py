"""Refs that are visible in one graph or function while it is translated, and what they stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from micronet_verify.framework.builder import GraphBuilder
from micronet_verify_tensorflow.messages import Body, NodeDef, bad
from micronet_verify_tensorflow.operands import Item


@dataclass
class Scope:
    """One call of ``body``. ``results`` has, by node, its results, ``None`` for a node at fault (that is reported once).

    ``path`` is the calls around it, for the names of branches; ``branches`` says whether the predictor can record which
    body was taken here.
    """

    builder: GraphBuilder
    body: Body
    arguments: Mapping[str, Item | None]
    path: str = ""
    branches: bool = True
    results: dict[str, Sequence[Item | None] | None] = field(default_factory=dict)
    # Nodes that the one before has already done: a BiasAdd behind a convolution.
    absorbed: set[str] = field(default_factory=set)

    def split(self, ref: str) -> tuple[str, str, int]:
        """(node or argument, name of the output, number) of a ref: ``node``, ``node:1`` or ``node:output:1``."""
        name, _, rest = ref.partition(":")
        output, _, number = rest.rpartition(":")
        if number and not number.isdigit():
            raise bad(f"the ref {ref!r}", "be node:output:number", f"function {self.body.name!r}" if self.body.name else "the main graph")
        return name, output, int(number[:9]) if number else 0

    def node(self, ref: str) -> NodeDef | None:
        """The node that a ref reads, ``None`` for an argument."""
        name, _, _ = self.split(ref)
        if name in self.arguments and ":" not in ref:
            return None
        found = self.body.nodes.get(name)
        if found is None and name not in self.arguments:
            place = f"function {self.body.name!r}" if self.body.name else "the main graph"
            raise bad(f"an operand {ref!r} that nothing computes", "be computed", place)
        return found
