"""What entrants did to the scorers of competitions: here it is refused in plain words, or it changes no total."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from micronet_verify_pytorch.counter import PyTorchCounter
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from tests.plugins.onnx.support import node
from tests.plugins.pytorch.support import WEIGHTS, archive, edited
from tests.refused import refused
from tests.spelling.counted import Plain, counted, onnx_count, onnx_model, prices, pytorch, random

Change = Callable[[Any], object]

# 2 channels to 3, 3×3, on 6×6; a bias and a relu; then 3·4·4 numbers to 5.
CONV, BIAS, HEAD = random(3, 2, 3, 3), random(3, seed=2), random(5, 48, seed=4)
NETWORK = Plain(48 * 18 + 48 + 5 * 48, 48 * 17 + 48 + 5 * 47, values=3 * 18 + 3 + 5 * 48)


def network(names: Mapping[str, str] | None = None) -> onnx.ModelProto:
    """The network; ``names`` are other names for its tensors w, b, v, c, r, f."""
    called = {name: name for name in "wbvcrf"} | dict(names or {})
    w, b, v, c, r, f = (called[name] for name in "wbvcrf")
    nodes = [
        helper.make_node("Conv", ["x", w, b], [c], "conv"),
        helper.make_node("Relu", [c], [r], "relu"),
        helper.make_node("Flatten", [r], [f], "flatten"),
        helper.make_node("Gemm", [f, v], ["y"], "head", transB=1),
    ]
    return onnx_model(nodes, (2, 6, 6), {w: CONV, b: BIAS, v: HEAD})


def test_the_network_by_hand() -> None:
    assert prices(onnx_count(network())) == NETWORK.prices


# --- declared shapes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [[1, 1, 1, 1], [1, 3, 1, 1], [1, 300, 400, 400], ["batch", 0, 4, 4], [1, -3, -4, -4], [7]])
def test_forged_value_info_is_ignored(shape: list[int | str]) -> None:
    proto = network()
    for name in "crf":
        proto.graph.value_info.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    assert prices(onnx_count(proto)) == NETWORK.prices


@pytest.mark.parametrize("shape", [[1, 1], [], ["batch", 5000], [0, 0]])
def test_a_forged_shape_of_the_output_is_ignored(shape: list[int | str]) -> None:
    proto = network()
    proto.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, shape))
    assert prices(onnx_count(proto)) == NETWORK.prices


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A convolution of 3×3 from 1 to 2 channels on 8×8, and a relu."""
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    return archive(model, torch.zeros(2, 1, 8, 8), tmp_path_factory.mktemp("net"))


def sizes(name: str, axis: int, size: int) -> Change:
    def change(data: Any) -> None:
        data["graph_module"]["graph"]["tensor_values"][name]["sizes"][axis] = {"as_int": size}

    return change


META: dict[str, tuple[Change, str]] = {
    "fewer channels": (
        sizes("conv2d", 1, 1),
        "got a declared shape (1, 1, 6, 6) (at batch 1) but should be (1, 2, 6, 6) [aten.conv2d in 0]",
    ),
    "smaller maps": (sizes("conv2d", 2, 1), "got a declared shape (1, 2, 1, 6) (at batch 1) but should be (1, 2, 6, 6) [aten.conv2d in 0]"),
    "after the relu": (sizes("relu", 3, 0), "got a declared shape (1, 2, 6, 0) (at batch 1) but should be (1, 2, 6, 6) [aten.relu in 1]"),
    "negative": (sizes("conv2d", 3, -6), "got a declared shape (1, 2, 6, -6) (at batch 1) but should be (1, 2, 6, 6) [aten.conv2d in 0]"),
}


@pytest.mark.parametrize("name", META)
def test_forged_meta_of_a_tensor_is_refused(name: str, net: Path) -> None:
    change, start = META[name]
    found = refused(lambda: counted(edited(net, change), PyTorchCounter()))
    assert any(problem.startswith(start) for problem in found), found


def test_a_forged_shape_of_a_stored_tensor_is_ignored(net: Path) -> None:
    """The graph says that the weight is 3×1; the archive holds 3×3, and that is counted."""
    assert prices(counted(edited(net, sizes("p_0_weight", 3, 1)), PyTorchCounter())) == prices(counted(net, PyTorchCounter()))


def test_a_weight_whose_stored_shape_lies_is_refused(net: Path) -> None:
    """The index of the raw bytes says 1×1 where the graph was exported with 3×3: what was declared after it no longer fits."""

    def change(data: Any) -> None:
        for entry in data["config"].values():
            if len(entry["tensor_meta"]["sizes"]) == 4:
                entry["tensor_meta"]["sizes"] = [{"as_int": size} for size in (2, 1, 1, 1)]

    assert refused(lambda: counted(edited(net, change, WEIGHTS), PyTorchCounter())) == [
        "got a declared shape (1, 2, 6, 6) (at batch 1) but should be (1, 2, 8, 8) [aten.conv2d in 0]"
    ]


