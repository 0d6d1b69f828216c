"""Each operator of floats: the neutral graph computes what the interpreter computes, and its work is of the right kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tests.difference import CLOSE
from tests.plugins.tflite.support import Translated, compare, ints, random
from tests.plugins.tflite.writer import File, Sub

X = random(1, 5, 6, 4)


def one(
    kind: str,
    x: Any,
    constants: Sequence[Any] = (),
    options: str = "",
    outputs: Sequence[tuple[Sequence[int], str]] = (((), "float32"),),
    first: int = 0,
    most: float = CLOSE,
    **fields: Any,
) -> Translated:
    """A file of one operator: ``x`` and constants (``first`` of them before x), with free batch; and the comparison."""
    file, sub = File.new()
    data = np.asarray(x)
    given = sub.input((-1, *data.shape[1:]), data.dtype.name)
    made = [-1 if constant is None else sub.constant(constant) for constant in constants]
    results = [sub.tensor(shape, dtype) for shape, dtype in outputs]
    sub.outputs = sub.op(kind, [*made[:first], given, *made[first:]], results, options, **fields)
    return compare(file, data, most=most)


@pytest.mark.parametrize(
    ("kind", "work"),
    [
        ("ABS", "abs"),
        ("CEIL", "ceil"),
        ("COS", "cos"),
        ("ELU", "elu"),
        ("EXP", "exp"),
        ("FLOOR", "floor"),
        ("GELU", "gelu"),
        ("HARD_SWISH", "hard_swish"),
        ("LOGISTIC", "sigmoid"),
        ("NEG", "neg"),
        ("RELU", "relu"),
        ("RELU6", "clip"),
        ("RELU_N1_TO_1", "clip"),
        ("RELU_0_TO_1", "clip"),
        ("ROUND", "round"),
        ("SIGN", "sign"),
        ("SIN", "sin"),
        ("SQUARE", "square"),
        ("TANH", "tanh"),
    ],
)
def test_functions_of_one_tensor(kind: str, work: str) -> None:
    assert one(kind, 3 * X).kinds == [f"elementwise:{work}"]


@pytest.mark.parametrize(("kind", "work"), [("LOG", "log"), ("SQRT", "sqrt"), ("RSQRT", "rsqrt")])
def test_functions_of_positive_numbers(kind: str, work: str) -> None:
    assert one(kind, np.abs(X) + 0.1).kinds == [f"elementwise:{work}"]


@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL", "DIV"])
def test_arithmetic_of_two_tensors(kind: str) -> None:
    assert one(kind, X, [np.abs(random(4)) + 0.5], kind.title()).kinds == [f"elementwise:{kind.lower()}"]


@pytest.mark.parametrize(("kind", "work"), [("MAXIMUM", "max"), ("MINIMUM", "min"), ("FLOOR_MOD", "mod"), ("PRELU", "prelu")])
def test_functions_of_two_tensors(kind: str, work: str) -> None:
    other = np.abs(random(1, 1, 4) if kind == "PRELU" else random(4)) + 0.5
    assert one(kind, X, [other]).kinds == [f"elementwise:{work}"]


@pytest.mark.parametrize(("number", "work"), [(0, []), (1, ["relu"]), (2, ["clip"]), (3, ["clip"])])
def test_fused_activations_are_work_of_their_own(number: int, work: list[str]) -> None:
    found = one("ADD", 5 * X, [random(4)], "Add", fusedActivationFunction=number)
    assert found.kinds == ["elementwise:add", *(f"elementwise:{name}" for name in work)]


def test_parameters_of_functions() -> None:
    assert one("ATAN2", X, [random(1, 5, 6, 4, seed=1)]).kinds == ["elementwise:atan2"]
    found = one("LEAKY_RELU", X, options="LeakyRelu", alpha=0.1)
    assert dict(found.nodes[0].attributes) == {"op": "leaky_relu", "alpha": 0.1}
    assert one("GELU", X, options="Gelu", approximate=True).kinds == ["elementwise:gelu_tanh"]
    assert one("POW", np.abs(X), [np.float32(2)]).kinds == ["elementwise:square"]
    assert one("POW", np.abs(X), [np.float32(3)]).kinds == ["elementwise:pow"]
    assert one("SQUARED_DIFFERENCE", X, [random(4)]).kinds == ["elementwise:sub", "elementwise:square"]
    assert one("ADD_N", X, [random(1, 5, 6, 4, seed=1), random(1, 5, 6, 4, seed=2)]).kinds == ["elementwise:add"] * 2


@pytest.mark.parametrize("kind", ["EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL"])
def test_comparisons_and_choices(kind: str) -> None:
    assert one(kind, np.round(X), [np.round(random(4))], outputs=[((), "bool")]).kinds == [f"elementwise:{kind.lower()}"]


def test_select() -> None:
    file, sub = File.new()
    x = sub.input((-1, 3))
    zero, other = sub.constant(np.float32(0)), sub.constant(random(3, seed=3))
    truth, y = sub.tensor((), "bool"), sub.tensor(())
    sub.op("GREATER", [x, zero], [truth])
    sub.outputs = sub.op("SELECT_V2", [truth, x, other], [y])
    assert compare(file, random(1, 3)).kinds == ["elementwise:greater", "elementwise:where"]


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize(("stride", "dilation"), [((1, 1), (1, 1)), ((2, 1), (1, 1)), ((1, 1), (2, 1))])
def test_convolutions(padding: int, stride: tuple[int, int], dilation: tuple[int, int]) -> None:
    fields = {
        "padding": padding,
        "strideH": stride[0],
        "strideW": stride[1],
        "dilationHFactor": dilation[0],
        "dilationWFactor": dilation[1],
        "fusedActivationFunction": 1,
    }
    found = one("CONV_2D", X, [random(7, 2, 3, 4), random(7)], "Conv2D", **fields)
    assert found.kinds == ["conv", "elementwise:relu"]
    deep = one("DEPTHWISE_CONV_2D", X, [random(1, 2, 3, 8), random(8)], "DepthwiseConv2D", depthMultiplier=2, **fields)
    assert deep.nodes[0].attributes["groups"] == 4


def test_grouped_convolution_has_fewer_channels_in_its_weights() -> None:
    found = one("CONV_2D", X, [random(6, 3, 3, 2), random(6)], "Conv2D", strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1)
    assert found.nodes[0].attributes["groups"] == 2


def test_weights_stay_in_the_file_and_are_transposed_by_strides() -> None:
    weight = random(7, 2, 3, 4)
    fields = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    found = one("CONV_2D", X, [weight, random(7)], "Conv2D", **fields)
    value = found.graph.values[found.nodes[0].inputs[1]]
    assert value.constant is not None
    assert (value.shape, value.constant.store, value.constant.strides) == ((7, 4, 2, 3), "artifact", (24, 1, 12, 4))
    assert np.array_equal(found.store.open(value.constant, value.shape, value.format), weight.transpose(0, 3, 1, 2))
    assert list(found.sidecar.iterdir()) == []


def test_convolution_of_three_axes() -> None:
    options = dict.fromkeys(("strideD", "strideH", "strideW", "dilationDFactor", "dilationHFactor", "dilationWFactor"), 1)
    found = one("CONV_3D", random(1, 4, 5, 6, 3), [random(2, 3, 2, 3, 5), random(5)], "Conv3D", padding=1, **options)
    assert found.shapes() == [(1, 3, 3, 5, 5)]


@pytest.mark.parametrize(("padding", "out"), [(0, (10, 12)), (1, (11, 13)), (1, (12, 13))])
def test_transposed_convolution(padding: int, out: tuple[int, int]) -> None:
    file, sub = File.new()
    shape, weight, x = sub.constant(ints(1, *out, 7)), sub.constant(random(7, 3, 3, 4)), sub.input((1, 5, 6, 4))
    y = sub.tensor((1, *out, 7))
    sub.outputs = sub.op("TRANSPOSE_CONV", [shape, weight, x], [y], "TransposeConv", padding=padding, strideH=2, strideW=2)
    assert compare(file, X).kinds == ["conv"]


@pytest.mark.parametrize(("kind", "op"), [("AVERAGE_POOL_2D", "average"), ("MAX_POOL_2D", "max")])
@pytest.mark.parametrize("padding", [0, 1])
def test_pools(kind: str, op: str, padding: int) -> None:
    found = one(kind, X, options="Pool2D", padding=padding, strideH=2, strideW=1, filterHeight=2, filterWidth=3)
    assert found.kinds == [f"pool:{op}"]


@pytest.mark.parametrize("keep", [False, True])
def test_fully_connected(keep: bool) -> None:
    file, sub = File.new()
    operands = [sub.input((1, 3, 5)), sub.constant(random(7, 5)), sub.constant(random(7))]
    sub.outputs = sub.op("FULLY_CONNECTED", operands, [sub.tensor(())], "FullyConnected", keepNumDims=keep)
    found = compare(file, random(1, 3, 5))
    assert found.work == ["matmul"]
    assert found.shapes() == [(1, 3, 7) if keep else (3, 7)]


def test_fully_connected_of_a_whole_image() -> None:
    file, sub = File.new()
    x, weight = sub.input((1, 5, 6, 4)), sub.constant(random(7, 120))
    sub.outputs = sub.op("FULLY_CONNECTED", [x, weight, -1], [sub.tensor((1, 7))], "FullyConnected")
    assert compare(file, X).shapes() == [(1, 7)]


@pytest.mark.parametrize(("x", "y"), [(False, False), (True, False), (False, True)])
def test_batch_matmul(x: bool, y: bool) -> None:
    left, right = random(1, 2, 3, 5).transpose(0, 1, 3, 2) if x else random(1, 2, 3, 5), random(2, 5, 4)
    found = one("BATCH_MATMUL", left, [right.transpose(0, 2, 1) if y else right], "BatchMatMul", adjX=x, adjY=y)
    assert found.work == ["matmul"]


@pytest.mark.parametrize(
    ("kind", "op"), [("MEAN", "mean"), ("SUM", "sum"), ("REDUCE_MAX", "max"), ("REDUCE_MIN", "min"), ("REDUCE_PROD", "prod")]
)
@pytest.mark.parametrize("keep", [False, True])
def test_reductions(kind: str, op: str, keep: bool) -> None:
    assert one(kind, X, [ints(1, -1)], "Reducer", keepDims=keep).kinds == [f"reduce:{op}"]


def test_softmax_and_normalisation() -> None:
    assert one("SOFTMAX", X, options="Softmax", beta=1.0).kinds == ["softmax:softmax"]
    assert one("SOFTMAX", X, options="Softmax", beta=0.5).kinds == ["elementwise:mul", "softmax:softmax"]
    assert one("LOG_SOFTMAX", X).kinds == ["softmax:log_softmax"]
    assert one("L2_NORMALIZATION", X, options="L2Norm").kinds == ["reduce:l2", "elementwise:div"]
    fields = {"radius": 1, "bias": 1.0, "alpha": 0.1, "beta": 0.5}
    found = one("LOCAL_RESPONSE_NORMALIZATION", X, options="LocalResponseNormalization", **fields)
    assert found.nodes[0].attributes["size"] == 3


def test_resizes() -> None:
    assert one("RESIZE_BILINEAR", X, [ints(10, 12)], "ResizeBilinear").kinds == ["resize:linear"]
    assert one("RESIZE_NEAREST_NEIGHBOR", X, [ints(10, 12)], "ResizeNearestNeighbor").kinds == ["resize:nearest"]


@pytest.mark.parametrize(
    ("kind", "constants", "options", "fields"),
    [
        ("RESHAPE", [ints(-1, 6, 20)], "", {}),
        ("SQUEEZE", [], "Squeeze", {"squeezeDims": [0]}),
        ("EXPAND_DIMS", [np.int32(-1)], "", {}),
        ("TRANSPOSE", [ints(0, 3, 1, 2)], "", {}),
        ("SLICE", [ints(0, 1, 2, 0), ints(-1, 3, -1, 2)], "", {}),
        ("PAD", [ints(0, 0, 1, 2, 0, 1, 0, 0).reshape(4, 2)], "", {}),
        ("PADV2", [ints(0, 0, 1, 2, 0, 1, 0, 0).reshape(4, 2), np.float32(7)], "", {}),
        ("TILE", [ints(1, 2, 1, 3)], "", {}),
        ("REVERSE_V2", [ints(1)], "", {}),
        ("SPACE_TO_DEPTH", [], "SpaceToDepth", {"blockSize": 1}),
        ("GATHER", [ints(2, 0, 2)], "Gather", {"axis": 3}),
        ("GATHER", [np.int32(2)], "Gather", {"axis": 3}),
        ("CUMSUM", [np.int32(2)], "Cumsum", {}),
        ("ARG_MAX", [np.int32(3)], "ArgMax", {"outputType": 2}),
        ("ARG_MIN", [np.int32(3)], "ArgMin", {"outputType": 2}),
    ],
)
def test_moves_and_choices(kind: str, constants: list[Any], options: str, fields: dict[str, Any]) -> None:
    file, sub = File.new()
    x = sub.input((1, 5, 6, 4))
    y = sub.tensor((), "int32" if kind.startswith("ARG") else "float32")
    sub.outputs = sub.op(kind, [x, *(sub.constant(constant) for constant in constants)], [y], options, **fields)
    compare(file, X)


@pytest.mark.parametrize(
    ("begin", "end", "step", "masks"),
    [
        ((0, 1, 0, 0), (1, 4, 6, 4), (1, 2, 1, 1), {}),
        ((0, 4, 0, 0), (1, 0, 6, 4), (1, -2, 1, 1), {}),
        ((0, -1, 0, 0), (1, -4, 6, 4), (1, -1, 1, 1), {"endMask": 8, "beginMask": 8}),
        ((0, 2, 0, 0), (1, 3, 6, 4), (1, 1, 1, 1), {"shrinkAxisMask": 2}),
        ((0, 0, 1), (1, 0, 3), (1, 1, 1), {"ellipsisMask": 2}),
        ((0, 0, 1), (1, 0, 3), (1, 1, 1), {"newAxisMask": 2}),
        ((0,), (1,), (1,), {}),
    ],
)
def test_strided_slices(begin: tuple[int, ...], end: tuple[int, ...], step: tuple[int, ...], masks: dict[str, int]) -> None:
    file, sub = File.new()
    x = sub.input((1, 5, 6, 4))
    operands = [x, *(sub.constant(ints(*numbers)) for numbers in (begin, end, step))]
    sub.outputs = sub.op("STRIDED_SLICE", operands, [sub.tensor(())], "StridedSlice", **masks)
    compare(file, X)


def _pieces(sub: Sub, count: int) -> list[int]:
    return [sub.tensor(()) for _ in range(count)]


def test_splits_joins_and_stacks() -> None:
    file, sub = File.new()
    x = sub.input((1, 5, 6, 4))
    a, b = sub.op("SPLIT", [sub.constant(np.int32(3)), x], _pieces(sub, 2), "Split", numSplits=2)
    c, d = sub.op("SPLIT_V", [x, sub.constant(ints(1, -1)), sub.constant(np.int32(1))], _pieces(sub, 2), "SplitV", numSplits=2)
    (e,) = sub.op("CONCATENATION", [b, a, x], _pieces(sub, 1), "Concatenation", axis=-1)
    (f,) = sub.op("PACK", [a, b], _pieces(sub, 1), "Pack", axis=1, valuesCount=2)
    g, h = sub.op("UNPACK", [f], _pieces(sub, 2), "Unpack", axis=1, num=2)
    sub.outputs = [c, d, e, g, h]
    assert compare(file, X).work == []


@pytest.mark.parametrize("kind", ["SPACE_TO_DEPTH", "DEPTH_TO_SPACE"])
def test_space_and_depth(kind: str) -> None:
    name = "SpaceToDepth" if kind.startswith("SPACE") else "DepthToSpace"
    assert one(kind, random(1, 4, 6, 8), options=name, blockSize=2).work == []


def test_space_and_batch() -> None:
    file, sub = File.new()
    x, blocks = sub.input((1, 5, 6, 4)), sub.constant(ints(2, 3))
    pads, crops = sub.constant(ints(0, 1, 0, 0).reshape(2, 2)), sub.constant(ints(0, 1, 1, 0).reshape(2, 2))
    (apart,) = sub.op("SPACE_TO_BATCH_ND", [x, blocks, pads], _pieces(sub, 1))
    sub.outputs = [apart, *sub.op("BATCH_TO_SPACE_ND", [apart, blocks, crops], _pieces(sub, 1))]
    assert compare(file, X).shapes() == [(6, 3, 2, 4), (1, 5, 5, 4)]


def test_top_k_gather_nd_and_one_hot() -> None:
    file, sub = File.new()
    x = sub.input((1, 6))
    values, places = sub.tensor(()), sub.tensor((), "int32")
    sub.op("TOPK_V2", [x, sub.constant(np.int32(3))], [values, places])
    (picked,) = sub.op("GATHER_ND", [x, sub.constant(ints(0, 4, 0, 1).reshape(2, 2))], _pieces(sub, 1))
    numbers = [sub.constant(np.int32(6)), sub.constant(np.float32(1)), sub.constant(np.float32(0))]
    (hot,) = sub.op("ONE_HOT", [places, *numbers], _pieces(sub, 1), "OneHot", axis=-1)
    sub.outputs = [values, places, hot]
    found = compare(file, random(1, 6))
    assert found.work == ["select:topk", "permute:index", "elementwise:equal"]
    assert picked not in sub.outputs


def test_tokens_look_up_rows() -> None:
    file, sub = File.new()
    x, table = sub.input((-1, 5), "int32"), sub.constant(random(10, 3))
    (rows,) = sub.op("GATHER", [table, x], _pieces(sub, 1), "Gather", axis=0)
    sub.outputs = [rows]
    found = compare(file, ints(1, 2, 3, 9, 0).reshape(1, 5))
    assert found.kinds == ["lookup:embedding"]
    assert found.count().ledgers["freebie"].operations == 0


def test_embedding_lookup() -> None:
    file, sub = File.new()
    x, table = sub.input((1,), "int32"), sub.constant(random(10, 3))
    sub.outputs = sub.op("EMBEDDING_LOOKUP", [x, table], _pieces(sub, 1))
    assert compare(file, ints(4)).kinds == ["lookup:embedding"]


def test_shape_arithmetic_is_folded() -> None:
    file, sub = File.new()
    x = sub.input((-1, 5, 6, 4))
    whole = lambda: sub.tensor((), "int32")  # noqa: E731
    (shape,) = sub.op("SHAPE", [x], [whole()], "Shape", outType=2)
    (batch,) = sub.op(
        "STRIDED_SLICE",
        [shape, sub.constant(ints(0)), sub.constant(ints(1)), sub.constant(ints(1))],
        [whole()],
        "StridedSlice",
        shrinkAxisMask=1,
    )
    (half,) = sub.op("FLOOR_DIV", [sub.constant(np.int32(240)), sub.constant(np.int32(2))], [whole()])
    (wanted,) = sub.op("PACK", [batch, half], [whole()], "Pack", valuesCount=2)
    sub.outputs = sub.op("RESHAPE", [x, wanted], [sub.tensor((-1, 120))])
    assert compare(file, X).kinds == ["move:reshape"]


def test_a_range_with_constant_bounds_is_stored() -> None:
    file, sub = File.new()
    x = sub.input((-1, 4))
    bounds = [sub.constant(np.float32(number)) for number in (0.5, 4.5, 1)]
    (numbers,) = sub.op("RANGE", bounds, [sub.tensor(())])
    sub.outputs = sub.op("MUL", [x, numbers], [sub.tensor(())], "Mul")
    assert compare(file, random(1, 4)).kinds == ["elementwise:mul"]


def test_broadcast_to() -> None:
    file, sub = File.new()
    x = sub.input((1, 1, 3))
    sub.outputs = sub.op("BROADCAST_TO", [x, sub.constant(ints(1, 5, 3))], [sub.tensor(())], version=2)
    assert compare(file, random(1, 1, 3)).kinds == ["move:expand"]


def test_fills_casts_and_copies() -> None:
    file, sub = File.new()
    x = sub.input((1, 3))
    (two,) = sub.op("FILL", [sub.constant(ints(1, 3)), sub.constant(np.float32(2))], [sub.tensor(())])
    (none,) = sub.op("ZEROS_LIKE", [x], [sub.tensor(())])
    (total,) = sub.op("ADD_N", [x, two, none], [sub.tensor(())])
    (whole,) = sub.op("CAST", [total], [sub.tensor((), "int32")], "Cast")
    sub.outputs = sub.op("CAST", [whole], [sub.tensor(())], "Cast")
    found = compare(file, random(1, 3))
    assert found.kinds.count("move:cast") == 2
