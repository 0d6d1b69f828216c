"""Examples of a batch do not meet, and how many there are is no number of the computation: real files of both formats."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from micronet_verify_onnx.counter import OnnxCounter
from micronet_verify_pytorch.counter import PyTorchCounter
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper
from torch import Tensor, nn

from micronet_verify.errors import PluginFault, SubmissionFault
from micronet_verify.facts.graph import Graph
from micronet_verify.framework.batch.axis import Lies, Spread, find
from micronet_verify.framework.batch.compare import BATCH, check_batch
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.protocols import Counter
from micronet_verify.framework.requests import TranslateRequest
from tests.plugins.onnx.support import node
from tests.plugins.pytorch.support import Function, archive
from tests.spelling.counted import onnx_model

ADVICE = "(the count is of one example: keep the examples apart, or, for a model of one example at a time, export with a fixed batch of 1)"
ALONE = "but should treat each example alone"


def found(path: Path, counter: Counter) -> list[str]:
    """What the check says about a file: nothing, or the sentences of a refusal."""
    builder = GraphBuilder(path.parent)
    graph = counter.translate(TranslateRequest(path), builder)
    try:
        check_batch(counter, path, graph, builder)
    except SubmissionFault as fault:
        return [str(problem) for problem in fault.problems]
    return []


def in_torch(function: Callable[[Tensor], Tensor], x: Tensor, folder: Path, fixed: bool = False) -> list[str]:
    return found(archive(Function(function), x[:1] if fixed else x, folder, dynamic=not fixed), PyTorchCounter())


def in_onnx(model: ModelProto, folder: Path) -> list[str]:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return found(path, OnnxCounter())


# --- honest networks that move the batch about -----------------------------------------------------------------------


def recurrent(x: Tensor) -> Tensor:
    """Cells over time, from a state of zeros that has the batch's size."""
    state = x.new_zeros(x.shape[0], 4)
    for step in range(x.shape[1]):
        state = torch.tanh(state + x[:, step])
    return state


def heads(x: Tensor) -> Tensor:
    """Attention whose heads are merged with the batch."""
    batch, time, width = x.shape
    q = x.view(batch, time, 2, width // 2).transpose(1, 2).reshape(batch * 2, time, width // 2)
    return (torch.softmax(q @ q.transpose(1, 2), -1) @ q).view(batch, 2, time, -1).transpose(1, 2).reshape(batch, time, width)


def positions(x: Tensor) -> Tensor:
    """Position numbers, repeated for each example."""
    return x + torch.arange(x.shape[1]).unsqueeze(0).expand(x.shape[0], -1).unsqueeze(-1)


def kernels(x: Tensor) -> Tensor:
    """A kernel for each example, as a convolution with a group for each."""
    batch, channels, size = x.shape
    weight = x.mean(2).view(batch, 1, channels, 1).expand(batch, 2, channels, 1).reshape(batch * 2, channels, 1)
    return F.conv1d(x.reshape(1, batch * channels, size), weight, groups=batch).view(batch, 2, size)


def last(x: Tensor) -> Tensor:
    """The last step that is not padding: found by the example's own number."""
    return x[torch.arange(x.shape[0]), (x[:, :, 0] > 0).sum(1).clamp(min=1) - 1]


HONEST: dict[str, Callable[[Tensor], Tensor]] = {
    "recurrent": recurrent,
    "heads": heads,
    "positions": positions,
    "kernels": kernels,
    "last": last,
    "time first": lambda x: x.transpose(0, 1).cumsum(0).transpose(0, 1),
    "time merged": lambda x: F.layer_norm(x.flatten(0, 1), (4,)).view(x.shape[0], -1, 4).amax(1),
    "class token": lambda x: torch.cat([torch.ones(1, 1, 4).expand(x.shape[0], -1, -1), x], 1)[:, 0],
    "views of one example": lambda x: torch.cat([x, x.flip(-1)], 0).relu()[: x.shape[0]],
    "best three": lambda x: x.gather(1, x.argsort(1)[:, :3]),
    "softmax": lambda x: x.flatten(1).softmax(-1),
}


@pytest.mark.parametrize("name", HONEST)
def test_honest_networks_pass(name: str, tmp_path: Path) -> None:
    assert in_torch(HONEST[name], torch.rand(2, 5, 4), tmp_path) == []


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_recurrent_layers_pass(kind: type[nn.Module], tmp_path: Path) -> None:
    layer = kind(4, 3, batch_first=True)
    assert in_torch(lambda x: layer(x)[0], torch.rand(2, 5, 4), tmp_path) == []


# --- what brings examples together, in PyTorch -----------------------------------------------------------------------

MIXING: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "mean": (lambda x: x - x.mean(0), f"got mean along the batch {ALONE} [aten.mean]"),
    "sum of all": (lambda x: x + x.sum(), f"got sum along the batch {ALONE} [aten.sum]"),
    "first example": (lambda x: x + x[0], f"got slice along the batch {ALONE} [aten.select]"),
    "neighbour": (lambda x: x + x.roll(1, 0), f"got a number made of the size of the batch {ALONE} [aten.roll]"),
    "backwards": (lambda x: x + x.flip(0), f"got flip along the batch {ALONE} [aten.flip]"),
    "cumsum": (lambda x: x.cumsum(0), f"got cumsum along the batch {ALONE} [aten.cumsum]"),
    "sort": (lambda x: x.sort(0).values, f"got sort along the batch {ALONE} [aten.sort]"),
    "softmax": (lambda x: x.softmax(0), f"got softmax along the batch {ALONE} [aten.softmax]"),
    "gather": (lambda x: x.gather(0, x.long()), f"got gather along the batch {ALONE} [aten.gather]"),
    "flat gather": (lambda x: x[:, :, 0] + x.reshape(-1)[x[:, :, 1].long()], f"got gather along the batch {ALONE} [aten.index]"),
    "padding": (lambda x: F.pad(x, (0, 0, 0, 0, 1, 0))[:-1], f"got pad along the batch {ALONE} [aten.pad]"),
    "deviation": (lambda x: x / x.std(0), f"got var along the batch {ALONE} [aten.std]"),
    "similarity": (lambda x: x.flatten(1) @ x.flatten(1).t(), f"got products between different examples of a batch {ALONE} [aten.matmul]"),
    "attention": (
        lambda x: F.scaled_dot_product_attention(x.transpose(0, 1), x.transpose(0, 1), x.transpose(0, 1)).transpose(0, 1),
        f"got products between different examples of a batch {ALONE} [aten.scaled_dot_product_attention]",
    ),
    "covariance": (lambda x: x[:, 0] @ (x[:, 1].t() @ x[:, 2]), f"got a sum of products along the batch {ALONE} [aten.matmul]"),
    "pairs": (
        lambda x: (x[:, None, 0] - x[None, :, 0]).amax(1),
        f"got arithmetic between different examples of a batch {ALONE} [aten.sub]",
    ),
}


