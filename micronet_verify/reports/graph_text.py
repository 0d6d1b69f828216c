"""A graph as text that people read and compare: a line for each node, in the order in which they run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from micronet_verify.analysis.tensors.constants import Constant
from micronet_verify.facts.graph import Attribute, Graph, Node
from micronet_verify.facts.validate import place
from micronet_verify.reports.texts import one_line


def node_lines(graph: Graph, constants: Mapping[str, Constant]) -> Iterator[str]:
    """``y = conv(x, <conv.weight 16×3×3×3 float32>) groups=1 …: 1×16×8×8 float32, Conv in stem``; bodies behind it, further in.

    A constant stands in angle brackets, with its label, or its id where it has none.
    """
    for node in graph.nodes:
        yield one_line(_line(node, graph, constants))
        for at, body in enumerate(node.bodies):
            yield one_line(f"body {at} of {_list(node.outputs)}, given {_list(body.inputs)}, gives {_list(body.outputs)}")
            yield from (f"    {line}" for line in node_lines(body, constants))


def ends(graph: Graph) -> tuple[str, str]:
    """What goes in and what comes out."""
    given = ", ".join(f"{name} {_shape(graph.values[name].shape)} {graph.values[name].format}" for name in graph.inputs)
    return one_line(f"inputs: {given or 'none'}"), one_line(f"outputs: {_list(graph.outputs)}")


def _line(node: Node, graph: Graph, constants: Mapping[str, Constant]) -> str:
    attributes = dict(node.attributes)
    op = attributes.pop("op", "")
    told = "".join(f" {name}={_attribute(attributes[name])}" for name in sorted(attributes))
    operands = ", ".join(_operand(name, graph, constants) for name in node.inputs)
    results = ", ".join(f"{_shape(graph.values[name].shape)} {graph.values[name].format}" for name in node.outputs)
    return f"{_list(node.outputs)} = {node.kind}{f'.{op}' if op else ''}({operands}){told}: {results}, {place(node)}"


def _operand(name: str, graph: Graph, constants: Mapping[str, Constant]) -> str:
    constant, value = constants.get(name), graph.values.get(name)
    if constant is not None:
        return f"<{constant.label or name} {_shape(constant.shape)} {constant.format}>"
    if value is not None and value.constant is not None:
        return f"<{value.label or name} {_shape(value.shape)} {value.format}>"
    return name or "-"


def _attribute(value: Attribute) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "scalar"


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "nothing"
