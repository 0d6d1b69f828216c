"""What runs is what is written (CASES C1, C2, C3): sessions keep the arithmetic of the file, and nothing is counted that is not run.

The yardstick of C1 is float64 arithmetic in numpy: codes, zero points and scales as they lie in the file.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from micronet_verify_onnx.session import open_session
from numpy.lib.stride_tricks import sliding_window_view
from onnx import TensorProto, helper

from micronet_verify.framework.registry import framework_named
from micronet_verify.framework.requests import PredictRequest
from tests.executed import assert_agrees
from tests.plugins.onnx.support import Array, graph, info, model, node, problems, random, saved, translate, x_to_y

K, N = 64, 48
INTEGERS = {
    ("int", 2): TensorProto.INT2,
    ("uint", 2): TensorProto.UINT2,
    ("int", 4): TensorProto.INT4,
    ("uint", 4): TensorProto.UINT4,
    ("int", 8): TensorProto.INT8,
    ("uint", 8): TensorProto.UINT8,
}
MS = "com.microsoft"


def stored(name: str, codes: Array, kind: int) -> Any:
    return helper.make_tensor(name, kind, codes.shape, codes.reshape(-1).tolist())


def dequantizing(product: str, bits: int, family: str, turned: bool, granularity: str) -> tuple[Any, Array, Array]:
    """A model with one product of dequantized weights, an input, and its answer in float64."""
    generator = np.random.default_rng(bits)
    shape = (N, K, 3, 3) if product == "Conv" else (N, K) if turned else (K, N)
    least, most = (0, 2**bits - 1) if family == "uint" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    axis = 0 if product == "Conv" or turned else 1
    if granularity == "block":
        axis = 1 - axis
    sizes = {"tensor": (), "channel": (shape[axis],), "block": tuple(s // 32 if a == axis else s for a, s in enumerate(shape))}[granularity]
    codes, zeros = generator.integers(least, most + 1, shape), generator.integers(least, most + 1, sizes)
    scales = (generator.uniform(0.5, 1.5, sizes) * 0.1).astype(np.float32)

    def spread(values: Array) -> Array:
        values = np.asarray(values, np.float64)
        if granularity == "block":
            return np.repeat(values, 32, axis)
        return values.reshape([-1 if a == axis else 1 for a in range(len(shape))]) if granularity == "channel" else values

    weight = (codes - (spread(zeros) if family == "uint" else 0)) * spread(scales)
    attributes = {} if granularity == "tensor" else {"axis": axis, **({"block_size": 32} if granularity == "block" else {})}
    x = random(2, K, 5, 5) if product == "Conv" else random(2, K)
    nodes = [node("DequantizeLinear", "q s z" if family == "uint" else "q s", "w", **attributes)]
    if product == "Gemm":
        nodes.append(node("Gemm", "x w", transB=int(turned)))
    elif product == "MatMul" and turned:
        nodes += [node("Transpose", "w", "t", perm=[1, 0]), node("MatMul", "x t")]
    else:
        nodes.append(node(product, "x w"))
    if product == "Conv":
        answer = np.einsum("nchwij,ocij->nohw", sliding_window_view(x.astype(np.float64), (3, 3), (2, 3)), weight)
    else:
        answer = x.astype(np.float64) @ (weight.T if turned else weight)
    body = x_to_y(nodes, x.shape[1:], {"s": scales})
    body.initializer.append(stored("q", codes, INTEGERS[family, bits]))
    if family == "uint":
        body.initializer.append(stored("z", np.asarray(zeros), INTEGERS[family, bits]))
    return model(body, 25, 13), x, answer


@pytest.mark.parametrize("granularity", ["tensor", "channel", "block"])
@pytest.mark.parametrize(("family", "bits"), INTEGERS)
@pytest.mark.parametrize(("product", "turned"), [("MatMul", False), ("MatMul", True), ("Gemm", False), ("Gemm", True), ("Conv", False)])
def test_c1_dequantized_weights_are_multiplied_by_the_activations_as_they_come(
    product: str, turned: bool, family: str, bits: int, granularity: str
) -> None:
    """C1: onnxruntime's kernel for such weights rounds the activations to 8 bits; the answers were off by .01 to .04 of their spread."""
    proto, x, answer = dequantizing(product, bits, family, turned, granularity)
    path = saved(proto)
    session, _ = open_session(path, 1, frozenset())
    (found,) = session.run(None, {"x": x})
    # 2⁻²⁴ for each of K or 9·K products, of the size of the largest answer
    assert np.abs(found - answer).max() < answer.std() * 1e-5
    for at in range(len(x)):
        np.testing.assert_allclose(translate(path).run(x[at : at + 1])[0], answer[at : at + 1], rtol=0, atol=answer.std() * 1e-5)


def test_c1_weights_of_half_precision_are_cast_and_multiplied_in_float32() -> None:
    weight, x = random(K, N).astype(np.float16), random(3, K)
    nodes = [node("Cast", "h", "w", to=TensorProto.FLOAT), node("MatMul", "x w")]
    path = saved(model(x_to_y(nodes, (K,), {"h": weight})))
    session, _ = open_session(path, 1, frozenset())
    np.testing.assert_allclose(session.run(None, {"x": x})[0], x.astype(np.float64) @ weight.astype(np.float64), rtol=0, atol=1e-4)
    assert_agrees("onnx", path, x)


