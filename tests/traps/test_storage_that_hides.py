"""Further places in which weights hide, beside those of ``test_storage_in_pytorch`` and ``test_storage_in_onnx`` (rule S2)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
import torch
from micronet_verify_onnx.counter import OnnxCounter
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from micronet_verify.counting.count import Count
from tests.plugins.onnx.support import node
from tests.refused import refused
from tests.spelling.counted import Plain, counted, onnx_count, onnx_model, prices, pytorch, quantized, random

F = np.float32
HIDDEN = random(8)
ELSEWHERE = torch.tensor(HIDDEN)
Build = Callable[[], onnx.ModelProto]


class Hiding(nn.Module):
    """x·w with w in one place."""

    CLASS_ATTRIBUTE = torch.tensor(HIDDEN)

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place, self.many, self.never = place, [torch.tensor(HIDDEN)], nn.Linear(8, 8)
        with torch.no_grad():
            self.never.bias.copy_(torch.tensor(HIDDEN))

    def forward(self, x: Tensor) -> Tensor:
        places = {"list": self.many[0], "class attribute": self.CLASS_ATTRIBUTE, "global": ELSEWHERE, "layer never called": self.never.bias}
        return x * places[self.place]


@pytest.mark.parametrize("place", ["list", "class attribute", "global", "layer never called"])
def test_eight_weights_of_pytorch_are_eight_values(place: str) -> None:
    assert prices(pytorch(Hiding(place), (8,))) == Plain(8, 0, 8).prices


class Chosen(nn.Module):
    """Weights inside the bodies of a branch."""

    def __init__(self) -> None:
        super().__init__()
        self.yes, self.no = (nn.Parameter(torch.tensor(random(8, seed=seed))) for seed in (0, 5))

    def forward(self, x: Tensor) -> Any:
        return torch.cond(x.sum() > 0, lambda x: x * self.yes, lambda x: x * self.no, (x,))


def test_weights_of_both_bodies_of_a_branch_are_stored() -> None:
    """16 values; Σx and a compare, then a multiply per element in either body."""
    assert prices(pytorch(Chosen(), (8,), fixed=True)) == Plain(1 + 8 + 8, 7, 16).prices


TENSOR = numpy_helper.from_array(HIDDEN, "c")
USE = [node("Mul", "x c")]


def with_default() -> onnx.ModelProto:
    """The values are the default of a function's attribute."""
    taken = helper.make_node("Constant", [], ["c"])
    taken.attribute.append(onnx.AttributeProto(name="value_floats", ref_attr_name="hidden", type=onnx.AttributeProto.FLOATS))
    default, opsets = helper.make_attribute("hidden", HIDDEN.tolist()), [helper.make_opsetid("", 17)]
    function = helper.make_function("local", "Hide", ["x"], ["y"], [taken, *USE], opsets, attribute_protos=[default])
    return onnx_model([node("Hide", "x", domain="local")], (8,), functions=[function])


def also_an_input() -> onnx.ModelProto:
    """Before IR version 4 every constant was listed as an input."""
    model = onnx_model(USE, (8,), tensors=[TENSOR], opset=8)
    model.graph.input.append(helper.make_tensor_value_info("c", TensorProto.FLOAT, [8]))
    model.ir_version = 3
    return model


def in_the_chosen_body() -> onnx.ModelProto:
    """An If that a constant decides holds the weights in the body that always runs; the other is gone, with what it holds."""
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "zn"]
    then = helper.make_graph([node("Mul", "x c", "z")], "then", [], infos[:1], [TENSOR])
    other = helper.make_graph([node("Mul", "x d", "n")], "else", [], infos[1:], [numpy_helper.from_array(random(8, seed=7), "d")])
    return onnx_model([node("If", "yes", then_branch=then, else_branch=other)], (8,), {"yes": np.array(True)})


