"""Every way of storing a constant: found, with its own format and values, in place where its bytes can be used as they are."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from micronet_verify.facts.graph import Value
from tests.plugins.onnx.support import (
    FREE,
    Translated,
    compare,
    graph,
    info,
    ints,
    model,
    node,
    problems,
    random,
    saved,
    translate,
    unknown,
    x_to_y,
)


def constant(found: Translated, label: str) -> Value:
    (value,) = [value for value in found.graph.values.values() if value.label == label and value.constant is not None]
    return value


def added(shape: tuple[int, ...], *nodes: onnx.NodeProto, **more: Any) -> onnx.GraphProto:
    """x + c, where ``nodes`` make c."""
    return x_to_y([*nodes, node("Add", "x c")], shape, **more)


@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        ("value", numpy_helper.from_array(random(4)), random(4)),
        ("value", numpy_helper.from_array(random(2000)), random(2000)),
        ("value_float", 0.5, np.float32(0.5)),
        ("value_floats", [0.5, 1.5, 2.5], np.array([0.5, 1.5, 2.5], np.float32)),
        ("value_floats", random(3000).tolist(), random(3000)),
    ],
)
def test_a_constant_node_of_floats(form: str, value: Any, expected: np.ndarray) -> None:
    found = compare([node("Constant", "", "c", **{form: value}), node("Add", "x c")], {"x": random(1, max(expected.size, 2))})
    np.testing.assert_array_equal(found.constants()["c"], expected)
    # What is large stays in the file, if it is there as plain bytes: protobuf puts a tag before each number of value_floats.
    place = constant(found, "c").constant
    assert place is not None
    assert place.store == ("artifact" if expected.nbytes > 1024 and form == "value" else "sidecar")


@pytest.mark.parametrize(
    ("form", "value", "expected"), [("value_int", 3, 3), ("value_ints", [3, 4], [3, 4]), ("value_ints", [7] * 5000, [7] * 5000)]
)
def test_a_constant_node_of_integers(form: str, value: Any, expected: Any) -> None:
    size = 1 if isinstance(value, int) else len(value)
    x = np.zeros((1, size), np.int64)
    found = compare([node("Constant", "", "c", **{form: value}), node("Add", "x c")], {"x": x}, kinds=TensorProto.INT64)
    assert found.constants()["c"].tolist() == expected


@pytest.mark.parametrize("form", ["value_string", "value_strings"])
def test_a_constant_of_text_is_refused(form: str) -> None:
    value = "text" if form == "value_string" else ["text"]
    assert problems(model(added((1,), node("Constant", "", "c", **{form: value})))) == [
        "got a Constant of text but should be of numbers [Constant in the_Constant]"
    ]


def test_a_constant_of_no_or_two_values_is_refused() -> None:
    assert problems(model(added((1,), node("Constant", "", "c")))) == [
        "got a Constant with no value but should have one value [Constant in the_Constant]"
    ]
    two = node("Constant", "", "c", value_float=1.0, value_int=1)
    assert problems(model(added((1,), two))) == [
        "got a Constant with ['value_float', 'value_int'] but should have one value [Constant in the_Constant]"
    ]


def sparse(values: np.ndarray, indices: np.ndarray, dims: list[int], name: str = "") -> onnx.SparseTensorProto:
    return helper.make_sparse_tensor(numpy_helper.from_array(values, name), numpy_helper.from_array(indices), dims)


@pytest.mark.parametrize("indices", [ints(1, 5), np.array([[0, 1], [1, 1]], np.int64)])
def test_sparse_constants_are_written_out(indices: np.ndarray) -> None:
    tensor = sparse(np.array([2, 3], np.float32), indices, [2, 4])
    expected = [[0, 2, 0, 0], [0, 3, 0, 0]]
    found = compare([node("Constant", "", "c", sparse_value=tensor), node("Add", "x c")], {"x": random(1, 2, 4)})
    assert found.constants()["c"].tolist() == expected
    body = added((2, 4))
    body.sparse_initializer.append(sparse(np.array([2, 3], np.float32), indices, [2, 4], "c"))
    assert translate(saved(model(body))).constants()["c"].tolist() == expected


@pytest.mark.parametrize(
    ("indices", "dims", "sentence"),
    [
        (ints(1, 8), [2, 4], "got an index outside of a sparse tensor but should lie within (2, 4)"),
        (ints(1, 1), [2, 4], "got an index that occurs twice in a sparse tensor but should occur once"),
        (ints(1), [2, 4], "got a sparse tensor with values (2,) and indices (1,) but should have one index per value"),
        (ints(1, 5), [2**20, 2**20], "got a sparse tensor of 1,099,511,627,776 elements but should have at most 268,435,456"),
    ],
)
def test_sparse_constants_that_contradict_themselves(indices: np.ndarray, dims: list[int], sentence: str) -> None:
    body = added((2, 4))
    body.sparse_initializer.append(sparse(np.array([2, 3], np.float32), indices, dims, "c"))
    assert problems(model(body)) == [f"{sentence} [sparse initializer 'c']"]


TYPES: list[tuple[int, Any]] = [
    (TensorProto.FLOAT, np.float32),
    (TensorProto.DOUBLE, np.float64),
    (TensorProto.FLOAT16, np.float16),
    (TensorProto.BFLOAT16, ml_dtypes.bfloat16),
    (TensorProto.INT8, np.int8),
    (TensorProto.UINT8, np.uint8),
    (TensorProto.INT16, np.int16),
    (TensorProto.UINT16, np.uint16),
    (TensorProto.INT32, np.int32),
    (TensorProto.INT64, np.int64),
    (TensorProto.UINT32, np.uint32),
    (TensorProto.UINT64, np.uint64),
    (TensorProto.BOOL, np.bool_),
    (TensorProto.FLOAT8E4M3FN, ml_dtypes.float8_e4m3fn),
    (TensorProto.FLOAT8E5M2, ml_dtypes.float8_e5m2),
    (TensorProto.FLOAT4E2M1, ml_dtypes.float4_e2m1fn),
    (TensorProto.INT4, ml_dtypes.int4),
    (TensorProto.UINT4, ml_dtypes.uint4),
    (TensorProto.INT2, ml_dtypes.int2),
    (TensorProto.UINT2, ml_dtypes.uint2),
]


@pytest.mark.parametrize(("kind", "dtype"), TYPES, ids=[np.dtype(dtype).name for _, dtype in TYPES])
@pytest.mark.parametrize("size", [5, 3001])
@pytest.mark.parametrize("raw", [True, False], ids=["raw", "typed"])
def test_every_type_in_raw_and_typed_data(kind: int, dtype: Any, size: int, raw: bool) -> None:
    name = np.dtype(dtype).name
    # Every code of the two-bit types, and as many of the others.
    numbers = np.arange(size) * 7 % (2 if name == "bool" else 4) - (0 if name.startswith(("u", "bool")) else 2)
    array = numbers.astype(dtype)
    typed = helper.make_tensor("c", kind, array.shape, numbers.astype(np.float64 if "float" in name else np.int64).tolist())
    tensor = numpy_helper.from_array(array, "c") if raw else typed
    body = graph([node("Identity", "c"), node("Relu", "x", "z")], [info("x", (FREE, 2))], [unknown("z"), unknown("y", kind)])
    body.initializer.append(tensor)
    found = translate(saved(model(body, 25, 13)))
    value = constant(found, "c")
    assert value.format.name == np.dtype(dtype).name
    assert value.shape == (size,)
    assert found.constants()["c"].astype(np.float64).tolist() == array.astype(np.float64).tolist()


def test_negative_numbers_in_varints() -> None:
    numbers = np.random.default_rng(0).integers(-(2**62), 2**62, 3000)
    body = graph([node("Add", "x c")], [info("x", (FREE, 3000), TensorProto.INT64)], [unknown("y", TensorProto.INT64)])
    body.initializer.append(helper.make_tensor("c", TensorProto.INT64, (3000,), numbers.tolist()))
    assert translate(saved(model(body))).constants()["c"].tolist() == numbers.tolist()


def test_large_float_data_stays_in_the_file() -> None:
    values = random(3000)
    body = added((3000,))
    body.initializer.append(helper.make_tensor("c", TensorProto.FLOAT, (3000,), values.tolist()))
    found = translate(saved(model(body)))
    place = constant(found, "c").constant
    assert place is not None
    assert place.store == "artifact"
    np.testing.assert_array_equal(found.constants()["c"], values)


def test_a_tensor_used_twice_is_one_constant() -> None:
    found = compare([node("Add", "x c", "a"), node("Mul", "a c")], {"x": random(1, 3)}, {"c": random(3)})
    assert len(found.constants()) == 1
    assert found.nodes[0].inputs[1] == found.nodes[1].inputs[1]


def test_constants_of_bodies_are_found() -> None:
    weight = numpy_helper.from_array(random(3), "inner")
    then = helper.make_graph([node("Add", "x inner", "a")], "then", [], [unknown("a")], [weight])
    other = graph([node("Neg", "x", "b")], [], [unknown("b")])
    nodes = [node("ReduceSum", "x", "t", keepdims=0), node("Greater", "t zero", "c"), node("If", "c", then_branch=then, else_branch=other)]
    found = compare(nodes, {"x": random(1, 3)}, {"zero": np.float32(0)})
    assert set(found.constants()) == {"inner", "zero"}


def test_weights_in_attributes_of_text_operators_are_refused() -> None:
    pools = {"ngram_counts": [0], "ngram_indexes": [0, 1], "pool_int64s": [2, 3], "weights": [0.5, 0.25]}
    text = node("TfIdfVectorizer", "x", max_gram_length=1, max_skip_count=0, min_gram_length=1, mode="TFIDF", **pools)
    body = x_to_y([text], (4,), kind=TensorProto.INT64)
    assert problems(model(body)) == [
        "got TfIdfVectorizer: weights in attributes of a text operator but should be an operator that this counter can price "
        "[TfIdfVectorizer in the_TfIdfVectorizer] (store them as a constant and look them up)"
    ]
