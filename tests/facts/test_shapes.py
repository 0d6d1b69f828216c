"""Shapes as numpy and a plain reading of the definitions have them."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from micronet_verify.errors import Problem
from micronet_verify.facts.shapes import ShapeError, adaptive_windows, broadcast, infer, window_output

SIZES = st.integers(1, 5)
SHAPES = st.lists(SIZES, min_size=1, max_size=4).map(tuple)


@given(SHAPES, SHAPES)
def test_broadcasting_is_numpys(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    try:
        should = np.broadcast_shapes(one, other)
    except ValueError:
        with pytest.raises(ShapeError, match="broadcast together"):
            broadcast(one, other)
        return
    assert broadcast(one, other) == should


@given(st.integers(1, 12), st.integers(1, 4), st.integers(1, 3), st.integers(0, 3), st.integers(1, 3))
def test_a_window_has_as_many_positions_as_fit(size: int, kernel: int, stride: int, pad: int, dilation: int) -> None:
    extent = dilation * (kernel - 1) + 1
    starts = [start for start in range(0, size + pad, stride) if start + extent <= size + pad]
    if not starts:
        with pytest.raises(ShapeError, match="should fit"):
            window_output(size, kernel, stride, pad, dilation)
        return
    assert window_output(size, kernel, stride, pad, dilation) == len(starts)


@given(st.integers(1, 30), st.integers(1, 30))
def test_adaptive_windows_cover_their_axis(size: int, outputs: int) -> None:
    assume(outputs <= size)
    windows = adaptive_windows(size, outputs)
    assert len(windows) == outputs
    assert sum(windows) >= size
    assert set(windows) == {size // outputs} if size % outputs == 0 else max(windows) <= size // outputs + 2


@given(SHAPES, st.data())
def test_moves_have_numpys_shapes(shape: tuple[int, ...], data: st.DataObject) -> None:
    x = np.zeros(shape)
    perm = data.draw(st.permutations(range(len(shape))))
    assert infer("move", {"op": "transpose", "perm": tuple(perm)}, [shape]) == (x.transpose(perm).shape,)
    axis = data.draw(st.integers(0, len(shape) - 1))
    start = data.draw(st.integers(0, shape[axis]))
    end = data.draw(st.integers(start, shape[axis]))
    step = data.draw(st.integers(1, 3))
    cut = x[(slice(None),) * axis + (slice(start, end, step),)]
    attributes = {"op": "slice", "axes": (axis,), "starts": (start,), "ends": (end,), "steps": (step,)}
    assert infer("move", attributes, [shape]) == (cut.shape,)
    assert infer("move", {"op": "concat", "axis": axis}, [shape, shape]) == (np.concatenate([x, x], axis).shape,)
    pads = data.draw(st.lists(st.integers(0, 2), min_size=2 * len(shape), max_size=2 * len(shape)))
    padded = np.pad(x, list(zip(pads[: len(shape)], pads[len(shape) :], strict=True)))
    assert infer("move", {"op": "pad", "padding": tuple(pads)}, [shape]) == (padded.shape,)
    repeats = data.draw(st.lists(st.integers(1, 3), min_size=len(shape), max_size=len(shape)))
    assert infer("move", {"op": "tile", "repeats": tuple(repeats)}, [shape]) == (np.tile(x, repeats).shape,)


@given(SIZES, SIZES, SIZES, SIZES)
def test_a_contraction_is_an_einsum(a: int, b: int, c: int, d: int) -> None:
    one, other = np.zeros((a, b, c)), np.zeros((a, c, d))
    attributes = {"left": "bik", "right": "bkj", "out": "jbi"}
    assert infer("matmul", attributes, [one.shape, other.shape]) == (np.einsum("bik,bkj->jbi", one, other).shape,)


@pytest.mark.parametrize(
    ("kind", "attributes", "shapes", "sentence"),
    [
        ("matmul", {"left": "ik", "right": "kj", "out": "ij"}, [(2, 3), (4, 5)], "got extents 3 and 4 for one index"),
        ("matmul", {"left": "ik", "right": "kj", "out": "iz"}, [(2, 3), (3, 5)], "but should be distinct indices of"),
        ("move", {"op": "reshape", "shape": (2, 4)}, [(3, 3)], "but should keep 9 elements"),
        ("move", {"op": "transpose", "perm": (0, 0)}, [(3, 3)], "but should name each axis once"),
        ("move", {"op": "slice", "axes": (0,), "starts": (2,), "ends": (9,), "steps": (1,)}, [(3,)], "but should lie inside"),
        ("move", {"op": "split", "axis": 0, "sizes": (1, 1)}, [(3,)], "got a split of 3 into (1, 1) but should add up"),
        ("move", {"op": "concat", "axis": 0}, [(1, 2), (1, 3)], "but should agree elsewhere"),
        ("reduce", {"op": "sum", "axes": (2,), "keepdims": False}, [(3, 3)], "but should be axes of it"),
        (
            "conv",
            {"stride": (1,), "padding": (0, 0), "dilation": (1,), "groups": 2},
            [(1, 4, 9), (6, 4, 3)],
            "got 4 input channels, 2 groups and a weight of shape (6, 4, 3) but should fit",
        ),
        ("softmax", {"op": "softmax", "axis": 3}, [(1, 4)], "got axis 3 on a tensor of shape (1, 4) but should be an axis of it"),
        ("normalise", {"op": "layer_norm", "axes": (1, 5)}, [(1, 4)], "got a normalisation over axes (1, 5) of a tensor of shape (1, 4)"),
        ("dequantize", {"axis": 2}, [(1, 4), (4,)], "got scales along axis 2 of a tensor of shape (1, 4) but should be an axis of it"),
    ],
)
def test_operands_that_do_not_fit_are_told(kind: str, attributes: dict[str, object], shapes: list[tuple[int, ...]], sentence: str) -> None:
    with pytest.raises(ShapeError) as error:
        infer(kind, attributes, shapes)  # type: ignore[arg-type]
    assert sentence in str(error.value)
    assert str(error.value).startswith("got ")


@given(st.integers(1, 3), st.integers(1, 3), st.integers(4, 9), st.integers(1, 3), st.integers(1, 2), st.integers(0, 1), st.booleans())
def test_a_convolutions_layout_changes_only_the_order_of_axes(
    inputs: int, outputs: int, size: int, kernel: int, stride: int, pad: int, last: bool
) -> None:
    attributes = {"stride": (stride,) * 2, "padding": (pad,) * 4, "dilation": (1, 1), "groups": 1}
    weight = (outputs, inputs, kernel, kernel)
    ((batch, channels, height, width),) = infer("conv", attributes, [(1, inputs, size, size + 1), weight])
    (other,) = infer("conv", {**attributes, "channels_last": True}, [(1, size, size + 1, inputs), weight])
    assert other == (batch, height, width, channels)
    assert (channels, height) == (outputs, (size + 2 * pad - kernel) // stride + 1)


@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 3), st.integers(0, 1))
def test_a_transposed_convolution_undoes_the_size_of_a_convolution(size: int, kernel: int, stride: int, pad: int) -> None:
    assume((size - 1) * stride - 2 * pad + kernel >= 1)
    attributes = {"stride": (stride,), "padding": (pad, pad), "dilation": (1,), "groups": 1}
    (grown,) = infer("conv", {**attributes, "transposed": True}, [(1, 2, size), (2, 3, kernel)])
    assert infer("conv", attributes, [grown, (2, 3, kernel)]) == ((1, 2, size),)


def test_lookups_have_the_shapes_of_their_definitions() -> None:
    assert infer("lookup", {"op": "gather", "axis": 1}, [(2, 5, 3), (7, 4)]) == ((2, 7, 4, 3),)
    assert infer("lookup", {"op": "gather", "axis": 1, "batch": 1}, [(2, 5, 3), (2, 7)]) == ((2, 7, 3),)
    assert infer("lookup", {"op": "elements", "axis": 1}, [(2, 5), (2, 9)]) == ((2, 9),)
    assert infer("lookup", {"op": "nd", "axis": 0}, [(2, 5, 3), (8, 2)]) == ((8, 3),)
    assert infer("lookup", {"op": "nd", "axis": 0, "batch": 1}, [(2, 5, 3), (2, 8, 2)]) == ((2, 8),)
    for op, shapes in (("elements", [(2, 5), (9,)]), ("nd", [(2, 5), (8, 3)])):
        with pytest.raises(ShapeError, match="but should"):
            infer("lookup", {"op": op, "axis": 0}, shapes)


def test_scattered_updates_fit_their_places() -> None:
    assert infer("scatter", {"op": "add", "axis": 1, "places": "slices"}, [(2, 5, 3), (4,), (2, 4, 3)]) == ((2, 5, 3),)
    assert infer("scatter", {"op": "add", "axis": 1, "places": "elements"}, [(2, 5), (2, 3), (2, 3)]) == ((2, 5),)
    assert infer("scatter", {"op": "replace", "axis": 0, "places": "nd"}, [(2, 5, 3), (8, 2), (8, 3)]) == ((2, 5, 3),)
    for places, shapes in (("slices", [(2, 5), (4,), (2, 3)]), ("elements", [(2, 5), (2, 3), (2, 4)]), ("nd", [(2, 5), (8, 3), (8,)])):
        with pytest.raises(ShapeError, match="got updates"):
            infer("scatter", {"op": "replace", "axis": 1, "places": places}, shapes)


def test_an_error_keeps_its_parts():
    """Parts that hold the words of the frame themselves would come apart wrongly if they were printed and parsed again."""
    error = ShapeError("a label 'x but should y'", "agree")
    assert (error.got, error.should) == ("a label 'x but should y'", "agree")
    assert error.at("conv in block1") == Problem("a label 'x but should y'", "agree", "conv in block1")
    assert str(error) == "got a label 'x but should y' but should agree"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