PLACES: dict[str, Build] = {
    "float_data": lambda: onnx_model(USE, (8,), tensors=[helper.make_tensor("c", TensorProto.FLOAT, [8], HIDDEN.tolist())]),
    "initializer that is also an input": also_an_input,
    "default of a function's attribute": with_default,
    "body of a decided If": in_the_chosen_body,
    # 4 numbers are compared with 0 and 4 chosen: 8 of the multiply class, as 8 multiplies are
    "both sides of a Where": lambda: onnx_model(
        [node("Greater", "x zero", "p"), node("Where", "p a b")], (4,), {"zero": F(0), "a": HIDDEN[:4], "b": HIDDEN[4:]}
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_eight_weights_of_onnx_are_eight_values(place: str) -> None:
    assert prices(onnx_count(PLACES[place]())) == Plain(8, 0, 8).prices


def test_external_data_is_stored_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(HIDDEN.tobytes())
    tensor = TensorProto(name="c", data_type=TensorProto.FLOAT, dims=[8], data_location=TensorProto.EXTERNAL)
    tensor.external_data.append(onnx.StringStringEntryProto(key="location", value="weights.bin"))
    (tmp_path / "model.onnx").write_bytes(onnx_model(USE, (8,), tensors=[tensor]).SerializeToString())
    assert prices(counted(tmp_path / "model.onnx", OnnxCounter())) == Plain(8, 0, 8).prices


SCALARS: dict[str, tuple[list[onnx.NodeProto], dict[str, Any], Plain]] = {
    "lambd of Shrink": ([node("Shrink", "x", lambd=0.3)], {}, Plain(2 * 8, 0, scalars=(32,))),
    "bounds of Clip": ([node("Clip", "x low high")], {"low": F(-0.3), "high": F(0.7)}, Plain(2 * 8, 0, scalars=(32, 32))),
    "fill of Pad": ([node("Pad", "x pads fill")], {"pads": np.array([0, 1, 0, 1]), "fill": F(0.3)}, Plain(0, 0, scalars=(32,))),
    # n squares, 1/σ and scales, two means and a root; (n − 1) + n + (n − 1) + 1 adds
    "epsilon of LayerNormalization": (
        [node("LayerNormalization", "x scale", axis=-1, epsilon=0.3)],
        {"scale": HIDDEN},
        Plain(3 * 8 + 3, 7 + 8 + 7 + 1, 8, scalars=(32,)),
    ),
}


@pytest.mark.parametrize("place", SCALARS)
def test_a_number_is_stored_wherever_it_is(place: str) -> None:
    nodes, constants, expected = SCALARS[place]
    assert prices(onnx_count(onnx_model(nodes, (8,), constants))) == expected.prices


def test_numbers_of_a_local_response_norm() -> None:
    """alpha, beta and bias; of each element a square, an average of three, a multiply, a power, a divide; two sums and the bias."""
    model = onnx_model([node("LRN", "x", size=3, alpha=0.3, beta=0.7, bias=1.3)], (2, 4, 4))
    assert prices(onnx_count(model)) == Plain((2 + 3) * 32, (2 + 1) * 32, scalars=(32, 32, 32)).prices


@pytest.mark.parametrize("kind", ["Upsample", "Resize"])
def test_scales_of_a_resize_that_are_weights_too_are_stored(kind: str) -> None:
    opset, operands = (9, "x s") if kind == "Upsample" else (17, "x - s")
    nodes = [node(kind, operands, "r", mode="nearest"), node("Reshape", "s shape", "k"), node("Mul", "r k")]
    model = onnx_model(nodes, (4, 2, 2), {"s": np.array([1, 1, 1.6, 2.7], F), "shape": np.array([4, 1, 1])}, opset=opset)
    ledger = onnx_count(model).ledgers["freebie"]
    # 4 maps of 3·5 numbers, resized and multiplied; four values.
    assert (ledger.quantity("operations", "multiply"), ledger.storage) == (2 * 4 * 3 * 5, 4 * 16 / 32)


CODES = np.array([[-8, 7, 1, 2, 3], [4, -5, 6, -2, 1], [7, -8, 3, -1, 2]], np.int8)
STEPS, ZEROS = np.array([0.031, 0.047, 0.059], F), np.array([1, -2, 3], np.int8)


def dequantized(step: Any, zero: Any = None, dtype: Any = ml_dtypes.int4) -> Count:
    tensors = [numpy_helper.from_array(np.asarray(CODES, dtype), "w")]
    if zero is not None:
        tensors.append(numpy_helper.from_array(np.asarray(zero, dtype), "z"))
    nodes = [node("DequantizeLinear", "w s" if zero is None else "w s z", "v", axis=0), node("Gemm", "x v", transB=1)]
    return onnx_count(onnx_model(nodes, (5,), {"s": step}, opset=21, tensors=tensors))


@pytest.mark.parametrize("dtype", [ml_dtypes.int4, np.int8, np.int32], ids=["int4", "int8", "int32"])
def test_codes_of_4_bits_are_4_bits_in_any_container(dtype: Any) -> None:
    """15 of them: 60 bits, not 8 bytes and not 15."""
    assert prices(dequantized(F(0.031), dtype=dtype)) == quantized(15 * 4 + 32, operation_bits=15 * 32 + 3 * 4 * 32)


def test_zero_points_are_stored_for_each_channel_as_wide_as_the_codes_that_they_move() -> None:
    """Less their zero points the codes reach from −11 to 8, which is 5 bits; as they stand, 4 bits and a zero point of 4 a row."""
    shifted = CODES - ZEROS[:, None]
    assert (shifted.min(), shifted.max()) == (-11, 8)
    # One code of each row is its zero point, and no work; a mask of 15 bits does not pay.
    products = int(np.count_nonzero(shifted))
    assert products == 15 - 3
    expected = quantized(15 * 4 + 3 * 4 + 3 * 32, operation_bits=products * 32 + (products - 3) * 32)
    assert prices(dequantized(STEPS, ZEROS)) == expected


def test_a_generated_window_is_refused() -> None:
    sentence = (
        "got HannWindow: a generated window or matrix but should be an operator that this counter can price "
        "[HannWindow in the_HannWindow] (store its values as a constant)"
    )
    model = onnx_model([node("HannWindow", "size", "c"), *USE], (8,), {"size": np.int64(8)})
    assert refused(lambda: onnx_count(model)) == [sentence]
