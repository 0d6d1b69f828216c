"""Sees that sums of parts of one tensor are a product: which parts are added, and with which sign, is its matrix (rule O18).

A layer of ternary weights can be written as a split into elements and sums of some of them, in any of many spellings. Each
tree of additions is read as one matrix over the tensor of which its terms are parts; sums by scalars (sixteen levels) are
in it, and so are sums of sums behind moves. The product then costs what it costs elsewhere (O1, O3, S3, S8). Sums that need no
matrix stay as they are: of all parts alike, or of parts in steady steps, as a reduction or a pooling has them.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.analysis.rewrites.node_writer import NodeWriter
from micronet_verify.analysis.rewrites.siblings import siblings, stacked
from micronet_verify.analysis.rewrites.sum_matrices import Matrix
from micronet_verify.analysis.rewrites.sums_of_parts import Product, Sum, SumFinder
from micronet_verify.analysis.tensors.constants import derived
from micronet_verify.facts.graph import Attribute, Node, Shape


def recognize_sums(graph: EditableGraph) -> None:
    """Every such sum becomes a product; its matrices are added to the constants."""
    wide, found = _found(graph)
    if found or wide is not graph:
        graph.values.update(wide.values)
        products = _Products(graph, found)
        graph.put([new for node in wide.nodes for new in products.read(node)])


def _found(graph: EditableGraph) -> tuple[EditableGraph, dict[str, Sum]]:
    """The sums, and the graph in which siblings are stacked where a sum chooses among them."""
    finder = SumFinder(graph)
    families = siblings(graph, finder.parts)
    if families:
        wide, stacks = stacked(graph, families)
        used = {product.source for made in SumFinder(wide).all().values() for product in made.products}
        families = {key: names for key, names in families.items() if any(stacks[name] == key for name in used & stacks.keys())}
    if families:
        graph, _ = stacked(graph, families)
        finder = SumFinder(graph)
    return graph, finder.all()


class _Products:
    """Writes products; matrices over one tensor that differ in rows alone are one matrix, written where the first is needed."""

    def __init__(self, graph: EditableGraph, sums: Mapping[str, Sum]) -> None:
        self._graph, self._values, self._constants, self._sums = graph, graph.values, graph.constants, sums
        self._rows: dict[tuple[object, ...], list[tuple[str, Matrix]]] = {}
        for result, found in sums.items():
            for product in found.products:
                self._rows.setdefault(product.key, []).append((result, product.matrix))
        self._whole: dict[tuple[object, ...], tuple[str, dict[str, int]]] = {}

    def read(self, node: Node) -> list[Node]:
        found = self._sums.get(node.outputs[0])
        if found is None:
            return [node]
        writer, result = NodeWriter(self._graph, node, "s"), self._values[node.outputs[0]]
        terms = [(self._product(writer, product), 1.0) for product in found.products]
        numbers = [(name, factor) for name, factor in found.others if name in self._constants and self._constants[name].numel == 1]
        terms += [term for term in found.others if term not in numbers]
        if offset := sum(self._constants[name].number * factor for name, factor in numbers):  # numbers that are added are one number
            terms.append((self._constant(writer, "offset", "offset", np.array(offset, np.float32)), 1.0))
        total = ""
        for name, factor in sorted(terms, key=lambda term: term[1] < 0):
            total = self._added(writer, total, name, factor, result.shape)
        return writer.end(total)

    def _added(self, writer: NodeWriter, total: str, name: str, factor: float, shape: Shape) -> str:
        if abs(factor) != 1:
            number = self._constant(writer, repr(abs(factor)), "factor", np.array(abs(factor), np.float32))
            name = writer.emit("elementwise", (name, number), writer.shape(name), {"op": "mul"})
        if not total:
            return name if factor > 0 else writer.emit("elementwise", (name,), writer.shape(name), {"op": "neg"})
        return writer.emit("elementwise", (total, name), shape, {"op": "add" if factor > 0 else "sub"})

    def _product(self, writer: NodeWriter, product: Product) -> str:
        """The rows that make this sum, cut out of what all rows over this tensor make."""
        key = product.key
        if key not in self._whole:
            self._whole[key] = self._written(writer, product, self._rows[key])
        whole, starts = self._whole[key]
        matrix, name = product.matrix, whole
        shape = self._values[whole].shape
        if shape[0] > matrix.rows:
            start = starts[writer.result]
            cut: dict[str, Attribute] = {"op": "slice", "axes": (0,), "starts": (start,), "ends": (start + matrix.rows,), "steps": (1,)}
            name = writer.emit("move", (whole,), (matrix.rows, *shape[1:]), cut)
        own = (*matrix.row_shape, *shape[1:])
        name = writer.emit("move", (name,), own, {"op": "reshape", "shape": own})
        perm = matrix.result_perm
        turned = tuple(own[axis] for axis in perm)
        name = writer.emit("move", (name,), turned, {"op": "transpose", "perm": perm})
        result = self._values[writer.result].shape
        return writer.emit("move", (name,), result, {"op": "reshape", "shape": result})

    def _written(self, writer: NodeWriter, product: Product, parts: list[tuple[str, Matrix]]) -> tuple[str, dict[str, int]]:
        """[rows, common axes, steady axes] of all rows, and where the rows of each sum begin."""
        matrix, starts, begin = product.matrix, dict[str, int](), 0
        for result, part in parts:
            starts[result] = begin
            begin += part.rows
        array = np.concatenate([part.weights for _, part in parts]).astype(np.float32)
        source = self._values[product.source]
        label = f"which parts of {source.label or 'a tensor'} are added"
        x = writer.emit("move", (product.source,), tuple(source.shape[at] for at in matrix.source_perm), {
            "op": "transpose", "perm": matrix.source_perm,
        })  # fmt: skip
        commons, taken = matrix.common_shape, array.shape[1]
        if not matrix.taps:
            flat = (*commons, taken)
            x = writer.emit("move", (x,), flat, {"op": "reshape", "shape": flat})
            weight = self._constant(writer, "parts", label, array)
            letters = string.ascii_letters[: len(commons)]
            attributes: dict[str, Attribute] = {"left": f"{letters}Z", "right": "YZ", "out": f"Y{letters}"}
            return writer.emit("matmul", (x, weight), (begin, *commons), attributes), starts
        batch = int(np.prod(commons, dtype=np.int64))
        whole = (batch, taken, *(source.shape[at] for at in matrix.steady_axes))
        x = writer.emit("move", (x,), whole, {"op": "reshape", "shape": whole})
        axes = tuple(range(2, 2 + len(matrix.taps)))
        ends = tuple(tap.start + tap.size + tap.stride * (tap.positions - 1) for tap in matrix.taps)
        cut: dict[str, Attribute] = {
            "op": "slice", "axes": axes, "starts": tuple(tap.start for tap in matrix.taps), "ends": ends, "steps": (1,) * len(axes),
        }  # fmt: skip
        sliced = (batch, taken, *(end - tap.start for end, tap in zip(ends, matrix.taps, strict=True)))
        x = writer.emit("move", (x,), sliced, cut)
        weight = self._constant(writer, "parts", label, array)
        rank = len(axes)
        attributes = {
            "stride": tuple(tap.stride for tap in matrix.taps), "padding": (0,) * (2 * rank), "dilation": (1,) * rank, "groups": 1,
        }  # fmt: skip
        positions = tuple(tap.positions for tap in matrix.taps)
        y = writer.emit("conv", (x, weight), (batch, begin, *positions), attributes)
        perm = (1, 0, *range(2, 2 + rank))
        y = writer.emit("move", (y,), (begin, batch, *positions), {"op": "transpose", "perm": perm})
        last = (begin, *commons, *positions)
        return writer.emit("move", (y,), last, {"op": "reshape", "shape": last}), starts

    def _constant(self, writer: NodeWriter, part: str, label: str, array: NDArray[np.float32]) -> str:
        constant = derived(f"{writer.result}.{part}", label, array, self._values[writer.result].format)
        unscaled = bool((np.abs(array) <= 1).all() and (array == np.rint(array)).all())
        return writer.constant(part, replace(constant, unscaled=unscaled))
