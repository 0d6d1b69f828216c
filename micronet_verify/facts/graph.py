"""The neutral graph: values and nodes of a few semantic kinds, the same for every framework.

``facts/kinds.py`` lists the kinds with their attributes, ``facts/shapes.py`` infers every shape from them, and
``facts/validate.py`` checks a graph that came from a sandbox. Ids are keys and nothing else; names that people gave
are ``label`` and ``scope``, for reading only, so that a colliding or forged name can change no count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from micronet_verify.facts.formats import NumericFormat
from micronet_verify.facts.tensors import TensorRef

Shape = tuple[int, ...]
Attribute = bool | int | float | str | tuple[int, ...] | tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor in the graph, for one example (batch 1): its shape, its format and, for a constant, its bytes."""

    id: str
    shape: Shape
    format: NumericFormat
    constant: TensorRef | None = None
    label: str = ""

    @property
    def numel(self) -> int:
        product = 1
        for size in self.shape:
            product *= size
        return product


@dataclass(frozen=True, slots=True)
class Node:
    """One step of the computation.

    ``inputs`` may hold ``""`` where an optional operand is absent. ``source`` is the framework's operator
    (``aten.conv2d``), ``scope`` the module path (``features.3.conv``): both only for explaining. ``bodies`` are the
    subgraphs of ``branch`` and ``loop``.
    """

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    source: str = ""
    scope: str = ""
    bodies: tuple[Graph, ...] = ()


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in an order in which they can be executed, over ``values`` keyed by id.

    ``notes`` are sentences for people about the file it came from: what is odd in it and changes no count.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    values: Mapping[str, Value]
    nodes: tuple[Node, ...]
    notes: tuple[str, ...] = ()