def test_c1_quantized_activations_keep_their_codes() -> None:
    """A network of QuantizeLinear and DequantizeLinear runs as it is written, also where a kernel of integers would do."""
    constants = {
        "s": np.float32(0.05),
        "z": np.uint8(120),
        "q": np.arange(-100, 100, 5, dtype=np.int8).reshape(8, 5),
        "t": np.float32(0.01),
    }
    nodes = [
        node("QuantizeLinear", "x s z", "a"),
        node("DequantizeLinear", "a s z", "b"),
        node("DequantizeLinear", "q t", "w"),
        node("MatMul", "b w", "m"),
        node("QuantizeLinear", "m s z", "c"),
        node("DequantizeLinear", "c s z", "y"),
    ]
    path = saved(model(x_to_y(nodes, (8,), constants)))
    assert_agrees("onnx", path, random(20, 8, seed=3))


def n_bits(**attributes: Any) -> Any:
    packed, scales = np.arange(N * 2 * 16, dtype=np.uint8).reshape(N, 2, 16), random(N * 2, seed=1)
    item = node("MatMulNBits", "x q s", domain=MS, K=K, N=N, bits=4, block_size=32, **attributes)
    return model(x_to_y([item], (K,), {"q": packed, "s": scales}), domains={MS: 1})


@pytest.mark.parametrize("level", [{}, {"accuracy_level": 0}, {"accuracy_level": 1}])
def test_c2_products_of_packed_weights_are_the_graphs(level: dict[str, int]) -> None:
    assert_agrees("onnx", saved(n_bits(**level)), random(3, K))


def test_c2_rounded_activations_are_refused() -> None:
    """C2: accuracy_level 4 lets the kernel round the activations to 8 bits; they were counted as they come."""
    (sentence,) = problems(n_bits(accuracy_level=4))
    assert sentence.startswith("got MatMulNBits with accuracy_level=4, which rounds its activations to 8 bits but should compute with")
    assert sentence.endswith("(set accuracy_level to 0 or 1, or write the rounding as QuantizeLinear and DequantizeLinear in front)")


def calling(function_opset: int, operator: str) -> Any:
    function = helper.make_function("mine", "F", ["a"], ["b"], [node(operator, "a", "b")], [helper.make_opsetid("", function_opset)])
    body = x_to_y([node("F", "x", domain="mine")], (2, 3))
    return model(body, 13, domains={"mine": 1}, functions=[function])


def test_c3_a_function_of_another_opset_is_refused() -> None:
    """C3: Softmax of opset 12 runs over all axes from its own on, of opset 13 over one; the function said 12 and the model 13."""
    assert problems(calling(12, "Softmax")) == [
        "got Softmax of opset 12 in the function 'F' of a model of opset 13 but should be of one opset [mine.F in the_F] "
        "(export functions with the model's opset)"
    ]


@pytest.mark.parametrize(("opset", "operator"), [(13, "Softmax"), (12, "Elu")])
def test_c3_a_function_whose_operators_mean_the_same_is_read(opset: int, operator: str) -> None:
    assert_agrees("onnx", saved(calling(opset, operator)), random(4, 2, 3))


def test_f3_statistics_of_another_length_are_the_entrants_fault() -> None:
    """F3: a batch norm with a mean of 10 numbers and a variance of 12."""
    vectors = {name: np.ones(size, np.float32) for name, size in {"s": 4, "b": 4, "m": 10, "v": 12}.items()}
    proto = model(x_to_y([node("BatchNormalization", "x s b m v")], (4, 3, 3), vectors))
    assert problems(proto) == [
        "got statistics of shape (10,), (12,) for 4 channels but should be one number for each "
        "[BatchNormalization in the_BatchNormalization]"
    ]


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        (
            node("Transpose", "x", perm=1),
            "the attribute 'perm' of Transpose of type int but should be of type ints [Transpose in the_Transpose]",
        ),
        (node("Elu", "x", alpha=1), "the attribute 'alpha' of Elu of type int but should be of type float [Elu in the_Elu]"),
        (node("Softmax", "x", axis=[1]), "the attribute 'axis' of Softmax of type ints but should be of type int [Softmax in the_Softmax]"),
        (
            node("Constant", "", value_int=1.5),
            "the attribute 'value_int' of Constant of type float but should be of type int [Constant in the_Constant]",
        ),
    ],
)
def test_f3_attributes_of_another_type_are_the_entrants_fault(item: Any, sentence: str) -> None:
    if item.op_type == "Constant":
        del item.input[:]
    assert problems(model(x_to_y([item], (2, 3)))) == [f"got {sentence}"]


def test_inputs_of_size_minus_one_are_free() -> None:
    """D: Paddle's exporter writes −1 for the batch."""
    proto = model(graph([node("Relu", "x")], [info("x", (-1, 4))], [info("y", (-1, 4))]))
    path = saved(proto)
    assert translate(path).shapes() == [(1, 4)]
    answers = list(framework_named("onnx").loader().predict(PredictRequest(path, random(5, 4), 2, 1)))
    assert sum(len(answer.outputs) for answer in answers) == 5


def test_two_quantizers_in_a_row_are_both_done() -> None:
    """C1: onnxruntime drops the first of two pairs; codes of 1/16 came out as codes of 1/32. Both grids are powers of two: no ties."""
    grids = {"a": np.float32(2.0**-4), "b": np.float32(2.0**-5)}
    nodes, last = [], "x"
    for name in grids:
        nodes += [node("QuantizeLinear", f"{last} {name} z", f"q{name}"), node("DequantizeLinear", f"q{name} {name} z", f"d{name}")]
        last = f"d{name}"
    nodes.append(node("Neg", last))
    path = saved(model(x_to_y(nodes, (8,), {**grids, "z": np.int8(0)})))
    x = np.linspace(-1, 1, 8, dtype=np.float32)[None]
    (answer,) = framework_named("onnx").loader().predict(PredictRequest(path, x, 1, 1))
    assert answer.outputs.tolist() == (-np.rint(x * 16) / 16).tolist()
    (mine,) = translate(path).run(x)
    assert mine.tolist() == answer.outputs.tolist()
