"""Views, slices, joins, paddings and copies: the same elements in the same places as onnxruntime puts them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from tests.plugins.onnx.support import compare, graph, info, ints, model, node, problems, random

X = random(1, 4, 6, 8)


@pytest.mark.parametrize("target", [(1, -1), (0, 0, -1), (0, 24, 8), (1, 2, 2, 6, 8)])
def test_reshape(target: tuple[int, ...]) -> None:
    assert compare([node("Reshape", "x s")], {"x": X}, {"s": ints(*target)}).kinds == ["move:reshape"]


def test_a_reshape_that_does_not_keep_the_elements_is_refused() -> None:
    proto = model(graph([node("Reshape", "x s")], [info("x", X.shape)], [info("y", None)], {"s": ints(5, -1)}))
    assert problems(proto) == [
        "got a reshape of (1, 4, 6, 8) to (5, -1) but should keep 192 elements [Reshape in the_Reshape] "
        "(only the batch may be free, and it is 1 here)"
    ]


def test_a_reshape_to_a_shape_from_the_data_is_refused() -> None:
    nodes = [node("Cast", "x", "s", to=TensorProto.INT64), node("Reshape", "x s")]
    proto = model(graph(nodes, [info("x", (1,))], [info("y", None)]))
    assert problems(proto) == [
        "got a shape that the data decides but should be constant [Reshape in the_Reshape] "
        "(fixed shapes are counted: export with constant shapes)"
    ]


@pytest.mark.parametrize("axis", [0, 1, 3, -2])
def test_flatten(axis: int) -> None:
    compare([node("Flatten", "x", axis=axis)], {"x": X})


def test_squeeze_and_unsqueeze_with_axes_as_attribute_and_operand() -> None:
    x = {"x": random(1, 3, 1, 5)}
    compare([node("Squeeze", "x", "s", axes=[2]), node("Unsqueeze", "s", axes=[0, -1])], x, opset=12)
    compare([node("Squeeze", "x a", "s"), node("Unsqueeze", "s b")], x, {"a": ints(-2), "b": ints(1, 4)})
    compare([node("Squeeze", "x")], x)


def test_transpose() -> None:
    assert compare([node("Transpose", "x", perm=[0, 2, 3, 1])], {"x": X}).nodes[0].attributes["perm"] == (0, 2, 3, 1)
    compare([node("Transpose", "x")], {"x": X})


def test_concat_leaves_out_empty_pieces() -> None:
    constants = {"w": random(1, 2, 6, 8), "none": np.zeros(0, np.float32)}
    found = compare([node("Concat", "x w", axis=-3)], {"x": X}, constants)
    assert len(found.nodes[0].inputs) == 2


@pytest.mark.parametrize(
    ("opset", "attributes", "sizes", "count"),
    [
        (12, {"axis": 1, "split": [1, 3]}, None, 2),
        (13, {"axis": 1}, (3, 1), 2),
        (13, {"axis": 1}, None, 4),
        (18, {"axis": 3, "num_outputs": 3}, None, 3),
    ],
)
def test_split(opset: int, attributes: dict[str, Any], sizes: tuple[int, ...] | None, count: int) -> None:
    names = " ".join(f"y{index}" for index in range(count))
    constants = {} if sizes is None else {"n": ints(*sizes)}
    found = compare([node("Split", "x n" if sizes else "x", names, **attributes)], {"x": X}, constants, names, opset)
    assert found.kinds == ["move:split"]


@pytest.mark.parametrize(
    ("starts", "ends", "axes", "steps", "kinds"),
    [
        ((1,), (3,), (1,), (1,), ["move:slice"]),
        ((0, -4), (2**62, -1), (1, 3), (1, 2), ["move:slice"]),
        ((-1,), (-(2**62),), (3,), (-1,), ["permute:flip"]),
        ((5,), (0,), (2,), (-2,), ["move:slice", "permute:flip"]),
        ((4,), (2**31,), (2,), (-3,), []),
        ((3, 6), (0, 1), (1, 3), (-1, -2), ["move:slice", "permute:flip", "permute:flip"]),
    ],
)
def test_slice(starts: tuple[int, ...], ends: tuple[int, ...], axes: tuple[int, ...], steps: tuple[int, ...], kinds: list[str]) -> None:
    constants = {"s": ints(*starts), "e": ints(*ends), "a": ints(*axes), "t": ints(*steps)}
    found = compare([node("Slice", "x s e a t")], {"x": X}, constants)
    assert found.kinds == kinds or not kinds


def test_slice_of_opset_1() -> None:
    assert compare([node("Slice", "x", starts=[1], ends=[-1], axes=[2])], {"x": X}, opset=9).kinds == ["move:slice"]


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge"])
def test_pad(mode: str) -> None:
    found = compare(
        [node("Pad", "x p v", mode=mode)], {"x": X}, {"p": ints(0, 0, 1, 2, 0, 1, 0, 1), "v": np.float32(0.5)}, exact=mode == "constant"
    )
    assert found.nodes[0].attributes["padding"] == (0, 0, 1, 2, 0, 1, 0, 1)


def test_pad_of_some_axes_and_of_nothing() -> None:
    found = compare([node("Pad", "x p - a")], {"x": X}, {"p": ints(1, 2), "a": ints(-1)}, opset=18)
    assert found.nodes[0].attributes["padding"] == (0, 0, 0, 1, 0, 0, 0, 2)
    assert compare([node("Pad", "x", "p", pads=[0] * 8), node("Relu", "p")], {"x": X}, opset=10).kinds == ["elementwise:relu"]
    assert compare([node("Pad", "x p")], {"x": X}, {"p": ints(0, 0, -1, 0, 0, 0, -1, 2)}).kinds == ["move:pad"]


def test_expand_and_tile() -> None:
    x = {"x": random(1, 3, 1)}
    assert compare([node("Expand", "x s")], x, {"s": ints(2, 1, 1, 5)}).nodes[0].attributes["shape"] == (2, 1, 3, 5)
    assert compare([node("Tile", "x r")], x, {"r": ints(1, 2, 3)}).nodes[0].attributes["repeats"] == (1, 2, 3)


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_depth_to_space_is_reshape_transpose_reshape(mode: str) -> None:
    found = compare([node("DepthToSpace", "x", blocksize=2, mode=mode)], {"x": random(1, 8, 3, 5)})
    assert found.kinds == ["move:reshape", "move:transpose", "move:reshape"]


def test_space_to_depth() -> None:
    found = compare([node("SpaceToDepth", "x", blocksize=2)], {"x": X})
    assert found.kinds == ["move:reshape", "move:transpose", "move:reshape"]


def test_casts_change_the_format_or_nothing() -> None:
    nodes = [node("Cast", "x", "h", to=TensorProto.FLOAT16), node("Cast", "h", "g", to=TensorProto.FLOAT16), node("CastLike", "g x")]
    found = compare(nodes, {"x": X}, tolerance=1e-2)
    assert found.kinds == ["move:cast", "move:cast"]


def test_what_is_the_identity_is_no_node() -> None:
    assert compare([node("Identity", "x", "a"), node("Dropout", "a", "b"), node("Relu", "b")], {"x": X}).kinds == ["elementwise:relu"]


def test_dropout_in_training_mode_is_refused() -> None:
    proto = model(graph([node("Dropout", "x r t")], [info("x", X.shape)], [info("y", None)], {"r": np.float32(0.5), "t": np.array(True)}))
    assert problems(proto) == [
        "got dropout in training mode but should be exported for inference [Dropout in the_Dropout] (call model.eval() before the export)"
    ]


def test_reversing_whole_sequences_is_a_flip() -> None:
    constants = {"n": ints(6)}
    found = compare([node("ReverseSequence", "x n", batch_axis=0, time_axis=1)], {"x": random(1, 6, 3)}, constants)
    assert found.kinds == ["permute:flip"]
    part = compare([node("ReverseSequence", "x n", batch_axis=0, time_axis=1)], {"x": random(1, 6, 3)}, {"n": ints(4)})
    assert part.kinds == ["permute:index"]
    proto = model(
        graph([node("ReverseSequence", "x n", batch_axis=0, time_axis=1)], [info("x", (1, 6, 3))], [info("y", None)], {"n": ints(7)})
    )
    assert problems(proto) == [
        "got a reversal of (7,) of 6 steps but should be of one length for all examples [ReverseSequence in the_ReverseSequence]"
    ]