# --- names -----------------------------------------------------------------------------------------------------------

FORGED_NAMES = ["", "conv", "BatchNorm_0", "conv.bias", "head/total", "x", "\x00", "Dropout\n0", "weight_quantized_int1", "w" * 5000]


@pytest.mark.parametrize("name", FORGED_NAMES)
def test_nodes_of_one_name_are_nodes_of_their_own(name: str) -> None:
    proto = network()
    for item in proto.graph.node:
        item.name = name
    assert prices(onnx_count(proto)) == NETWORK.prices


TENSORS: dict[str, dict[str, str]] = {
    "statistics": {"w": "running_mean", "b": "running_var", "v": "num_batches_tracked"},
    "suffixes": {"w": "w_quantized", "b": "w_scale", "v": "w_zero_point"},
    "the constants' own ids": {"w": "v1", "b": "v2", "v": "v3", "c": "v4", "r": "v5", "f": "v6"},
    "masks": {"w": "weight_mask", "b": "weight_orig", "v": "weight_mask/scale"},
    "layers": {"w": "relu.weight", "b": "head.bias", "v": "conv.weight", "c": "head", "r": "conv", "f": "relu"},
    "paths": {"w": "../../constants.bin", "b": "/etc/passwd", "v": "constants.bin"},
}


@pytest.mark.parametrize("name", TENSORS)
def test_names_that_forge_something_change_no_total(name: str) -> None:
    assert prices(onnx_count(network(TENSORS[name]))) == NETWORK.prices


class Forged(nn.Module):
    """Modules and buffers called as profilers call their own counters."""

    def __init__(self, names: tuple[str, str]) -> None:
        super().__init__()
        self.names = names
        self.add_module(names[0], nn.Linear(6, 5, bias=False))
        self.register_buffer(names[1], torch.from_numpy(random(5)))
        with torch.no_grad():
            getattr(self, names[0]).weight.copy_(torch.from_numpy(random(5, 6, seed=8)))

    def forward(self, x: Tensor) -> Tensor:
        module, buffer = self.names
        return getattr(self, module)(x).relu() * getattr(self, buffer)


@pytest.mark.parametrize("names", [("plain", "scale"), ("total_ops", "total_params"), ("bn", "running_mean"), ("dropout", "mask")])
def test_names_of_modules_and_buffers_change_no_total(names: tuple[str, str]) -> None:
    assert prices(pytorch(Forged(names), (6,))) == Plain(30 + 5 + 5, 25, values=30 + 5).prices


def collided(change: str) -> onnx.ModelProto:
    proto = network()
    if change == "initializer twice":
        proto.graph.initializer.append(numpy_helper.from_array(random(3, 2, 1, 1), "w"))
    elif change == "sparse initializer":
        values, places = numpy_helper.from_array(random(1), "w"), numpy_helper.from_array(np.array([0]))
        proto.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [54]))
    elif change == "constant node":
        proto.graph.node.insert(0, node("Constant", "", "w", value=numpy_helper.from_array(random(3, 2, 1, 1))))
    else:
        proto.graph.node[1].output[0] = change
        proto.graph.node[2].input[0] = "c"
    return proto


COLLISIONS = {
    "initializer twice": "got a second value called 'w' but should be defined once [initializer 'w']",
    "sparse initializer": "got a second value called 'w' but should be defined once [",
    "constant node": "got a second value called 'w' but should be defined once [Constant in the_Constant]",
    "c": "got a second value called 'c' but should be defined once [Relu in relu]",
    "w": "got a second value called 'w' but should be defined once [Relu in relu]",
    "x": "got a second value called 'x' but should be defined once [Relu in relu]",
}


@pytest.mark.parametrize("change", COLLISIONS)
def test_a_name_for_two_tensors_is_refused(change: str) -> None:
    (problem,) = refused(lambda: onnx_count(collided(change)))
    assert problem.startswith(COLLISIONS[change])


# --- parameters in unusual places: one price --------------------------------------------------------------------------

ROWS = random(6, 5)
PRODUCT = Plain(30, 25, values=30)


def in_a_constant() -> onnx.ModelProto:
    return onnx_model([node("Constant", "", "w", value=numpy_helper.from_array(ROWS)), node("MatMul", "x w")], (6,))


