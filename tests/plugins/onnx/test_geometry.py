"""Operators of CASES D that compute grids, crops and norms: onnxruntime's answers, and a price by the primitives of the formula."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from tests.plugins.onnx.support import Translated, compare, graph, info, ints, model, node, problems, random, unknown

X = random(1, 3, 5, 6)
N, C, H, W = X.shape
OUT = (4, 7)
POSITIONS = OUT[0] * OUT[1]


def work(found: Translated) -> dict[str, int]:
    """Results of each function that does work."""
    total: Counter[str] = Counter()
    for n in found.nodes:
        if n.kind != "move":
            total[str(n.attributes.get("op", n.kind))] += found.graph.values[n.outputs[0]].numel
    return dict(total)


def grid(reach: float = 1.3) -> np.ndarray:
    """Coordinates inside and outside of −1 … 1, so that every way of padding is reached."""
    return (np.random.default_rng(2).uniform(-reach, reach, (1, *OUT, 2))).astype(np.float32)


@pytest.mark.parametrize("axis", [-1, 1])
def test_hardmax_is_the_first_greatest(axis: int) -> None:
    """n − 1 compares find the place, n more name it."""
    ties = np.round(X)
    found = compare([node("Hardmax", "x", axis=axis)], {"x": ties}, opset=13)
    assert found.work == ["select:argmax", "elementwise:equal"]
    compare([node("Hardmax", "x", axis=1)], {"x": ties}, opset=11)


@pytest.mark.parametrize("sizes", [(1, 3, 3, 9), (1, 3, 8, 3), (1, 3, 5, 6)])
def test_center_crop_pad_moves_data(sizes: tuple[int, ...]) -> None:
    found = compare([node("CenterCropPad", "x n"), node("Relu", "y", "z")], {"x": X}, {"n": ints(*sizes)}, "z", opset=18)
    assert found.work == ["elementwise:relu"]


def test_center_crop_pad_of_some_axes() -> None:
    compare([node("CenterCropPad", "x n", axes=[-1, 2])], {"x": X}, {"n": ints(4, 8)}, opset=18)


@pytest.mark.parametrize("align", [0, 1])
def test_an_affine_grid_is_a_multiply_and_an_add_per_axis(align: int) -> None:
    theta = random(1, 2, 3, seed=4)
    found = compare([node("AffineGrid", "x n", align_corners=align)], {"x": theta}, {"n": ints(1, C, *OUT)}, opset=20)
    # θ·x along W and θ·y along H, two coordinates each; the first sum has a place for each column, the second for each position
    assert work(found) == {"mul": 2 * OUT[1] + 2 * OUT[0], "add": 2 * OUT[1] + 2 * POSITIONS}


def test_an_affine_grid_of_a_volume() -> None:
    compare([node("AffineGrid", "x n")], {"x": random(1, 3, 4, seed=4)}, {"n": ints(1, C, 2, 3, 4)}, opset=20)


@pytest.mark.parametrize("align", [0, 1])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_a_grid_sample_is_onnxruntimes(mode: str, padding: str, align: int) -> None:
    nodes = [node("GridSample", "x g", mode=mode, padding_mode=padding, align_corners=align)]
    compare(nodes, {"x": X, "g": grid(2.5)}, opset=20)


@pytest.mark.parametrize("padding", ["zeros", "border"])
def test_a_grid_sample_of_a_volume(padding: str) -> None:
    places = np.random.default_rng(1).uniform(-1.2, 1.2, (1, 2, 3, 2, 3)).astype(np.float32)
    compare([node("GridSample", "x g", padding_mode=padding)], {"x": random(1, 2, 3, 4, 5), "g": places}, opset=20)


def test_a_grid_sample_costs_four_look_ups_four_multiplies_and_three_adds_a_value() -> None:
    """Beside them only arithmetic on places, which all channels share."""
    found = work(compare([node("GridSample", "x g", padding_mode="border")], {"x": X, "g": grid()}, opset=20))
    values, axes, sides, corners = C * POSITIONS, 2, 4, 4
    assert found == {
        "gather": corners * values,
        # x · share, share · share, row · W, and g · size / 2 for each axis
        "mul": corners * values + corners * POSITIONS + corners * POSITIONS + axes * POSITIONS,
        # the weighted sum, row · W + column, + (size − 1) / 2, and the place behind on each axis
        "add": (corners - 1) * values + corners * POSITIONS + axes * POSITIONS + axes * POSITIONS,
        "floor": axes * POSITIONS,
        "sub": 2 * axes * POSITIONS,
        "clip": (axes + sides) * POSITIONS,
    }


@pytest.mark.parametrize(
    ("item", "constants", "sentence"),
    [
        (node("GridSample", "x g", mode="cubic"), {"g": grid()}, "got GridSample of mode 'cubic' but should be linear or nearest"),
        (node("Col2Im", "x s s"), {"s": ints(2, 2)}, "got Col2Im: overlapping patches that are added up but should be"),
        (node("DFT", "x"), {}, "got DFT: a transform by a generated matrix but should be"),
        (node("MaxRoiPool", "x g", pooled_shape=[2, 2]), {"g": grid()}, "got MaxRoiPool: regions that the data decides but should be"),
    ],
)
def test_what_is_refused_says_what_to_do(item: Any, constants: dict[str, Any], sentence: str) -> None:
    (found,) = problems(model(graph([item], [info("x", X.shape)], [unknown("y")], constants), 20, 10))
    assert found.startswith(sentence)
    assert found.endswith(")")


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("more", [{}, {"pads": [1, 0, 1, 1], "strides": [2, 1]}])
def test_lp_pools(order: int, more: dict[str, Any]) -> None:
    compare([node("LpPool", "x", kernel_shape=[2, 3], p=order, **more)], {"x": X}, opset=18)
    compare([node("GlobalLpPool", "x", p=order)], {"x": X})


def test_an_lp_pool_of_order_two_squares_sums_and_takes_a_root() -> None:
    found = compare([node("LpPool", "x", kernel_shape=[2, 2])], {"x": X}, opset=18)
    assert found.work == ["elementwise:square", "pool:average", "elementwise:sqrt"]
    assert found.nodes[1].attributes["divisor"] == 1


@pytest.mark.parametrize("outputs", ["y m", "y - i", "y m i"])
def test_a_layer_norm_whose_statistics_are_read_is_written_out(outputs: str) -> None:
    given = {"s": random(6, seed=1), "b": random(6, seed=2)}
    read = " ".join(name for name in outputs.split() if name != "-")
    compare([node("LayerNormalization", "x s b", outputs)], {"x": X}, given, read)


@pytest.mark.parametrize("more", [{"count_include_pad": 1}, {"count_include_pad": 0}])
@pytest.mark.parametrize("ceil", [0, 1])
def test_averages_count_padding_or_do_not(more: dict[str, int], ceil: int) -> None:
    attributes = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": ceil, **more}
    compare([node("AveragePool", "x", **attributes)], {"x": X}, opset=19)