@pytest.mark.parametrize("name", MIXING)
def test_examples_that_meet_are_refused_by_name_and_place(name: str, tmp_path: Path) -> None:
    function, sentence = MIXING[name]
    sentences = in_torch(function, torch.rand(2, 5, 4), tmp_path)
    assert sentences, "was not refused"
    assert sentence in sentences[0]
    assert sentences[0].endswith(ADVICE)


NUMBERS: dict[str, Callable[[Tensor], Tensor]] = {
    "factor": lambda x: x * x.shape[0],
    "quotient": lambda x: x / (x.shape[0] + 1),
    "own number": lambda x: x + torch.arange(x.shape[0])[:, None, None],
}


@pytest.mark.parametrize("name", NUMBERS)
def test_the_size_of_the_batch_is_no_number_to_compute_with(name: str, tmp_path: Path) -> None:
    sentences = in_torch(NUMBERS[name], torch.rand(2, 5, 4), tmp_path)
    assert sentences, "was not refused"
    assert sentences[0].startswith(f"got a number made of the size of the batch {ALONE} [aten.")


@pytest.mark.parametrize("function", [MIXING["mean"][0], NUMBERS["factor"]])
def test_a_fixed_batch_of_one_needs_nothing_of_this(function: Callable[[Tensor], Tensor], tmp_path: Path) -> None:
    assert in_torch(function, torch.rand(2, 5, 4), tmp_path, fixed=True) == []


def test_what_no_output_needs_may_do_as_it_likes(tmp_path: Path) -> None:
    nodes = [node("ReduceMean", "x", "unused", axes=[0]), node("Relu", "x")]
    assert in_onnx(onnx_model(nodes, (3,)), tmp_path) == []


# --- and in ONNX -----------------------------------------------------------------------------------------------------


def body(name: str, *nodes: NodeProto) -> GraphProto:
    return helper.make_graph(list(nodes), name, [], [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)])