def in_functions(depth: int) -> onnx.ModelProto:
    """A function of a custom domain that calls another, and so on; the last one holds the weight."""
    opset = [helper.make_opsetid("", 17), helper.make_opsetid("acme", 1)]
    inner = [node("Constant", "", "w", value=numpy_helper.from_array(ROWS)), node("MatMul", "a w", "b")]
    functions = [helper.make_function("acme", "F0", ["a"], ["b"], inner, opset)]
    for level in range(1, depth):
        functions.append(helper.make_function("acme", f"F{level}", ["a"], ["b"], [node(f"F{level - 1}", "a", "b", "acme")], opset))
    return onnx_model([node(f"F{depth - 1}", "x", domain="acme")], (6,), functions=functions)


def in_a_body() -> onnx.ModelProto:
    """An If whose condition is known: one body is the model, the other is nothing."""
    wanted = helper.make_tensor_value_info("b", TensorProto.FLOAT, None)
    then = helper.make_graph([node("MatMul", "x w", "b")], "then", [], [wanted], [numpy_helper.from_array(ROWS, "w")])
    other = helper.make_graph([node("MatMul", "x u", "b")], "else", [], [wanted], [numpy_helper.from_array(random(6, 5, seed=9), "u")])
    return onnx_model([node("If", "yes", then_branch=then, else_branch=other)], (6,), {"yes": np.array(True)})


PLACES: dict[str, Callable[[], onnx.ModelProto]] = {
    "initializer": lambda: onnx_model([node("MatMul", "x w")], (6,), {"w": ROWS}),
    "Constant": in_a_constant,
    "function of a custom domain": lambda: in_functions(1),
    "function in a function": lambda: in_functions(3),
    "function called like an operator": lambda: onnx_model(
        [node("Relu", "x", domain="acme")],
        (6,),
        functions=[
            helper.make_function(
                "acme",
                "Relu",
                ["a"],
                ["b"],
                [node("Constant", "", "w", value=numpy_helper.from_array(ROWS)), node("MatMul", "a w", "b")],
                [helper.make_opsetid("", 17)],
            )
        ],
    ),
    "body of an If": in_a_body,
    "one Einsum": lambda: onnx_model([node("Einsum", "x w", equation="bi,ij->bj")], (6,), {"w": ROWS}),
}


@pytest.mark.parametrize("place", PLACES)
def test_parameters_cost_the_same_wherever_they_are(place: str) -> None:
    assert prices(onnx_count(PLACES[place]())) == PRODUCT.prices


# --- one giant Einsum ------------------------------------------------------------------------------------------------


def test_a_network_in_one_einsum_is_a_product_after_the_other() -> None:
    """x (4) times 4×5, 5×6, 6×7: n multiplies and n − 1 adds of each, all weights stored."""
    weights = {"a": random(4, 5), "b": random(5, 6, seed=2), "c": random(6, 7, seed=4)}
    found = onnx_count(onnx_model([node("Einsum", "x a b c", equation="ni,ij,jk,kl->nl")], (4,), weights))
    multiplies, adds = 4 * 5 + 5 * 6 + 6 * 7, 3 * 5 + 4 * 6 + 5 * 7
    assert prices(found) == Plain(multiplies, adds, values=4 * 5 + 5 * 6 + 6 * 7).prices


def test_powers_in_one_einsum_are_multiplied_out() -> None:
    """Σ x_i x_j x_k w_ijkl: 9 and 27 products of x, then 27 multiplies and 26 adds for each of 2 outputs."""
    weight = random(3, 3, 3, 2)
    found = onnx_count(onnx_model([node("Einsum", "x x x w", equation="ni,nj,nk,ijkl->nl")], (3,), {"w": weight}))
    assert prices(found) == Plain(9 + 27 + 2 * 27, 2 * 26, values=54).prices


TERM = "got the term '{}' for a tensor of shape (1, 3) but should name each axis once"
RESULT = "got the equation '{}' but should have each index of the result once, and in an operand"


@pytest.mark.parametrize(
    ("equation", "sentence"),
    [
        ("nii->n", TERM.format("nii")),
        ("nij->n", TERM.format("nij")),
        ("ni->nz", RESULT.format("ni->nz")),
        ("ni->nn", RESULT.format("ni->nn")),
    ],
)
def test_an_einsum_that_fits_no_product_is_refused(equation: str, sentence: str) -> None:
    """A diagonal, more axes than there are, a result from nowhere, a result on a diagonal."""
    (problem,) = refused(lambda: onnx_count(onnx_model([node("Einsum", "x", equation=equation)], (3,))))
    assert problem.startswith(f"{sentence} [Einsum in the_Einsum]")
