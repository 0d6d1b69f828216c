"""Arithmetic on shapes is folded: it describes tensors and is neither work nor storage."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto

from tests.plugins.onnx.support import compare, ints, model, node, problems, random, saved, translate, x_to_y

X = random(1, 4, 6, 8)


def test_the_reshape_that_exporters_write_with_a_free_batch() -> None:
    nodes = [
        node("Shape", "x", "shape"),
        node("Gather", "shape zero", "batch", axis=0),
        node("Unsqueeze", "batch axes", "b"),
        node("Concat", "b rest", "target", axis=0),
        node("Reshape", "x target"),
    ]
    found = compare(nodes, {"x": X}, {"zero": np.array(0, np.int64), "axes": ints(0), "rest": ints(-1)})
    assert found.kinds == ["move:reshape"]
    assert found.constants() == {}


def test_a_resize_whose_sizes_are_computed_through_floats() -> None:
    nodes = [
        node("Shape", "x", "s", start=2),
        node("Cast", "s", "f", to=TensorProto.FLOAT),
        node("Mul", "f two", "m"),
        node("Floor", "m", "l"),
        node("Cast", "l", "n", to=TensorProto.INT64),
        node("Shape", "x", "head", end=2),
        node("Concat", "head n", "sizes", axis=0),
        node("Resize", "x - - sizes"),
    ]
    found = compare(nodes, {"x": X}, {"two": np.float32(2.5)})
    assert found.nodes[-1].attributes["shape"] == (1, 4, 15, 20)


def test_the_expand_idiom_of_where_and_equal() -> None:
    nodes = [
        node("Shape", "x", "s"),
        node("ConstantOfShape", "four", "ones", value=_tensor(1)),
        node("Mul", "ones minus", "m"),
        node("Equal", "wanted m", "free"),
        node("Where", "free ones wanted", "target"),
        node("Expand", "x target"),
    ]
    found = compare(nodes, {"x": random(1, 4, 1, 8)}, {"four": ints(4), "minus": np.array(-1, np.int64), "wanted": ints(-1, 4, 3, 8)})
    assert found.kinds == ["move:expand"]


def _tensor(number: int) -> object:
    from onnx import numpy_helper

    return numpy_helper.from_array(ints(number))


@pytest.mark.parametrize(
    ("nodes", "constants", "target"),
    [
        ([node("ReduceProd", "a", "t", keepdims=1)], {"a": ints(4, 48)}, 192),
        ([node("Div", "a b", "t")], {"a": ints(-385), "b": ints(-2)}, 192),
        ([node("Mod", "a b", "t")], {"a": ints(400), "b": ints(208)}, 192),
        ([node("Max", "a b", "t")], {"a": ints(192), "b": ints(-3)}, 192),
        (
            [node("Range", "p q r", "u"), node("ReduceSum", "u", "t", keepdims=1)],
            {"p": np.array(0), "q": np.array(20), "r": np.array(1)},
            190,
        ),
        ([node("Size", "x", "t0"), node("Reshape", "t0 one", "t")], {"one": ints(1)}, 192),
        ([node("Slice", "a s e", "t")], {"a": ints(7, 192, 8), "s": ints(1), "e": ints(2)}, 192),
        ([node("Squeeze", "a", "t0"), node("Unsqueeze", "t0 z", "t")], {"a": ints(192), "z": ints(0)}, 192),
        ([node("Split", "a n", "t o")], {"a": ints(192, 5), "n": ints(1, 1)}, 192),
        ([node("Tile", "a r", "t0"), node("ReduceMax", "t0", "t", keepdims=1)], {"a": ints(192), "r": ints(3)}, 192),
        ([node("NonZero", "a", "t0"), node("Squeeze", "t0 z", "t")], {"a": np.eye(1, 193, 192, dtype=np.int64)[0], "z": ints(0)}, 192),
    ],
)
def test_whole_numbers_are_computed_as_onnxruntime_computes_them(nodes: list[object], constants: dict[str, object], target: int) -> None:
    x = random(1, target)
    body = x_to_y([*nodes, node("Reshape", "x t")], x.shape[1:], constants)
    found = translate(saved(model(body)))
    assert found.shapes() == [(target,)]
    assert found.kinds == ["move:reshape"]


def test_a_shape_used_as_data_becomes_a_stored_constant() -> None:
    found = compare([node("Shape", "x", "s"), node("Cast", "s", "f", to=TensorProto.FLOAT), node("Mul", "f f")], {"x": X})
    assert [array.tolist() for array in found.constants().values()] == [[1, 4, 6, 8]]


def test_a_sequence_beyond_shapes_is_stored() -> None:
    constants = {"a": np.array(0, np.int64), "b": np.array(5000, np.int64), "c": np.array(1, np.int64)}
    found = compare(
        [node("Range", "a b c", "r"), node("Cast", "r", "f", to=TensorProto.FLOAT), node("Add", "x f")], {"x": random(1, 5000)}, constants
    )
    assert found.constants()["r"].tolist() == list(range(5000))


def test_a_float_sequence_is_stored() -> None:
    constants = {"a": np.float32(0), "b": np.float32(1), "c": np.float32(0.25)}
    found = compare([node("Range", "a b c", "r"), node("Add", "x r")], {"x": random(1, 4)}, constants)
    assert found.constants()["r"].tolist() == [0, 0.25, 0.5, 0.75]


def test_a_sequence_without_end_is_refused() -> None:
    constants = {"a": np.array(0, np.int64), "b": np.array(2**40, np.int64), "c": np.array(1, np.int64)}
    nodes = [node("Range", "a b c", "r"), node("Cast", "r", "f", to=TensorProto.FLOAT), node("Add", "x f")]
    proto = model(x_to_y(nodes, (1,), constants))
    assert problems(proto) == ["got a sequence of 0 to 1099511627776 by 1 but should have at most 16,777,216 numbers [Range in the_Range]"]


def test_a_fill_is_one_stored_number() -> None:
    found = compare([node("ConstantOfShape", "s", "f"), node("Add", "x f")], {"x": X}, {"s": ints(1, 4, 6, 8)})
    assert found.kinds == ["move:expand", "elementwise:add"]
    assert [array.size for array in found.constants().values()] == [1]


def test_an_identity_matrix_is_stored() -> None:
    found = compare([node("EyeLike", "w", "e"), node("MatMul", "x e")], {"x": random(1, 5)}, {"w": random(5, 5)})
    assert found.constants()["identity"].tolist() == np.eye(5).tolist()


def test_rows_against_columns_are_no_shape() -> None:
    # 2,000 + 2,000 numbers make four million: they are left to the core as constant arithmetic.
    constants = {"a": np.arange(2000).reshape(2000, 1), "b": np.arange(2000)}
    nodes = [node("Add", "a b", "m"), node("Cast", "m", "f", to=TensorProto.FLOAT), node("MatMul", "x f")]
    found = translate(saved(model(x_to_y(nodes, (2000,), constants))))
    assert found.kinds == ["elementwise:add", "move:cast", "matmul"]
    assert sum(array.size for array in found.constants().values()) == 2000 + 2000
