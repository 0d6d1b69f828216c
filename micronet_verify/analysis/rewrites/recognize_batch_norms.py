"""Sees a batch normalisation in (x − m)/s·g + b: multiplies and adds by one constant per channel (rule S7).

A chain of such steps is y = a·x + c with one scale and one shift per channel, which is what a batch normalisation is at
inference. A number that is the same for all channels is none of it: it belongs to some other formula.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.analysis.tensors.constants import Array, derived, values_of
from micronet_verify.facts.graph import Node


@dataclass(frozen=True, slots=True)
class Affine:
    """y = ``scale``·x + ``shift``, one number per slice of ``axis``; ``shift`` is ``None`` where nothing is added."""

    x: str
    axis: int
    scale: Array
    shift: Array | None
    nodes: tuple[Node, ...]

    @property
    def is_norm(self) -> bool:
        """Whether it both multiplies and adds."""
        return self.shift is not None and any(node.attributes["op"] in ("mul", "div") for node in self.nodes)


def affine_step(graph: EditableGraph, node: Node) -> Affine | None:
    """What an add, subtract, multiply or divide by a constant per channel does, else ``None``."""
    op = node.attributes.get("op")
    if node.kind != "elementwise" or op not in ("add", "sub", "mul", "div"):
        return None
    constant_at = 1 if node.inputs[1] in graph.constants else 0
    x, constant = node.inputs[1 - constant_at], graph.constants.get(node.inputs[constant_at])
    value, result = graph.values.get(x), graph.values[node.outputs[0]]
    if constant is None or x in graph.constants or value is None or (op == "div" and constant_at == 0):
        return None
    axis = _axis(constant.shape, value.shape)
    if axis is None or (value.shape, value.format) != (result.shape, result.format) or value.format.family != "float":
        return None
    k = values_of(constant).reshape(-1)
    one = np.ones_like(k)
    if op in ("mul", "div"):
        with np.errstate(divide="ignore"):
            return Affine(x, axis, k if op == "mul" else 1 / k, None, (node,))
    if op == "add":
        return Affine(x, axis, one, k, (node,))
    return Affine(x, axis, one, -k, (node,)) if constant_at else Affine(x, axis, -one, k, (node,))


def _axis(constant: tuple[int, ...], shape: tuple[int, ...]) -> int | None:
    """The channel axis (the second, or the last) along which alone a constant varies; a plain number varies along none."""
    if not constant or len(constant) > len(shape) or len(shape) < 2:
        return None
    wide = [len(shape) - len(constant) + axis for axis, size in enumerate(constant) if size > 1]
    axis = wide[0] if wide else 1
    fits = len(wide) <= 1 and axis in (1, len(shape) - 1) and shape[axis] == int(np.prod(constant))
    return axis if fits else None


def recognize_batch_norms(graph: EditableGraph) -> None:
    """Every spelled-out batch normalisation becomes one; its scale and shift are added to the constants."""
    chains: dict[str, Affine] = {}
    for node in graph.nodes:
        step = affine_step(graph, node)
        if step is None:
            continue
        before = chains.get(step.x)
        if before is not None and before.axis == step.axis and graph.is_read_once(step.x):
            del chains[step.x]
            step = _joined(before, step)
        chains[node.outputs[0]] = step
    linear = {name for node in graph.nodes if node.kind in ("conv", "matmul") for name in node.outputs}
    # One multiply and one add that stand alone are written as short as can be.
    found = {name: chain for name, chain in chains.items() if chain.is_norm and (len(chain.nodes) > 2 or chain.x in linear)}
    inner = {id(node) for chain in found.values() for node in chain.nodes}
    replaced: dict[int, tuple[Node, ...]] = dict.fromkeys(inner, ())
    replaced |= {id(chain.nodes[-1]): (_norm(graph, chain),) for chain in found.values()}
    graph.replace(replaced)


def _joined(first: Affine, then: Affine) -> Affine:
    shift = then.shift if first.shift is None else first.shift * then.scale + (0 if then.shift is None else then.shift)
    return Affine(first.x, first.axis, first.scale * then.scale, shift, (*first.nodes, *then.nodes))


def _norm(graph: EditableGraph, chain: Affine) -> Node:
    """A batch normalisation of mean 0 and variance 1 with this scale and shift."""
    last = chain.nodes[-1]
    name, fmt = last.outputs[0], graph.values[last.outputs[0]].format
    factor = next(node for node in chain.nodes if node.attributes["op"] in ("mul", "div"))
    label = next(graph.constants[operand].label for operand in factor.inputs if operand in graph.constants)
    assert chain.shift is not None
    parts = {"mean": np.zeros_like(chain.scale), "variance": np.ones_like(chain.scale), "scale": chain.scale, "shift": chain.shift}
    # The same constants in the same arithmetic are the same norm, wherever it stands.
    steps = [f"{node.attributes['op']} {graph.constants[at].key}" for node in chain.nodes for at in node.inputs if at in graph.constants]
    for part, array in parts.items():
        graph.constants[f"{name}.{part}"] = derived(f"{part} of ({', '.join(steps)})", f"{label}.{part}", array.astype(np.float32), fmt)
    attributes: dict[str, str | float | bool] = {"op": "batch_norm", "eps": 0.0}
    if chain.axis != 1:
        attributes["channels_last"] = True
    source = " + ".join(node.source or str(node.attributes["op"]) for node in chain.nodes)
    return Node("normalise", (chain.x, *(f"{name}.{part}" for part in parts)), last.outputs, attributes, source, last.scope)
