"""Kinds against independent definitions: PyTorch's functions, numpy's einsum, and plain loops."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch.nn import functional

from micronet_verify.facts.formats import numeric_format
from micronet_verify.facts.graph import Graph, Node, Value
from micronet_verify.facts.shapes import ShapeError, infer
from tests.executed import run_graph

Array = NDArray[Any]
few = settings(max_examples=40, deadline=None, derandomize=True, database=None)


def run(kind: str, *operands: Array, results: int = 1, formats: tuple[str, ...] = (), **attributes: Any) -> Any:
    """One node in double precision; its shapes are inferred."""
    shapes = infer(kind, attributes, [operand.shape for operand in operands])
    names = [f"x{at}" for at in range(len(operands))]
    values = {name: Value(name, operand.shape, numeric_format(operand.dtype.name)) for name, operand in zip(names, operands, strict=True)}
    made = formats or (operands[0].dtype.name,) * results
    outputs = [Value(f"y{at}", shape, numeric_format(fmt)) for at, (shape, fmt) in enumerate(zip(shapes, made, strict=False))]
    values.update({value.id: value for value in outputs})
    node = Node(kind, tuple(names), tuple(value.id for value in outputs), attributes)
    graph = Graph(tuple(names), node.outputs, values, (node,))
    found = run_graph(graph, {}, *operands, precision="float64")
    return found[0] if results == 1 else found


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


def same(mine: Array, theirs: Any) -> None:
    np.testing.assert_allclose(mine, np.asarray(theirs), rtol=1e-9, atol=1e-9)


sizes = st.integers(1, 7)


@few
@given(
    st.integers(1, 3),
    sizes,
    sizes,
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 2),
    st.integers(0, 2),
    st.integers(1, 2),
    st.data(),
)
def test_conv(batch: int, height: int, width: int, per_group: int, kernel: int, stride: int, pad: int, dilation: int, data: Any) -> None:
    groups, made, last = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 2)), data.draw(st.booleans())
    x, weight = normal(batch, groups * per_group, height, width), normal(groups * made, per_group, kernel, kernel, seed=1)
    bias, numbers = normal(groups * made, seed=2), {"stride": (stride,) * 2, "padding": (pad,) * 4, "dilation": (dilation,) * 2}
    given_x = np.ascontiguousarray(np.moveaxis(x, 1, -1)) if last else x
    try:
        mine = run("conv", given_x, weight, bias, groups=groups, channels_last=last, **numbers)
    except ShapeError:
        assume(False)
    theirs = functional.conv2d(*map(torch.from_numpy, (x, weight, bias)), stride, pad, dilation, groups)
    same(np.moveaxis(mine, -1, 1) if last else mine, theirs)


@few
@given(sizes, sizes, st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 1), st.integers(1, 2), st.integers(0, 1))
def test_transposed_conv(height: int, width: int, groups: int, kernel: int, stride: int, pad: int, dilation: int, extra: int) -> None:
    x, weight = normal(2, groups * 2, height, width), normal(groups * 2, 3, kernel, kernel, seed=1)
    assume(extra < max(stride, dilation))
    numbers = {"stride": (stride,) * 2, "padding": (pad,) * 4, "dilation": (dilation,) * 2, "output_padding": (extra,) * 2}
    try:
        mine = run("conv", x, weight, groups=groups, transposed=True, **numbers)
    except ShapeError:
        assume(False)
    same(mine, functional.conv_transpose2d(torch.from_numpy(x), torch.from_numpy(weight), None, stride, pad, extra, groups, dilation))


@pytest.mark.parametrize(
    ("left", "right", "out"),
    [text.split(",") for text in "ab,bc,ac ab,cb,ca bij,bjk,bik bij,kj,bik bihd,bjhd,bhij ab,b,a a,b,ab ab,ab,a ab,cd,ad".split()],
)
def test_matmul_is_einsum(left: str, right: str, out: str) -> None:
    extents = dict(zip("abcdhijk", (2, 3, 4, 5, 2, 3, 4, 5), strict=True))
    x, y = (normal(*(extents[label] for label in labels), seed=len(labels)) for labels in (left, right))
    same(run("matmul", x, y, left=left, right=right, out=out), np.einsum(f"{left},{right}->{out}", x, y))
    one = x[:, :1] if left[1:] and left[1] in right else x  # an extent of 1 broadcasts against the other operand's
    wide = np.broadcast_to(one, x.shape)
    same(run("matmul", one, y, left=left, right=right, out=out), np.einsum(f"{left},{right}->{out}", wide, y))


@few
@given(sizes, sizes, st.integers(1, 3), st.integers(1, 3), st.booleans(), st.booleans(), st.booleans())
def test_pools(height: int, width: int, kernel: int, stride: int, padded: bool, ceil: bool, counts: bool) -> None:
    x, pad = normal(1, 2, height, width), kernel // 2 if padded else 0
    assume(min(height, width) + 2 * pad >= kernel)
    numbers = {"kernel": (kernel,) * 2, "stride": (stride,) * 2, "padding": (pad,) * 4, "ceil": ceil}
    tensor = torch.from_numpy(x)
    same(run("pool", x, op="max", **numbers), functional.max_pool2d(tensor, kernel, stride, pad, 1, ceil))
    same(run("pool", x, op="average", counts_padding=counts, **numbers), functional.avg_pool2d(tensor, kernel, stride, pad, ceil, counts))
    same(run("pool", x, op="average", adaptive=(2, 3)), functional.adaptive_avg_pool2d(tensor, (2, 3)))


@few
@given(sizes, sizes, st.integers(1, 9), st.integers(1, 9))
def test_resize(height: int, width: int, high: int, wide: int) -> None:
    x, shape = normal(1, 2, height, width), (1, 2, high, wide)
    tensor = torch.from_numpy(x)
    for op, mode in (("linear", "bilinear"), ("cubic", "bicubic")):
        same(run("resize", x, op=op, shape=shape), functional.interpolate(tensor, (high, wide), mode=mode))
        mine = run("resize", x, op=op, shape=shape, coordinates="align_corners")
        same(mine, functional.interpolate(tensor, (high, wide), mode=mode, align_corners=True))


@pytest.mark.parametrize("op", ["replace", "add", "mul", "max", "min"])
def test_scatter_and_lookup_element_by_element(op: str) -> None:
    """Places written one at a time, in the order of the indices; several of them twice."""
    x, updates = normal(3, 4), normal(2, 4, seed=1)
    index = np.array([[0, 2, 2, 0], [0, 1, 2, -1]])
    join = {"replace": lambda a, b: b, "add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}[op]
    wanted = x.copy()
    for row, column in itertools.product(range(2), range(4)):
        at = index[row, column], column
        wanted[at] = join(wanted[at], updates[row, column])
    same(run("scatter", x, index, updates, op=op, axis=0, places="elements"), wanted)
    found = run("lookup", x, index, op="elements", axis=0)
    same(found, [[x[index[row, column], column] for column in range(4)] for row in range(2)])


def test_lookups_side_by_side_and_by_tuples() -> None:
    table, index = normal(2, 3, 4, 5), np.array([[0, 3], [1, -1]])
    same(run("lookup", table, index, op="gather", axis=2, batch=1), np.stack([np.take(table[b], index[b], 1) for b in range(2)]))
    tuples = np.array([[[0, 1], [2, -1]], [[1, 1], [0, 0]]])
    wanted = [[table[b, *tuples[b, at]] for at in range(2)] for b in range(2)]
    same(run("lookup", table, tuples, op="nd", axis=0, batch=1), wanted)


def test_selections_keep_the_order_of_equal_values() -> None:
    x = np.array([[1.0, 3, 3, 0, 1]])
    values, places = run("select", x, op="topk", axis=1, k=4, results=2, formats=("float64", "int64"))
    assert (values.tolist(), places.tolist()) == ([[3, 3, 1, 1]], [[1, 2, 0, 4]])
    _, places = run("select", x, op="sort", axis=1, results=2, formats=("float64", "int64"))
    assert places.tolist() == [[3, 0, 4, 1, 2]]
    assert [run("select", x, op="argmax", axis=1, last=last, formats=("int64",)).tolist() for last in (False, True)] == [[1], [2]]


@pytest.mark.parametrize(("exclusive", "reverse"), list(itertools.product((False, True), repeat=2)))
def test_cumulative_sums(exclusive: bool, reverse: bool) -> None:
    x = [3.0, 5, 7]
    steps = range(3)
    wanted = [sum(x[at] for at in steps if ((at > here) if reverse else (at < here)) or (at == here and not exclusive)) for here in steps]
    assert run("cumulative", np.array(x), op="cumsum", axis=0, exclusive=exclusive, reverse=reverse).tolist() == wanted
