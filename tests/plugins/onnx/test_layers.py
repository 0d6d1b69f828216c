"""Normalisation, softmax, pooling, resizing, reductions and choosing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from tests.plugins.onnx.support import compare, graph, info, ints, model, node, problems, random

X = random(1, 4, 7, 6)


def per_channel(channels: int = 4) -> dict[str, Any]:
    return {"s": random(channels, seed=1), "b": random(channels, seed=2)}


def test_batch_norm_has_its_statistics_before_scale_and_shift() -> None:
    constants = {**per_channel(), "m": random(4, seed=3), "v": np.abs(random(4, seed=4)) + 0.5}
    found = compare([node("BatchNormalization", "x s b m v", epsilon=1e-3)], {"x": X}, constants)
    assert found.nodes[0].attributes == {"op": "batch_norm", "eps": 1e-3}
    assert [found.graph.values[name].label for name in found.nodes[0].inputs[1:]] == ["m", "v", "s", "b"]


def test_batch_norm_in_training_mode_is_refused() -> None:
    constants = {**per_channel(), "m": random(4), "v": np.abs(random(4))}
    proto = model(graph([node("BatchNormalization", "x s b m v", training_mode=1)], [info("x", X.shape)], [info("y", None)], constants))
    assert problems(proto) == [
        "got batch norm in training mode but should be exported for inference [BatchNormalization in the_BatchNormalization] "
        "(call model.eval() before the export)"
    ]


def test_layer_norm_over_the_axes_from_its_axis_on() -> None:
    constants = {"s": random(7, 6), "b": random(7, 6)}
    found = compare([node("LayerNormalization", "x s b", axis=2)], {"x": X}, constants)
    assert found.nodes[0].attributes == {"op": "layer_norm", "eps": 1e-5, "axes": (2, 3)}
    assert compare([node("LayerNormalization", "x s")], {"x": X}, {"s": random(6)}).nodes[0].attributes["axes"] == (3,)


def test_rms_norm() -> None:
    found = compare([node("RMSNormalization", "x s", axis=-1)], {"x": X}, {"s": random(6)}, opset=23)
    assert found.nodes[0].attributes == {"op": "rms_norm", "eps": 1e-5, "axes": (3,)}


def test_onnxruntimes_own_name_of_rms_norm() -> None:
    found = compare([node("SimplifiedLayerNormalization", "x s", axis=-1, epsilon=1e-6)], {"x": X}, {"s": random(6)})
    assert found.nodes[0].attributes == {"op": "rms_norm", "eps": 1e-6, "axes": (3,)}


@pytest.mark.parametrize(("opset", "size"), [(18, 2), (21, 4)])
def test_group_norm_scales_groups_before_opset_21_and_channels_after(opset: int, size: int) -> None:
    found = compare([node("GroupNormalization", "x s b", num_groups=2)], {"x": X}, per_channel(size), opset=opset)
    assert found.nodes[-1].attributes == {"op": "group_norm", "eps": 1e-5, "groups": 2}


def test_instance_norm_and_local_response_norm() -> None:
    assert compare([node("InstanceNormalization", "x s b")], {"x": X}, per_channel()).kinds == ["normalise:instance_norm"]
    found = compare([node("LRN", "x", size=3)], {"x": X})
    assert found.nodes[0].attributes == {"op": "local_response_norm", "eps": 1.0, "bias": 1.0, "size": 3, "alpha": 1e-4, "beta": 0.75}
    compare([node("LRN", "x", size=5, bias=2.0, alpha=0.3, beta=0.6)], {"x": X})


def test_lp_norm_and_mean_variance_norm() -> None:
    assert compare([node("LpNormalization", "x", axis=1, p=1)], {"x": X}).kinds == ["reduce:l1", "elementwise:max", "elementwise:div"]
    compare([node("LpNormalization", "x", axis=1)], {"x": X * (X[:, :1] > 0)})  # zeros stay zeros
    found = compare([node("MeanVarianceNormalization", "x")], {"x": X})
    assert found.nodes[0].attributes == {"op": "layer_norm", "eps": 1e-18, "axes": (0, 2, 3)}


@pytest.mark.parametrize("kind", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("opset", [11, 13])
@pytest.mark.parametrize("axis", [1, 3])
def test_softmax_of_one_axis_or_before_opset_13_of_all_from_it_on(kind: str, opset: int, axis: int) -> None:
    found = compare([node(kind, "x", axis=axis)], {"x": X}, opset=opset)
    softmax = "softmax:softmax" if kind == "Softmax" else "softmax:log_softmax"
    assert found.kinds == (["move:reshape", softmax, "move:reshape"] if opset < 13 and axis != 3 else [softmax])


@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize(
    "attributes",
    [
        {"kernel_shape": [2, 2]},
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
        {"kernel_shape": [3, 2], "strides": [2, 2], "ceil_mode": 1},
        {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
        {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_LOWER"},
        {"kernel_shape": [2, 2], "strides": [3, 3], "pads": [0, 0, 1, 1], "ceil_mode": 1},
    ],
)
def test_pools(kind: str, attributes: dict[str, Any]) -> None:
    found = compare([node(kind, "x", **attributes)], {"x": X})
    assert found.kinds == ["pool:max" if kind == "MaxPool" else "pool:average"]


def test_a_dilated_max_pool() -> None:
    found = compare([node("MaxPool", "x", kernel_shape=[3, 2], dilations=[2, 1])], {"x": X})
    assert found.nodes[0].attributes["dilation"] == (2, 1)


def test_the_places_of_the_maxima_are_refused_where_they_are_read() -> None:
    pool = node("MaxPool", "x", "y places", kernel_shape=[2, 2])
    read = model(graph([pool], [info("x", X.shape)], [info("y", None), info("places", None, TensorProto.INT64)]))
    assert problems(read) == [
        "got a use of the places of a MaxPool but should use its values "
        "[MaxPool in the_MaxPool] (unpool by a transposed convolution or a Resize)"
    ]
    assert compare([pool], {"x": X}).kinds == ["pool:max"]


@pytest.mark.parametrize(("kind", "op"), [("GlobalAveragePool", "average"), ("GlobalMaxPool", "max")])
def test_global_pools(kind: str, op: str) -> None:
    assert compare([node(kind, "x")], {"x": X}).nodes[0].attributes == {"op": op, "adaptive": (1, 1)}


@pytest.mark.parametrize(("mode", "op"), [("nearest", "nearest"), ("linear", "linear"), ("cubic", "cubic")])
def test_resize_by_scales_and_to_sizes(mode: str, op: str) -> None:
    scaled = compare([node("Resize", "x - s", mode=mode)], {"x": X}, {"s": np.array([1, 1, 2, 1.5], np.float32)})
    sized = compare([node("Resize", "x - - n", mode=mode)], {"x": X}, {"n": ints(1, 4, 14, 9)})
    assert (
        [n.attributes for n in scaled.nodes]
        == [n.attributes for n in sized.nodes]
        == [{"op": op, "shape": (1, 4, 14, 9), **({"cubic_a": -0.75} if op == "cubic" else {})}]
    )


def test_resize_of_some_axes() -> None:
    compare([node("Resize", "x - s", axes=[2, 3])], {"x": X}, {"s": np.array([2.5, 3], np.float32)}, opset=18)


@pytest.mark.parametrize("opset", [7, 9])
def test_upsample(opset: int) -> None:
    scales = [1.0, 1.0, 2.0, 2.0]
    if opset == 7:
        found = compare([node("Upsample", "x", scales=scales)], {"x": X}, opset=7)
    else:
        found = compare([node("Upsample", "x s")], {"x": X}, {"s": np.array(scales, np.float32)}, opset=9)
    assert found.kinds == ["resize:nearest"]


def test_a_resize_to_the_same_size_is_nothing_and_antialias_is_refused() -> None:
    assert compare([node("Resize", "x - s"), node("Relu", "y", "z")], {"x": X}, {"s": np.ones(4, np.float32)}, "z").kinds == [
        "elementwise:relu"
    ]
    proto = model(
        graph(
            [node("Resize", "x - s", antialias=1, mode="linear")], [info("x", X.shape)], [info("y", None)], {"s": np.ones(4, np.float32)}
        ),
        18,
    )
    assert problems(proto) == [
        "got a resize with antialias but should be without [Resize in the_Resize] (set antialias=0: its window depends on the scale)"
    ]


REDUCTIONS = {
    "ReduceL1": ["reduce:l1"],
    "ReduceL2": ["reduce:l2"],
    "ReduceLogSumExp": ["reduce:logsumexp"],
    "ReduceMax": ["reduce:max"],
    "ReduceMean": ["reduce:mean"],
    "ReduceMin": ["reduce:min"],
    "ReduceProd": ["reduce:prod"],
    "ReduceSum": ["reduce:sum"],
    "ReduceSumSquare": ["reduce:sum_square"],
    "ReduceLogSum": ["reduce:sum", "elementwise:log"],
}


@pytest.mark.parametrize("kind", REDUCTIONS)
@pytest.mark.parametrize("opset", [12, 18])
def test_reductions_with_axes_as_attribute_and_as_operand(kind: str, opset: int) -> None:
    x = {"x": np.abs(X) + 0.1}
    if opset == 12:
        found = compare([node(kind, "x", axes=[1, -1], keepdims=0)], x, opset=12)
    else:
        found = compare([node(kind, "x a", keepdims=0)], x, {"a": ints(1, -1)}, opset=18)
    assert found.kinds == REDUCTIONS[kind]
    assert found.nodes[0].attributes["axes"] == (1, 3)
    assert compare([node(kind, "x")], x, opset=opset).nodes[0].attributes["axes"] == (0, 1, 2, 3)


def test_a_reduction_over_no_axes_may_be_nothing() -> None:
    found = compare([node("ReduceSum", "x a", "r", noop_with_empty_axes=1), node("Relu", "r")], {"x": X}, {"a": ints()})
    assert found.kinds == ["elementwise:relu"]


def test_choosing_by_value() -> None:
    assert compare([node("ArgMax", "x", axis=1)], {"x": X}, kinds=TensorProto.INT64).kinds == ["select:argmax"]
    assert compare([node("ArgMin", "x", axis=2, keepdims=0)], {"x": X}, kinds=TensorProto.INT64).kinds == ["select:argmin"]
    found = compare(
        [node("TopK", "x k", "v i", axis=2)], {"x": X}, {"k": ints(3)}, "v i", kinds={"v": TensorProto.FLOAT, "i": TensorProto.INT64}
    )
    assert found.nodes[0].attributes == {"op": "topk", "axis": 2, "k": 3}


def test_running_sums() -> None:
    found = compare([node("CumSum", "x a")], {"x": X}, {"a": np.array(2, np.int64)})
    assert found.nodes[0].attributes == {"op": "cumsum", "axis": 2}
    compare([node("CumSum", "x a", reverse=1, exclusive=1)], {"x": X}, {"a": np.array(1, np.int64)})
