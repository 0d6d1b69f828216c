"""Operators of the table that no function of torch exports to by itself: called by their own name, translated and run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from micronet_verify_pytorch.lines import Line
from micronet_verify_pytorch.names import Number
from micronet_verify_pytorch.op_table import TABLE, lookup
from micronet_verify_pytorch.program import read_program
from micronet_verify_pytorch.runner import Taken, build
from torch import Tensor

from micronet_verify.facts.graph import Value
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.translation.table import Refusal
from tests.plugins.pytorch.support import MODEL, Function, archive, called, edited, example, executed, kinds, sentences, translate

ops = torch.ops.aten
W3, W8 = torch.randn(3, 8), torch.randn(8)
STATISTICS = (torch.ones(4), torch.zeros(4), torch.zeros(4), torch.ones(4))


def whole(x: Tensor) -> Tensor:
    return (x * 4).to(torch.int32)


def image(x: Tensor) -> Tensor:
    return x[:, :, :, None] if x.dim() == 3 else x


def volume(x: Tensor) -> Tensor:
    return x[:, :2, None]


# name: what it becomes (moves left out), the call on x [2, 4, 8, 8], and tensors that it takes besides
Case = tuple[str, Callable[..., Any]] | tuple[str, Callable[..., Any], tuple[Tensor, ...]]
CASES: dict[str, Case] = {
    "__lshift__": ("mul mul", lambda x: ops.__lshift__(whole(x), 2)),
    "__rshift__": ("mul floor_div", lambda x: ops.__rshift__(whole(x), 2)),
    "__or__": ("greater less or", lambda x: ops.__or__(x > 0, x < -1)),
    "__xor__": ("greater less xor", lambda x: ops.__xor__(x > 0, x < -1)),
    "bitwise_and": ("greater less and", lambda x: ops.bitwise_and(x > 0, x < 1)),
    "bitwise_or": ("greater less or", lambda x: ops.bitwise_or(x > 0, x < -1)),
    "bitwise_xor": ("greater less xor", lambda x: ops.bitwise_xor(x > 0, x < -1)),
    "bitwise_left_shift": ("mul mul", lambda x: ops.bitwise_left_shift(whole(x), 1)),
    "bitwise_right_shift": ("mul floor_div", lambda x: ops.bitwise_right_shift(whole(x), 1)),
    "logical_and": ("greater less and", lambda x: ops.logical_and(x > 0, x < 1)),
    "logical_not": ("greater not", lambda x: ops.logical_not(x > 0)),
    "logical_xor": ("greater less xor", lambda x: ops.logical_xor(x > 0, x < 1)),
    "_adaptive_avg_pool2d": ("pool average", lambda x: ops._adaptive_avg_pool2d(x, [2, 2])),
    "adaptive_avg_pool3d": ("pool average", lambda x: ops.adaptive_avg_pool3d(volume(x), [1, 2, 2])),
    "adaptive_max_pool1d": ("pool max", lambda x: ops.adaptive_max_pool1d(x[:, 0], 2)[0]),
    "adaptive_max_pool3d": ("pool max", lambda x: ops.adaptive_max_pool3d(volume(x), [1, 2, 2])[0]),
    "max_pool1d_with_indices": ("pool max", lambda x: ops.max_pool1d_with_indices(x[:, 0], [2])[0]),
    "max_pool3d_with_indices": ("pool max", lambda x: ops.max_pool3d_with_indices(volume(x), [1, 2, 2])[0]),
    "_convolution": (
        "conv",
        lambda x, w: ops._convolution(x, w, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, False, False, False, False),
        (torch.randn(5, 4, 3, 3),),
    ),
    "_softmax": ("softmax softmax", lambda x: ops._softmax(x, 1, False)),
    "_log_softmax": ("softmax log_softmax", lambda x: ops._log_softmax(x, -1, False)),
    "_safe_softmax": ("softmax softmax", lambda x: ops._safe_softmax(x, -1)),
    "_prelu_kernel": ("prelu", ops._prelu_kernel, (torch.rand(4, 1, 1),)),
    "_scaled_dot_product_flash_attention_for_cpu": (
        "matmul mul softmax softmax matmul",
        lambda x: ops._scaled_dot_product_flash_attention_for_cpu(x, x, x)[0],
    ),
    "_upsample_nearest_exact1d": ("resize nearest", lambda x: ops._upsample_nearest_exact1d(x[:, 0], [16])),
    "_upsample_nearest_exact2d": ("resize nearest", lambda x: ops._upsample_nearest_exact2d(x, [16, 16])),
    "_upsample_nearest_exact3d": ("resize nearest", lambda x: ops._upsample_nearest_exact3d(volume(x), [1, 16, 16])),
    "upsample_nearest1d": ("resize nearest", lambda x: ops.upsample_nearest1d(x[:, 0], [16])),
    "upsample_nearest3d": ("resize nearest", lambda x: ops.upsample_nearest3d(volume(x), [2, 16, 16])),
    "upsample_trilinear3d": ("resize linear", lambda x: ops.upsample_trilinear3d(volume(x), [2, 16, 16], False)),
    "_weight_norm_interface": (
        "reduce l2 div mul matmul",
        lambda x, v, g: x @ ops._weight_norm_interface(v, g, 1)[0],
        (torch.randn(8, 3), torch.rand(1, 3)),
    ),
    "native_batch_norm": (
        "normalise batch_norm",
        lambda x, w, b, m, v: ops.native_batch_norm(x, w, b, m, v, False, 0.1, 1e-5)[0],
        STATISTICS,
    ),
    "_native_batch_norm_legit": (
        "normalise batch_norm",
        lambda x, w, b, m, v: ops._native_batch_norm_legit(x, w, b, m, v, False, 0.1, 1e-5)[0],
        STATISTICS,
    ),
    "native_layer_norm": ("normalise layer_norm", lambda x: ops.native_layer_norm(x, [8], None, None, 1e-5)[0]),
    "native_group_norm": ("normalise group_norm", lambda x: ops.native_group_norm(x, None, None, x.shape[0], 4, 64, 2, 1e-5)[0]),
    "native_dropout": ("", lambda x: ops.native_dropout(x, 0.5, False)[0]),
    "alpha_dropout": ("", lambda x: ops.alpha_dropout(x, 0.5, False)),
    "feature_dropout": ("", lambda x: ops.feature_dropout(x, 0.5, False)),
    "feature_alpha_dropout": ("", lambda x: ops.feature_alpha_dropout(x, 0.5, False)),
    "log_sigmoid_forward": ("log_sigmoid", lambda x: ops.log_sigmoid_forward(x)[0]),
    "acos": ("tanh acos", lambda x: ops.acos(x.tanh())),
    "asin": ("tanh asin", lambda x: ops.asin(x.tanh())),
    "atanh": ("tanh mul atanh", lambda x: ops.atanh(x.tanh() * 0.5)),
    "acosh": ("abs add acosh", lambda x: ops.acosh(x.abs() + 1)),
    "tan": ("tan", ops.tan),
    "isinf": ("isinf", ops.isinf),
    "special_expit": ("sigmoid", ops.special_expit),
    "ge": ("greater_equal", lambda x: ops.ge(x, 0.5)),
    "ne": ("not_equal", lambda x: ops.ne(x, 0.5)),
    "fmod": ("mod", lambda x: ops.fmod(x, 1.5)),
    "clamp_max": ("clip", lambda x: ops.clamp_max(x, 0.5)),
    "clip": ("clip", lambda x: ops.clip(x, -0.5, 0.5)),
    "divide": ("div", lambda x: ops.divide(x, 3)),
    "true_divide": ("div", lambda x: ops.true_divide(x, 3)),
    "multiply": ("mul", lambda x: ops.multiply(x, 3)),
    "subtract": ("sub", lambda x: ops.subtract(x, 3)),
    "linalg_matmul": ("matmul", ops.linalg_matmul, (torch.randn(8, 3),)),
    "mv": ("matmul", lambda x, w: ops.mv(x.reshape(-1, 8), w), (W8,)),
    "addmv": ("matmul", lambda x, w: ops.addmv(torch.zeros(1), x.reshape(-1, 8), w), (W8,)),
    "dot": ("matmul add", lambda x, w: x + ops.dot(w, w), (W8,)),
    "outer": ("matmul add", lambda x, w: x + ops.outer(w, w), (W8,)),
    "min": ("reduce min", lambda x: ops.min(x, 1)[0]),
    "norm": ("reduce l2", lambda x: ops.norm(x, 2, [1], True)),
    "std_mean": ("reduce mean reduce var sqrt add add", lambda x: sum(ops.std_mean(x, [1]))),
    "cumprod": ("cumulative cumprod", lambda x: ops.cumprod(x, 2)),
    "index_put": ("scatter replace", lambda x, w: ops.index_put(x, [None, torch.tensor([1])], w), (torch.zeros(1, 1, 8, 8),)),
    "alias": ("", ops.alias),
    "concat": ("", lambda x: ops.concat([x, x], 1)),
    "constant_pad_nd": ("", lambda x: ops.constant_pad_nd(x, [1, 1], 2.0)),
    "copy": ("add", lambda x: ops.copy(x, x + 1)),
    "full_like": ("add", lambda x: x + ops.full_like(x, 2)),
    "new_full": ("add", lambda x: x + ops.new_full(x, [8], 2)),
    "new_ones": ("add", lambda x: x + ops.new_ones(x, [8])),
    "ones": ("add", lambda x: x + ops.ones([8])),
    "ones_like": ("add", lambda x: x + ops.ones_like(x)),
    "zero": ("add", lambda x: x + ops.zero(x)),
    "scalar_tensor": ("add", lambda x: x + ops.scalar_tensor(2.0)),
    "moveaxis": ("", lambda x: ops.moveaxis(x, 1, 2)),
    "numpy_T": ("matmul", lambda x, w: x @ ops.numpy_T(w), (W3,)),
    "reshape_as": ("", lambda x: ops.reshape_as(x.flatten(1), x)),
    "view_as": ("", lambda x: ops.view_as(x.flatten(1), x)),
    "swapdims": ("", lambda x: ops.swapdims(x, 1, 2)),
    "reflection_pad1d": ("", lambda x: ops.reflection_pad1d(x[:, 0], [1, 2])),
    "reflection_pad2d": ("", lambda x: ops.reflection_pad2d(x, [1, 2, 0, 1])),
    "reflection_pad3d": ("", lambda x: ops.reflection_pad3d(x[:, None], [1, 1, 1, 1, 1, 1])),
    "replication_pad1d": ("", lambda x: ops.replication_pad1d(x[:, 0], [1, 2])),
    "replication_pad2d": ("", lambda x: ops.replication_pad2d(x, [1, 2, 0, 1])),
    "replication_pad3d": ("", lambda x: ops.replication_pad3d(volume(x), [1, 1, 1, 1, 1, 1])),
    "rnn_relu_cell": (
        "add matmul matmul add relu",
        lambda x, i, h, b: ops.rnn_relu_cell(x[:, 0, 0], x[:, 0, 1, :3], i, h, b, b),
        (W3, torch.randn(3, 3), torch.randn(3)),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_an_operator_called_by_its_name(name: str, tmp_path: Path) -> None:
    expected, function, *more = CASES[name]
    model = Function(function, *(more[0] if more else ())).eval()
    x = example((4, 8, 8))
    path = archive(model, x, tmp_path, decomposed=False)
    program = read_program(path)
    assert f"aten.{name}" in {lookup(step.target)[1] for step in program.graph.steps}
    graph = translate(path)
    assert " ".join(kinds(graph)) == expected
    with torch.inference_mode():
        wanted, single = model(x), model(x[:1])
        (answer,) = build(program, Taken()).forward(x)
    assert graph.values[graph.outputs[0]].shape == tuple(single.shape)
    np.testing.assert_allclose(answer.numpy(), wanted.numpy(), rtol=1e-5, atol=1e-6)
    (apart,) = executed(path, x, build(program, Taken()).forward)
    assert apart <= 8


# --- sizes -----------------------------------------------------------------------------------------------------------

SIZES: dict[str, tuple[tuple[Any, ...], Any]] = {
    "_operator.add": ((7, 2), 9),
    "_operator.and_": ((True, False), False),
    "_operator.eq": ((7, 2), False),
    "_operator.floordiv": ((7, 2), 3),
    "_operator.ge": ((7, 2), True),
    "_operator.gt": ((7, 2), True),
    "_operator.le": ((7, 2), False),
    "_operator.lt": ((7, 2), False),
    "_operator.mod": ((7, 2), 1),
    "_operator.mul": ((7, 2), 14),
    "_operator.ne": ((7, 2), True),
    "_operator.neg": ((7,), -7),
    "_operator.or_": ((True, False), True),
    "_operator.pos": ((7,), 7),
    "_operator.pow": ((7, 2), 49),
    "_operator.sub": ((7, 2), 5),
    "_operator.truediv": ((7, 2), 3.5),
    "math.trunc": ((3.5,), 3),
    "torch.sym_float": ((7,), 7.0),
    "torch.sym_int": ((3.5,), 3),
    "torch.sym_max": ((7, 2), 7),
    "torch.sym_min": ((7, 2), 2),
    "torch.sym_not": ((True,), False),
    "torch.sym_sqrt": ((49,), 7.0),
}


@pytest.mark.parametrize("target", SIZES)
def test_arithmetic_of_sizes(target: str) -> None:
    numbers, result = SIZES[target]
    found = called(GraphBuilder(None), target, **{f"a{index}": number for index, number in enumerate(numbers)})
    assert isinstance(found, Number)
    assert (found.number, type(found.number)) == (result, type(result))


def test_every_arithmetic_of_sizes_is_tested() -> None:
    assert {name for name in TABLE if name.split(".")[0] in ("_operator", "math", "torch")} == set(SIZES)


def test_activations_quantized_per_channel(tmp_path: Path) -> None:
    per_channel = torch.ops.quantized_decomposed

    def function(x: Tensor, scales: Tensor) -> Tensor:
        points = torch.zeros(4, dtype=torch.int64)
        codes = per_channel.quantize_per_channel(x, scales, points, 1, -8, 7, torch.int8)
        return per_channel.dequantize_per_channel(codes, scales, points, 1, -8, 7, torch.int8)

    graph = translate(archive(Function(function, torch.rand(4) + 0.1), torch.randn(2, 4, 8), tmp_path))
    assert [(node.kind, node.attributes["axis"]) for node in graph.nodes if node.kind != "move"] == [("quantize", 1), ("dequantize", 1)]
    (codes,) = [graph.values[node.outputs[0]] for node in graph.nodes if node.kind == "quantize"]
    assert codes.format.name == "int4"


# --- what exports do not contain, and older archives may --------------------------------------------------------------


@pytest.mark.parametrize("axis", [-1, 1])
def test_a_fake_quantizer_that_also_hands_out_its_mask(axis: int) -> None:
    builder = GraphBuilder(None)
    x = builder.input((1, 4, 8))
    per_tensor: dict[str, Any] = {"scale": 0.1, "zero_point": 0}
    per_channel: dict[str, Any] = {
        "scale": builder.constant(np.full(4, 0.1, np.float32)),
        "zero_point": builder.constant(np.zeros(4, np.int32)),
        "axis": 1,
    }
    kind, scales = ("per_tensor", per_tensor) if axis < 0 else ("per_channel", per_channel)
    target = f"aten.fake_quantize_{kind}_affine_cachemask.default"
    result = called(builder, target, self=x, **scales, quant_min=-8, quant_max=7)
    assert isinstance(result, Value)
    graph = builder.finish([result])
    assert [(node.kind, node.attributes["axis"]) for node in graph.nodes] == [("quantize", axis), ("dequantize", axis)]


def test_a_constant_that_is_lifted_is_the_constant(tmp_path: Path) -> None:
    path = archive(Function(lambda x: ops.alias(x) + 1), torch.randn(2, 4), tmp_path, decomposed=False)

    def change(data: Any) -> None:
        (node,) = [node for node in data["graph_module"]["graph"]["nodes"] if node["target"].endswith("alias.default")]
        node["target"] = "torch.ops.aten.lift_fresh.default"

    assert kinds(translate(edited(path, change, MODEL)), moves=True) == kinds(translate(path), moves=True)


@pytest.mark.parametrize("name", [name for name, line in TABLE.items() if isinstance(line, Line) and line.note == "an assertion"])
def test_assertions_are_no_work(name: str) -> None:
    assert called(GraphBuilder(None), f"{name}.default") == ()


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def relu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return archive(Function(torch.relu), torch.randn(2, 4), tmp_path_factory.mktemp("relu"), decomposed=False)


@pytest.mark.parametrize("name", [name for name, line in TABLE.items() if isinstance(line, Refusal)])
def test_every_refused_operator_says_why(name: str, relu: Path) -> None:
    """As the README does: what it is, what it should be, and what to do."""

    def change(data: Any) -> None:
        data["graph_module"]["graph"]["nodes"][0]["target"] = f"torch.ops.{name}.default"

    (sentence,) = sentences(edited(relu, change, MODEL))
    line = TABLE[name]
    assert isinstance(line, Refusal)
    advice = f" ({line.advice})" if line.advice else ""
    assert sentence == f"got {name}: {line.reason} but should {line.should} [{name}]{advice}"
