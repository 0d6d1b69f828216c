"""Numbers where counters of ONNX models do not look: constants of every form, bodies, functions, attributes, codes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import torch.ao.quantization.fx._decomposed  # registers quantized_decomposed's operators
from onnx import TensorProto, helper, numpy_helper

from micronet_verify.counting.count import Count
from tests.plugins.onnx.support import node
from tests.refused import refused
from tests.spelling.counted import Plain, onnx_count, onnx_model, prices, pytorch, quantized, random
from tests.traps.linear import IN, OUT, storage_bits

SCALES = random(OUT, seed=3) ** 2


def int8_codes(seed: int = 0) -> np.ndarray:
    """int8 codes that use the whole range in every row, so that no narrower width holds them."""
    codes = np.random.default_rng(seed).integers(-127, 128, (OUT, 32))
    codes[:, :3] = (-127, 127, 126)
    return codes.astype(np.int8)


# --- ONNX: constants -------------------------------------------------------------------------------------------------

N = 40
C = random(N)
SCALED = Plain(N, 0, values=N)  # y = x·c
SPARSE = np.zeros((IN, OUT), np.float32)
SPARSE.reshape(-1)[[0, 3, 7, 11, 14, 15, 21, 22, 28, 29]] = random(10)


def sparse_tensor(name: str = "") -> onnx.SparseTensorProto:
    places = np.flatnonzero(SPARSE).astype(np.int64)
    values = numpy_helper.from_array(SPARSE.reshape(-1)[places], name)
    return helper.make_sparse_tensor(values, numpy_helper.from_array(places), SPARSE.shape)


CONSTANTS: dict[str, tuple[dict[str, Any], Plain]] = {
    "value": ({"value": numpy_helper.from_array(C)}, SCALED),
    "value_floats": ({"value_floats": C.tolist()}, SCALED),
    "value_float": ({"value_float": float(C[0])}, Plain(N, 0, scalars=(32,))),
}


@pytest.mark.parametrize("form", CONSTANTS)
def test_a_constant_node_of_onnx_is_stored(form: str) -> None:
    attributes, expected = CONSTANTS[form]
    assert prices(onnx_count(onnx_model([node("Constant", "", "c", **attributes), node("Mul", "x c")], (N,)))) == expected.prices


@pytest.mark.parametrize(
    ("form", "value", "bits"),
    [
        ("value_ints", list(range(100, 100 + N)), N * 8),  # 100 … 139 take 8 bits each
        ("value_int", 7, 16),  # one scalar, which fp16 holds
        ("value", numpy_helper.from_array(np.arange(100, 100 + N, dtype=np.int64)), N * 8),
    ],
)
def test_a_constant_node_of_integers_is_stored(form: str, value: Any, bits: int) -> None:
    nodes = [node("Constant", "", "i", **{form: value}), node("Cast", "i", "c", to=TensorProto.FLOAT), node("Mul", "x c")]
    found = onnx_count(onnx_model(nodes, (N,)))
    assert 0 < storage_bits(found) <= bits + 32  # a grid of integers has a scale
    assert storage_bits(found, "freebie") == (N if bits > 16 else 1) * 16


@pytest.mark.parametrize("place", ["sparse_value", "sparse_initializer"])
def test_sparse_constants_pay_their_values_and_their_mask(place: str) -> None:
    if place == "sparse_value":
        model = onnx_model([node("Constant", "", "w", sparse_value=sparse_tensor()), node("MatMul", "x w")], (IN,))
    else:
        model = onnx_model([node("MatMul", "x w")], (IN,), sparse=[sparse_tensor("w")])
    found = onnx_count(model)
    used = int((SPARSE != 0).any(axis=0).sum())
    assert storage_bits(found) == 10 * 32 + IN * OUT
    assert storage_bits(found, "freebie") == 10 * 16 + IN * OUT
    assert found.ledgers["quantized"].operations == 10 + (10 - used)


def branch(body: str) -> onnx.GraphProto:
    """One body of an If: x·c with c in this body."""
    held = [numpy_helper.from_array(C if body == "then" else C[::-1].copy(), f"{body}_c")]
    wanted = [helper.make_tensor_value_info(f"{body}_y", TensorProto.FLOAT, None)]
    if body == "then":
        return helper.make_graph([node("Mul", f"x {body}_c", f"{body}_y")], body, [], wanted, held)
    constant = node("Constant", "", f"{body}_c", value=held[0])
    return helper.make_graph([constant, node("Mul", f"x {body}_c", f"{body}_y")], body, [], wanted)


def test_the_constants_of_both_bodies_of_an_if_are_stored() -> None:
    """Which body runs depends on x; without predictions both are charged in full, and both constants always."""
    nodes = [
        node("ReduceMax", "x", "most", keepdims=0),
        node("Greater", "most zero", "yes"),
        node("If", "yes", "y", then_branch=branch("then"), else_branch=branch("else")),
    ]
    found = onnx_count(onnx_model(nodes, (N,), {"zero": np.float32(0)}))
    # N − 1 compares for the maximum, one compare with 0, N multiplies in each body
    assert prices(found) == Plain(N - 1 + 1 + 2 * N, 0, values=2 * N).prices


def test_a_constant_of_a_loop_body_is_stored_once_and_works_every_round() -> None:
    body = helper.make_graph(
        [node("Identity", "go", "on"), node("Mul", "state c", "next")],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, [1, N]),
        ],
        [helper.make_tensor_value_info("on", TensorProto.BOOL, []), helper.make_tensor_value_info("next", TensorProto.FLOAT, [1, N])],
        [numpy_helper.from_array(C, "c")],
    )
    found = onnx_count(onnx_model([node("Loop", "trips - x", "y", body=body)], (N,), {"trips": np.int64(3)}))
    assert prices(found) == Plain(3 * N, 0, values=N).prices


@pytest.mark.parametrize("domain", ["acme", "pkg.hidden"])
@pytest.mark.parametrize("calls", [1, 2])
def test_a_constant_of_a_local_function_is_stored_once(domain: str, calls: int) -> None:
    opset = [helper.make_opsetid("", 17)]
    inner = [node("Constant", "", "c", value=numpy_helper.from_array(C)), node("Mul", "a c", "b")]
    function = helper.make_function(domain, "Scale", ["a"], ["b"], inner, opset)
    names = ["x", "h", "y"] if calls == 2 else ["x", "y"]
    nodes = [node("Scale", a, b, domain=domain) for a, b in itertools.pairwise(names)]
    assert prices(onnx_count(onnx_model(nodes, (N,), functions=[function]))) == Plain(calls * N, 0, values=N).prices


# --- ONNX: numbers in attributes -------------------------------------------------------------------------------------

THIRD = 0.3  # neither fp16 nor a power of two: 32 bits
SPELLED: dict[str, tuple[list[onnx.NodeProto], int, Plain]] = {
    "LeakyRelu": ([node("LeakyRelu", "x", alpha=THIRD)], 17, Plain(2 * N, 0, scalars=(32,))),
    "LeakyRelu, default": ([node("LeakyRelu", "x")], 17, Plain(2 * N, 0, scalars=(32,))),
    "Elu": ([node("Elu", "x", alpha=THIRD)], 17, Plain(3 * N, N, scalars=(32,))),
    "Selu": ([node("Selu", "x", alpha=1.7, gamma=1.1)], 17, Plain(4 * N, N, scalars=(32, 32))),
    "HardSigmoid": ([node("HardSigmoid", "x", alpha=THIRD, beta=0.7)], 17, Plain(3 * N, N, scalars=(32, 32))),
    "ThresholdedRelu": ([node("ThresholdedRelu", "x", alpha=THIRD)], 17, Plain(N, 0, scalars=(32,))),
    "Clip of opset 7": ([node("Clip", "x", min=-THIRD, max=THIRD)], 7, Plain(2 * N, 0, scalars=(32, 32))),
    "Pad": ([node("Pad", "x", pads=[0, 0, 0, 1], value=THIRD)], 7, Plain(0, 0, scalars=(32,))),
    "ConstantOfShape": (
        [node("ConstantOfShape", "n", "c", value=numpy_helper.from_array(np.array([THIRD], np.float32))), node("Mul", "x c")],
        17,
        Plain(N, 0, scalars=(32,)),
    ),
}


@pytest.mark.parametrize("name", SPELLED)
def test_a_number_in_an_attribute_is_stored(name: str) -> None:
    nodes, opset, expected = SPELLED[name]
    constants = {"n": np.array([N], np.int64)} if name == "ConstantOfShape" else {}
    assert prices(onnx_count(onnx_model(nodes, (N,), constants, opset=opset))) == expected.prices


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("operator", ["Upsample of opset 7", "Upsample of opset 9", "Resize"])
def test_the_scales_of_a_resize_set_a_size_and_nothing_else(operator: str, factor: int) -> None:
    """They are a shape, as strides are; each output of the nearest neighbour is a multiply (O10)."""
    scales = [1.0, 1.0, float(factor), float(factor)]
    constants = {} if operator.endswith("7") else {"s": np.array(scales, np.float32)}
    if operator == "Resize":
        resize, opset = node("Resize", "x - s", mode="nearest"), 17
    elif operator.endswith("9"):
        resize, opset = node("Upsample", "x s", mode="nearest"), 9
    else:
        resize, opset = node("Upsample", "x", mode="nearest", scales=scales), 7
    assert prices(onnx_count(onnx_model([resize], (3, 4, 4), constants, opset=opset))) == Plain(3 * 4 * factor * 4 * factor, 0).prices


def test_pools_of_a_vectorizer_are_refused() -> None:
    """TfIdfVectorizer keeps n-grams and their weights in attributes."""
    pool: dict[str, Any] = {"ngram_counts": [0, 3], "ngram_indexes": [0, 1, 2], "pool_int64s": [1, 2, 3], "weights": [0.1, 0.2, 0.3]}
    item = node("TfIdfVectorizer", "x", max_gram_length=1, max_skip_count=0, min_gram_length=1, mode="TF", **pool)
    (problem,) = refused(lambda: onnx_count(onnx_model([item], (N,), kind=TensorProto.INT64)))
    assert problem.startswith("got TfIdfVectorizer: ")
    assert "but should be an operator that this counter can price [TfIdfVectorizer in the_TfIdfVectorizer]" in problem


# --- ONNX: quantized weights -----------------------------------------------------------------------------------------


def dequantized(codes: onnx.TensorProto, constants: dict[str, Any], operands: str, axis: int = 0, tensors: Any = ()) -> Count:
    nodes = [node("DequantizeLinear", operands, "w", axis=axis), node("Gemm", "x w", transB=1)]
    return onnx_count(onnx_model(nodes, (codes.dims[1],), constants, opset=21, tensors=[codes, *tensors]))


@pytest.mark.parametrize("per_channel", [False, True])
def test_scales_and_zero_points_are_stored_one_per_channel(per_channel: bool) -> None:
    """Bytes, and for each scale 32 bits and 8 bits of zero point."""
    groups = OUT if per_channel else 1
    scale = SCALES if per_channel else SCALES[0]
    zeros = np.arange(3, 3 + OUT, dtype=np.int8) if per_channel else np.int8(3)
    codes = int8_codes()
    codes[:, 3] = -128
    found = dequantized(numpy_helper.from_array(codes, "q"), {"s": scale, "z": zeros}, "q s z")
    assert storage_bits(found) == OUT * 32 * 8 + groups * 32 + groups * 8


@pytest.mark.parametrize(("kind", "low"), [(TensorProto.INT4, -8), (TensorProto.UINT4, 0)])
@pytest.mark.parametrize("columns", [9, 16])
def test_int4_costs_exactly_4_bits(kind: int, low: int, columns: int) -> None:
    """Neither a byte (as it lies in memory) nor two nibbles' byte for an odd one: 5·9 values are 180 bits."""
    codes = np.random.default_rng(0).integers(low + 1, low + 16, (OUT, columns))
    codes[codes == 0] = 1  # a zero would be masked away
    codes[:, :3] = (low or 1, low + 15, low + 14)
    tensor = helper.make_tensor("q", kind, codes.shape, codes.reshape(-1).tolist())
    found = dequantized(tensor, {"s": np.float32(SCALES[0])}, "q s")
    assert list(found.ledgers) == ["quantized"]
    assert storage_bits(found) == OUT * columns * 4 + 32
    # x is fp32, so a multiply stays 32 bits wide (O2)
    assert prices(found) == quantized(OUT * columns * 4 + 32, 32 * OUT * columns + 32 * OUT * (columns - 1))