SIZE = [node("Shape", "x", "shape"), node("Gather", "shape zero", "size")]
BY_SIZE = [*SIZE, node("Greater", "size many", "yes")]
ONNX: dict[str, tuple[list[NodeProto], str]] = {
    "size in arithmetic": (
        [*SIZE, node("Cast", "size", "number", to=TensorProto.FLOAT), node("Mul", "x number")],
        "got a number made of the size of the batch but should treat each example alone [Cast in the_Cast]",
    ),
    "If on the size": (
        [*BY_SIZE, node("If", "yes", then_branch=body("a", node("Relu", "x", "p")), else_branch=body("b", node("Neg", "x", "q")))],
        f"got a different computation for a batch of {BATCH} than for one example but should be the same for every batch "
        "[Relu in the_Relu]",
    ),
    "Loop over the batch": (
        [
            *SIZE,
            helper.make_node(
                "Loop",
                ["size", "", "x"],
                ["y"],
                "the_Loop",
                body=helper.make_graph(
                    [node("Identity", "c", "d"), node("Exp", "v", "w")],
                    "turn",
                    [
                        helper.make_tensor_value_info("i", TensorProto.INT64, []),
                        helper.make_tensor_value_info("c", TensorProto.BOOL, []),
                        helper.make_tensor_value_info("v", TensorProto.FLOAT, None),
                    ],
                    [
                        helper.make_tensor_value_info("d", TensorProto.BOOL, []),
                        helper.make_tensor_value_info("w", TensorProto.FLOAT, None),
                    ],
                ),
            ),
        ],
        f"got a different computation for a batch of {BATCH} than for one example but should be the same for every batch [Exp in the_Exp]",
    ),
    "as many columns as examples": (
        [
            *SIZE,
            node("Reshape", "size one", "ends"),
            node("Min", "ends many", "some"),
            node("Slice", "x zeros some one", "part"),
            node("Relu", "part"),
        ],
        f"got a different computation for a batch of {BATCH} than for one example but should be the same for every batch "
        "[Relu in the_Relu]",
    ),
    "an LSTM whose time is the batch": (
        [
            node("Unsqueeze", "x one", "s"),
            node("LSTM", "s wx wh", hidden_size=2),
        ],
        f"got slice along the batch {ALONE} [LSTM in the_LSTM]",
    ),
    "dynamic quantization": (
        [node("DynamicQuantizeLinear", "x", "q s z"), node("DequantizeLinear", "q s z")],
        f"got max along the batch {ALONE} [DynamicQuantizeLinear in the_DynamicQuantizeLinear]",
    ),
    "no batch in the output": ([node("ReduceMax", "x", axes=[0], keepdims=0)], f"got max along the batch {ALONE}"),
    "batch last": (
        [node("Transpose", "x", perm=[1, 0])],
        "got a first output of shape (3, batch) but should have the batch, and nothing else, as its first axis [the model's output]",
    ),
    "batch merged": (
        [node("Reshape", "x merged")],
        f"got a first output of shape ({3 * BATCH}) but should have the batch, and nothing else, as its first axis [the model's output]",
    ),
    "batch written down": (
        [node("Reshape", "x ones", "flat"), node("Relu", "flat")],
        f"got a reshape of ({BATCH}, 3) to (1, 3) but should keep {3 * BATCH} elements [Reshape in the_Reshape] "
        f"(so it is with {BATCH} examples at once: let every size follow the batch, or export with a fixed batch of 1)",
    ),
    "normalised over the batch": (
        [node("Transpose", "x", "t", perm=[1, 0]), node("LayerNormalization", "t w", "n"), node("Transpose", "n", perm=[1, 0])],
        "but should",
    ),
}
NUMBERS_OF_ONNX = {
    "zero": np.int64(0),
    "one": np.array([1]),
    "zeros": np.array([0]),
    "many": np.array([3]),
    "merged": np.array([-1]),
    "ones": np.array([1, 3]),
    "w": np.ones(1, np.float32),
    "wx": np.ones((1, 8, 3), np.float32),
    "wh": np.ones((1, 8, 2), np.float32),
}


@pytest.mark.parametrize("name", ONNX)
def test_onnx_files_that_use_the_batch_are_refused(name: str, tmp_path: Path) -> None:
    nodes, sentence = ONNX[name]
    used = {part for item in nodes for part in item.input}
    constants = {key: value for key, value in NUMBERS_OF_ONNX.items() if key in used}
    sentences = in_onnx(onnx_model(nodes, (3,), constants), tmp_path)
    assert sentences, "was not refused"
    assert sentence in sentences[0]


def test_branches_that_the_data_decides_are_run_one_example_at_a_time(tmp_path: Path) -> None:
    choice = node("If", "many", then_branch=body("a", node("Relu", "x", "p")), else_branch=body("b", node("Neg", "x", "q")))
    nodes = [node("ReduceMax", "x", "most", keepdims=0), node("Greater", "most w", "many"), choice]
    assert in_onnx(onnx_model(nodes, (3,), {"w": np.float32(0)}), tmp_path) == []


def test_where_a_reshape_leaves_the_batch() -> None:
    assert find((7, 2, 3), 6, 7) == Lies(0)
    assert find((14, 3), 3, 7) == Lies(0, outer=2)
    assert find((14, 3), 6, 7) == Lies(0, inner=2)
    assert find((1, 7, 6), 6, 7) == Lies(1)
    assert find((2, 21), 6, 7) == Spread(6)


def test_another_number_of_inputs_at_another_batch_is_the_counters_defect() -> None:
    class Fickle:
        def translate(self, request: TranslateRequest, builder: GraphBuilder) -> Graph:
            inputs = [builder.input((builder.batch, 2)) for _ in range(1 if builder.batch == 1 else 2)]
            return builder.finish([builder.elementwise("relu", inputs[0])])

    builder = GraphBuilder(None)
    graph = Fickle().translate(TranslateRequest(Path("m")), builder)
    with pytest.raises(PluginFault) as caught:
        check_batch(Fickle(), Path("m"), graph, builder)
    assert "got 2 inputs at a batch of 97 but should be 1, as at a batch of 1" in str(caught.value)
