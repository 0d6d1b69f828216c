"""Checks a graph that came out of a sandbox before anything is computed from it.

The graph is data that an entrant's file could have shaped, so nothing in it is trusted: kinds and attributes are
from the closed list, ids are defined before use and once, and every shape is inferred again.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Container, Mapping, Sequence
from math import prod

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.graph import Graph, Node, Value
from micronet_verify.facts.kinds import check_attributes
from micronet_verify.facts.shapes import ShapeError, infer, integer, loop


def validate(graph: Graph) -> None:
    """Raise ``SubmissionFault`` with the first fault of each node, all nodes together."""
    problems: list[Problem] = []
    _check(graph, problems, ChainMap(), ChainMap(), set())
    if problems:
        raise SubmissionFault(problems)


def place(node: Node) -> str:
    """Where a node stands, in words: the framework's operator and the module it came from."""
    return f"{node.source or node.kind} in {node.scope}" if node.scope else node.source or node.kind


def _check(graph: Graph, problems: list[Problem], outer: ChainMap[str, Value], around: ChainMap[str, None], known: set[str]) -> None:
    """Check one graph; a body may also read the values of the graphs around it (``outer``) that are defined before it (``around``).

    ``known`` are the ids of all graphs so far, also of bodies beside this one.
    """
    stored = (key for key, value in graph.values.items() if value.constant is not None)
    defined, seen = around.new_child(dict.fromkeys([*graph.inputs, *stored])), outer.new_child(dict(graph.values))
    for key in sorted(graph.values.keys() & known):
        problems.append(Problem(f"a body that defines {key!r} again", "have ids of its own", graph.values[key].label))
    known.update(graph.values)
    for key, value in graph.values.items():
        if key != value.id or min(value.shape, default=0) < 0:
            problems.append(Problem(f"a value {value.id!r} of shape {value.shape}", "have its own id and sizes ≥ 0", value.label))
    for node in graph.nodes:
        try:
            _check_node(seen, node, defined)
        except SubmissionFault as fault:
            problems.extend(fault.problems)
        except ShapeError as error:
            problems.append(error.at(place(node)))
        for body in node.bodies:
            _check(body, problems, seen, defined, known)
        defined.update(dict.fromkeys(node.outputs))
    for name in graph.outputs:
        if name not in defined:
            problems.append(Problem(f"the output {name!r}", "be computed by the graph"))


def _check_node(values: Mapping[str, Value], node: Node, defined: Container[str]) -> None:
    where = place(node)
    check_attributes(node.kind, len(node.inputs), node.attributes, len(node.bodies), where)
    unknown = [name for name in node.inputs if name and name not in defined]
    known_twice = [name for name in node.outputs if name in defined or name not in values]
    if unknown or known_twice:
        raise SubmissionFault(Problem(f"operands {unknown} and results {known_twice}", "be defined once, before use", where))
    if node.kind in ("branch", "loop"):
        _check_bodies(values, node, where)
        return
    shapes = [values[name].shape if name else () for name in node.inputs]
    inferred = infer(node.kind, node.attributes, shapes)
    outputs: list[Value] = [values[name] for name in node.outputs]
    if tuple(value.shape for value in outputs) != inferred[: len(outputs)]:
        got = ", ".join(str(value.shape) for value in outputs)
        raise SubmissionFault(Problem(f"results of shape {got}", f"be {', '.join(map(str, inferred))}", where))


def _check_bodies(values: Mapping[str, Value], node: Node, where: str) -> None:
    """What goes into the bodies and what comes out of them."""
    operands = [values[name] for name in node.inputs if name]
    if len(operands) < len(node.inputs):
        raise SubmissionFault(Problem(f"a {node.kind} with an absent operand", "have all of its operands", where))
    if node.kind == "branch" and prod(operands[0].shape) != 1:
        raise SubmissionFault(Problem(f"a branch on a tensor of shape {operands[0].shape}", "be on a single value", where))
    wanted = [(values[name].shape, values[name].format) for name in node.outputs]
    for body in node.bodies:
        if unknown := [name for name in (*body.inputs, *body.outputs) if name not in body.values and name not in values]:
            raise SubmissionFault(Problem(f"a body of unknown values {unknown}", "take and return values that exist", where))
        taken, returned = ([body.values.get(name) or values[name] for name in names] for names in (body.inputs, body.outputs))
        shapes = [value.shape for value in returned]
        if node.kind == "loop":
            shapes = list(loop(node.attributes, [v.shape for v in operands], [v.shape for v in taken], shapes))
            _check_formats(node, operands, taken, returned, where)
        elif [value.shape for value in taken] != [value.shape for value in operands[1:]]:
            got = f"a body that takes {[value.shape for value in taken]}"
            raise SubmissionFault(Problem(got, f"take {[value.shape for value in operands[1:]]}", where))
        made = [(shape, value.format) for shape, value in zip(shapes, returned, strict=True)]
        if made != wanted:
            got, should = (", ".join(f"{fmt} {shape}" for shape, fmt in found) for found in (made, wanted))
            raise SubmissionFault(Problem(f"a body that returns {got}", f"return {should}", where))


def _check_formats(node: Node, operands: Sequence[Value], taken: Sequence[Value], returned: Sequence[Value], where: str) -> None:
    """A carried value keeps its format from turn to turn, and a slice has that of its tensor."""
    inner = taken[1:] if node.attributes.get("turn") else taken
    carried = len(operands) - integer(node.attributes, "scanned")
    pairs = [*zip(operands, inner, strict=True), *zip(inner[:carried], returned[:carried], strict=True)]
    for before, after in pairs:
        if before.format != after.format:
            raise SubmissionFault(Problem(f"a loop that carries {before.format} on as {after.format}", "keep the format", where))