# --- Weights made from nothing ---------------------------------------------------------------------------------------

RANDOM = {
    "RandomNormal": [node("RandomNormal", "", "c", shape=[N], seed=1.0)],
    "RandomUniform": [node("RandomUniform", "", "c", shape=[N], seed=1.0)],
    "RandomNormalLike": [node("RandomNormalLike", "x", "c", seed=1.0)],
    "RandomUniformLike": [node("RandomUniformLike", "x", "c", seed=1.0)],
    "Bernoulli": [node("Bernoulli", "half", "c", seed=1.0)],
    "Multinomial": [node("Multinomial", "row", "i", seed=1.0, sample_size=N), node("Cast", "i", "c", to=TensorProto.FLOAT)],
}


@pytest.mark.parametrize("name", RANDOM)
def test_seeded_random_numbers_are_no_free_weights(name: str) -> None:
    constants = {"half": np.full(N, 0.5, np.float32), "row": np.full((1, 4), 0.25, np.float32)}
    assert refused(lambda: onnx_count(onnx_model([*RANDOM[name], node("Mul", "x c")], (N,), constants))) == [
        f"got {name}: random numbers but should be an operator that this counter can price [{name} in the_{name}] "
        "(constants must be stored in the file, and answers must repeat)"
    ]


# Both stand where y = x·sin(0.7·i) would have N stored weights: N sines for each example, and the N products.
def test_the_sines_of_a_range_are_stored() -> None:
    """B12: sin(0.7·i) is done once, when the model is loaded; its N numbers are stored, and N products are left."""
    nodes = [node("Range", "zero end one", "i"), node("Mul", "i f", "fi"), node("Sin", "fi", "c"), node("Mul", "x c")]
    constants = {"zero": np.float32(0), "end": np.float32(N), "one": np.float32(1), "f": np.float32(0.7)}
    found = onnx_count(onnx_model(nodes, (N,), constants))
    assert prices(found)["freebie"] == Plain(N, 0, values=N).prices["freebie"]
    # sin 0 is 0, and a mask for one zero costs more than it saves
    assert storage_bits(found) == N * 32


@pytest.mark.parametrize("framework", ["pytorch", "onnx"])
def test_arithmetic_that_makes_weights_from_nothing_is_work_for_every_example(framework: str) -> None:
    """sin(0.7·cumsum(1, 1, …)): N − 1 adds, N multiplies, N sines, and the N products; 0.7 is stored."""
    if framework == "pytorch":
        found = pytorch(lambda x: x * torch.sin(torch.full((N,), 1.0).cumsum(0) * 0.7), (N,))
    else:
        one = numpy_helper.from_array(np.ones(1, np.float32))
        nodes = [
            node("ConstantOfShape", "n", "ones", value=one),
            node("CumSum", "ones axis", "i"),
            node("Mul", "i f", "fi"),
            node("Sin", "fi", "c"),
            node("Mul", "x c"),
        ]
        found = onnx_count(onnx_model(nodes, (N,), {"n": np.array([N]), "axis": np.int64(0), "f": np.float32(0.7)}))
    assert prices(found) == Plain(N + N + N, N - 1, scalars=(32,)).prices
