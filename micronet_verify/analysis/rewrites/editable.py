"""A graph under the passes: who reads and who makes each value, and one way to rename, to replace and to prune.

A pass sees the graph as it was when the pass began, and hands over at once what becomes of its nodes: so readers and producers are
found once for as many passes as change nothing, and what died is taken out once for each that does. All of it is linear in the nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from micronet_verify.analysis.tensors.constants import Constant
from micronet_verify.analysis.tensors.storing import StorageCost
from micronet_verify.analysis.uses import Readers, consumers, prune
from micronet_verify.facts.graph import Graph, Node, Value


class EditableGraph:
    """A graph or a body without dead nodes; ``values`` and ``constants`` grow by what passes make.

    ``version`` goes up with every change of the nodes. ``cost`` says which of two ways to store something is narrower. ``title``:
    of which body it is, for people; empty for the model itself.
    """

    def __init__(self, graph: Graph, constants: dict[str, Constant], cost: StorageCost, title: str = "") -> None:
        self.constants, self.cost, self.version, self.title = constants, cost, 0, title
        self.values: dict[str, Value] = dict(graph.values)
        self._graph = graph
        self._readers: Readers | None = None
        self._producers: dict[str, Node] | None = None
        self._same: dict[str, str] = {}

    @property
    def nodes(self) -> tuple[Node, ...]:
        return self._graph.nodes

    @property
    def outputs(self) -> tuple[str, ...]:
        return self._graph.outputs

    @property
    def graph(self) -> Graph:
        """The graph as it stands."""
        return replace(self._graph, values=dict(self.values))

    @property
    def readers(self) -> Readers:
        """The nodes that read each value, in their order; outputs of the graph are no readers."""
        if self._readers is None:
            self._readers = consumers(self.nodes)
        return self._readers

    @property
    def producers(self) -> Mapping[str, Node]:
        """The node that makes each value."""
        if self._producers is None:
            self._producers = {name: node for node in self.nodes for name in node.outputs}
        return self._producers

    def with_nodes(self, nodes: Iterable[Node], values: Mapping[str, Value]) -> EditableGraph:
        """Another graph with these nodes and values, to try something; it shares the constants."""
        return EditableGraph(replace(self._graph, nodes=tuple(nodes), values=values), self.constants, self.cost)

    def is_read_once(self, name: str) -> bool:
        """Whether one node reads a value, which is no output."""
        return len(self.readers.get(name, ())) == 1 and name not in self.outputs

    def rename(self, name: str, equal: str) -> None:
        """From here on in a ``sweep``, whoever reads ``name`` reads ``equal``."""
        self._same[name] = equal

    def now(self, name: str) -> str:
        return self._same.get(name, name)

    def renamed(self, node: Node) -> Node:
        """The node with what it reads, here and in bodies, by the names that hold now."""
        return renamed_node(node, self._same) if self._same else node

    def add_constant(self, name: str, constant: Constant) -> str:
        """A constant that a pass made, as a value that nodes can read."""
        self.constants[name] = constant
        self.values[name] = Value(name, constant.shape, constant.format)
        return name

    def sweep(self, read: Callable[[Node], Iterable[Node]]) -> None:
        """Each node in order, renamed as ``rename`` said so far, becomes what ``read`` gives."""
        self.put([new for node in self.nodes for new in read(self.renamed(node))])

    def replace(self, replaced: Mapping[int, tuple[Node, ...]]) -> None:
        """In place of each node whose ``id()`` is in ``replaced`` stand those nodes."""
        if replaced:
            self.put([new for node in self.nodes for new in replaced.get(id(node), (node,))])

    def put(self, nodes: list[Node]) -> None:
        """The nodes as a pass leaves them; where all are what they were, nothing happened."""
        outputs = tuple(map(self.now, self.outputs))
        self._same = {}
        before = self.nodes
        if outputs == self.outputs and len(nodes) == len(before) and all(map(_is, nodes, before)):
            return
        self._graph, _ = prune(replace(self._graph, nodes=tuple(nodes), outputs=outputs))
        self.version += 1
        self._readers = self._producers = None


def renamed_node(node: Node, names: Mapping[str, str]) -> Node:
    """The node reading other names; the node itself where it reads none of them."""
    inputs = tuple(names.get(name, name) for name in node.inputs)
    bodies = tuple(renamed_body(body, names) for body in node.bodies) if node.bodies else ()
    unchanged = inputs == node.inputs and all(map(_is, bodies, node.bodies))
    return node if unchanged else replace(node, inputs=inputs, bodies=bodies)


def renamed_body(body: Graph, names: Mapping[str, str]) -> Graph:
    """The body reading other names of the values around it."""
    nodes = tuple(renamed_node(node, names) for node in body.nodes)
    outputs = tuple(names.get(name, name) for name in body.outputs)
    unchanged = outputs == body.outputs and all(map(_is, nodes, body.nodes))
    return body if unchanged else replace(body, nodes=nodes, outputs=outputs)


def _is(one: object, other: object) -> bool:
    return one is other
