"""An artifact of free batch must treat each example alone: seen from the same artifact at a batch of 1 and of ``BATCH``.

The count is of one example, and the evaluation runs batches. So the artifact is translated once more with ``BATCH`` examples,
and two things are asked. Does a node bring examples together (``batch_axis``)? And is it the same network: the same
nodes, the same numbers, the same sizes but for the batch? The second finds the batch used as a number: in arithmetic, in a
choice between bodies, in how often a loop turns. An artifact of fixed batch, or one whose branches the data decides (which is
run one example at a time), has nothing to show.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import PluginFault, Problem, SubmissionFault
from micronet_verify.facts.formats import INT64, numeric_format
from micronet_verify.facts.graph import Attribute, Graph, Node, Shape, Value
from micronet_verify.facts.nested import all_nodes, all_values
from micronet_verify.facts.shapes import integer, ints
from micronet_verify.facts.validate import place as words
from micronet_verify.framework.batch.axis import Lies, Mixed, Place, follow, named
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.protocols import Counter
from micronet_verify.framework.requests import TranslateRequest

# Larger than the batches of an evaluation, and a prime, so that few sizes of a network are multiples of it.
BATCH = 97
_APART = "treat each example alone"
_ADVICE = "the count is of one example: keep the examples apart, or, for a model of one example at a time, export with a fixed batch of 1"
# Attributes that say sizes: they are compared as the shapes of results.
_SIZES = frozenset("shape starts ends sizes repeats groups".split())
# What may be done with the examples' own numbers, to find each its place in a table.
_ADDRESSING = frozenset("add mul".split())
_WHOLE = (INT64, numeric_format("int32"))
_COUNTER = "a defect of the plugin's counter: report it to its authors"
_NUMBER = "a number made of the size of the batch"
_PLUMBING = frozenset("identity reshape expand transpose".split())


def check_batch(counter: Counter, artifact: Path, graph: Graph, builder: GraphBuilder) -> None:
    """Compare ``graph``, as ``builder`` built it, with the same artifact at a batch of ``BATCH``.

    Raises ``SubmissionFault`` with every node that brings examples together, or with the first difference; ``PluginFault`` where the
    counter gives another number of inputs.
    """
    if any(node.kind == "branch" and "id" in node.attributes for node in all_nodes(graph)):
        return
    wide = GraphBuilder(None, batch=BATCH)
    try:
        other = counter.translate(TranslateRequest(artifact), wide)
    except SubmissionFault as fault:
        raise SubmissionFault(_of_wide(problem) for problem in fault.problems) from None
    if len(graph.inputs) != len(other.inputs):
        raise PluginFault(
            Problem(f"{len(other.inputs)} inputs at a batch of {BATCH}", f"be {len(graph.inputs)}, as at a batch of 1", advice=_COUNTER)
        )
    if [graph.values[name].shape for name in graph.inputs] == [other.values[name].shape for name in other.inputs]:
        return
    if not graph.outputs or not other.outputs:
        return
    walk = _Walk(graph, other, builder.decoded, wide)
    walk.main()
    if walk.problems:
        raise SubmissionFault(dict.fromkeys(walk.problems))
    _same_network(graph, other, walk.places, walk.needed)


def _of_wide(problem: Problem) -> Problem:
    advice = f"{problem.advice}; " if problem.advice else ""
    told = f"{advice}so it is with {BATCH} examples at once: let every size follow the batch, or export with a fixed batch of 1"
    return Problem(problem.got, problem.should, problem.where, told)


class _Walk:
    """Follows the batch through the graph ``wide``; ``places`` by value id."""

    def __init__(self, narrow: Graph, wide: Graph, decoded: Mapping[str, NDArray[Any]], builder: GraphBuilder) -> None:
        self._narrow, self._wide, self._builder = narrow, wide, builder
        self._numbers = {_key(array) for array in decoded.values()}
        self._fills = {_fill(node) for node in all_nodes(narrow) if node.attributes.get("op") in ("expand", "tile")}
        self.places: dict[str, Place] = {}
        self.problems: list[Problem] = []
        self.needed = needed(wide)
        self._values: dict[str, Value] = {}
        self._lost: set[str] = set()
        # Values made of the examples' own numbers (0, 1, 2 …): they may say where an example lies, and nothing else.
        self._numbered: set[str] = set()

    def main(self) -> None:
        for name, other in zip(self._wide.inputs, self._narrow.inputs, strict=True):
            sizes = zip(self._narrow.values[other].shape, self._wide.values[name].shape, strict=True)
            self.places[name] = next((Lies(axis, 1, one) for axis, (one, many) in enumerate(sizes) if one != many), None)
        self._graph(self._wide)
        output = self._wide.outputs[0]
        shape, place = self._values[output].shape, self.places.get(output)
        if not self.problems and output not in self._lost and (place != Lies(0) or shape[:1] != (BATCH,)):
            got = f"a first output of shape {_written(shape)}" if place != Lies(0) else "a first output"
            self.problems.append(Problem(got, "have the batch, and nothing else, as its first axis", "the model's output", _ADVICE))

    def _graph(self, graph: Graph) -> None:
        self._values.update(graph.values)
        for node in graph.nodes:
            if not self.needed.isdisjoint(node.outputs):
                self._node(node)

    def _node(self, node: Node) -> None:
        if not self._lost.isdisjoint(node.inputs):
            self._lost.update(node.outputs)
            return
        try:
            found = self._bodies(node) if node.bodies else self._plain(node)
        except Mixed as mixed:
            self.problems.append(Problem(str(mixed), _APART, words(node), _ADVICE))
            self._lost.update(node.outputs)
            return
        self.places.update(zip(node.outputs, found, strict=False))

    def _plain(self, node: Node) -> Sequence[Place]:
        places = [self._place(name) for name in node.inputs]
        shapes = [self._values[name].shape if name else () for name in node.inputs]
        results = [self._values[name].shape for name in node.outputs]
        if node.attributes.get("op") in ("expand", "tile") and places[0] is None and _fill(node) not in self._fills:
            return (_filled(shapes[0], results[0]),)
        if node.kind == "lookup" or (node.kind == "permute" and len(node.inputs) > 1):
            # Out of which axis elements are chosen: where a plugin had to flatten the tensor, it says.
            whole, axis = self._builder.choices.get(node.inputs[0], (node.inputs[0], node.attributes["axis"]))
            place = self.places.get(whole)
            whole_axis = isinstance(place, Lies) and place.axis == axis and not node.attributes.get("batch")
            if whole_axis and node.inputs[1] not in self._numbered:
                raise Mixed(f"{named(node)} along the batch")
        if not self._numbered.isdisjoint(node.inputs):
            if self._finds(node, places):
                return (places[0] if node.kind == "scatter" else places[1],)
            if not (node.kind == "move" or node.attributes.get("op") in _ADDRESSING) or self._values[node.outputs[0]].format not in _WHOLE:
                raise Mixed(_NUMBER)
            self._numbered.update(node.outputs)
        return follow(node, places, shapes, results, BATCH)

    def _finds(self, node: Node, places: Sequence[Place]) -> bool:
        """Whether the examples' own numbers find each example its own part of the first operand."""
        table = places[0]
        looks = node.kind in ("lookup", "scatter") and node.inputs[1] in self._numbered
        return looks and isinstance(table, Lies) and table.axis == node.attributes["axis"] and isinstance(places[1], Lies)

    def _place(self, name: str) -> Place:
        """Where the batch lies in an operand; a constant that no batch of 1 has is the batch as a number, or repeats itself."""
        if name in self._builder.decoded and name not in self.places:
            array = self._builder.decoded[name]
            self.places[name] = None if _key(array) in self._numbers else self._repeated(name, array)
        return self.places.get(name)

    def _repeated(self, name: str, array: NDArray[Any]) -> Place:
        for axis, extent in enumerate(array.shape):
            if extent % BATCH or not extent:
                continue
            parts = np.moveaxis(array.reshape(*array.shape[:axis], BATCH, extent // BATCH, *array.shape[axis + 1 :]), axis, 0)
            if (parts == parts[:1]).all() and _key(parts[0]) in self._numbers:
                return Lies(axis, 1, extent // BATCH)
        if array.size == BATCH in array.shape and array.dtype.kind == "i":
            numbers = array.reshape(-1)
            if (numbers == numbers[1] * np.arange(BATCH)).all():
                self._numbered.add(name)
                return Lies(array.shape.index(BATCH))
        raise Mixed(_NUMBER)

    def _bodies(self, node: Node) -> Sequence[Place]:
        if node.kind == "branch" and self._place(node.inputs[0]) is not None:
            raise Mixed("a branch for several examples at once")
        if node.kind == "loop":
            return self._loop(node)
        found: list[Place] = []
        for body in node.bodies:
            self._graph(body)
            found = [self._place(name) for name in body.outputs]
        return found

    def _loop(self, node: Node) -> Sequence[Place]:
        """Slices of scanned tensors and what is collected have an axis less inside."""
        body, carries = node.bodies[0], len(node.inputs) - integer(node.attributes, "scanned")
        inner = body.inputs[1:] if node.attributes.get("turn") else body.inputs
        carried = [self._place(name) for name in node.inputs[:carries]]
        slices = [_inside(self._place(name)) for name in node.inputs[carries:]]
        found: list[Place] = []
        for _ in range(2):  # what a loop carries may have its batch only after the first turn
            self.places.update(zip(inner, (*carried, *slices), strict=True))
            self._graph(body)
            found = [self._place(name) for name in body.outputs]
            carried = [place or given for place, given in zip(found[:carries], carried, strict=True)]
        return (*found[:carries], *(_collected(place) for place in found[carries:]))


def _inside(place: Place) -> Place:
    """Where the batch lies in a slice of axis 0."""
    if isinstance(place, Lies) and place.axis > 0:
        return Lies(place.axis - 1, place.outer, place.inner)
    if place is None:
        return None
    raise Mixed("a loop over the batch")


def _collected(place: Place) -> Place:
    """Where the batch lies in slices that are stacked on a new axis 0."""
    if isinstance(place, Lies):
        return Lies(place.axis + 1, place.outer, place.inner)
    if place is None:
        return None
    raise Mixed("a loop that collects parts of several examples")


def needed(graph: Graph) -> frozenset[str]:
    """The values that the first output depends on, those in bodies included: nothing else is evaluated."""
    wanted = {graph.outputs[0]}
    for node in reversed(graph.nodes):
        if wanted.isdisjoint(node.outputs):
            continue
        wanted.update(node.inputs)
        for body in node.bodies:
            wanted.update(name for inner in all_nodes(body) for name in (*inner.inputs, *inner.outputs))
            wanted.update(body.outputs)
    return frozenset(wanted)


def _same_network(narrow: Graph, wide: Graph, places: Mapping[str, Place], wanted: frozenset[str]) -> None:
    """Raise ``SubmissionFault`` at the first node that is another, or makes another size, than at a batch of 1."""
    values = (all_values(narrow), all_values(wide))
    for one, many in zip_longest(_work(narrow, needed(narrow)), _work(wide, wanted)):
        if one is None or many is None or (one.kind, _settings(one)) != (many.kind, _settings(many)):
            got = f"a different computation for a batch of {BATCH} than for one example"
            raise SubmissionFault(Problem(got, "be the same for every batch", words(many or one), _ADVICE))
        for first, second in zip(one.outputs, many.outputs, strict=True):
            shapes = values[0][first].shape, values[1][second].shape
            if not _grown(*shapes, places.get(second)):
                got = f"a result of shape {shapes[1]} for a batch of {BATCH}, and {shapes[0]} for one example"
                raise SubmissionFault(Problem(got, "differ in the batch alone", words(many), _ADVICE))


def _grown(one: Shape, many: Shape, place: Place) -> bool:
    if isinstance(place, Lies):
        return len(one) == len(many) and tuple(n * BATCH if axis == place.axis else n for axis, n in enumerate(one)) == many
    return one == many if place is None else prod(one) * BATCH == prod(many)


def _work(graph: Graph, wanted: Iterable[str]) -> Iterator[Node]:
    """The nodes that the output needs, without those that only lay a tensor out: a batch of 1 makes some of them unnecessary."""
    found = frozenset(wanted)
    for node in all_nodes(graph):
        if not (node.kind == "move" and node.attributes["op"] in _PLUMBING) and not found.isdisjoint(node.outputs):
            yield node


def _settings(node: Node) -> Mapping[str, Attribute]:
    return {name: value for name, value in node.attributes.items() if name not in _SIZES}


def _key(array: NDArray[Any]) -> tuple[str, int, bytes]:
    return array.dtype.name, array.size, array.tobytes()


def _fill(node: Node) -> tuple[str, str, tuple[int, ...]]:
    return node.source, node.scope, ints(node.attributes, "shape" if node.attributes["op"] == "expand" else "repeats")


def _filled(before: Shape, after: Shape) -> Place:
    """Where a tensor that is the same for every example was given the batch's size."""
    padded = (1,) * (len(after) - len(before)) + before
    for axis, (size, extent) in enumerate(zip(padded, after, strict=True)):
        if extent % BATCH == 0 and size * BATCH <= extent:
            return Lies(axis, 1, extent // BATCH)
    return None


def _written(shape: Shape) -> str:
    return "(" + ", ".join("batch" if size == BATCH else str(size) for size in shape) + ")"
