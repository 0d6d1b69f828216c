"""CASES D: what people hand in and was refused. Priced, in all three forms of a graph: as exported, decomposed, fully decomposed.

The neutral graph must give the archive's answers, examples must keep apart where the batch is free, and the forms do the same work.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.ao.quantization.fx._decomposed
from micronet_verify_pytorch.counter import PyTorchCounter
from micronet_verify_pytorch.program import read_program
from micronet_verify_pytorch.runner import Taken, build
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from micronet_verify.framework.batch.compare import check_batch
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.requests import TranslateRequest
from tests.plugins.pytorch.support import Function, archive, example, executed, kinds, only, save, sentences, translate

Q = torch.ops.quantized_decomposed
README = Path(__file__).parents[3] / "plugins" / "pytorch" / "README.md"
IMAGE = (4, 8, 8)


class Standardised(nn.Conv2d):
    """timm's StdConv2d: the norm of a constant weight, by batch norm in training mode."""

    def forward(self, x: Tensor) -> Tensor:
        flat = self.weight.reshape(1, self.out_channels, -1)
        weight = F.batch_norm(flat, None, None, training=True, momentum=0.0, eps=1e-6).reshape_as(self.weight)
        return F.conv2d(x, weight)


class Uncast(nn.Module):
    """Arithmetic that must not be cast."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            y = x.float() * 2
        return y + 1


class EarlyExit(nn.Module):
    """The natural form: where the first head is sure, its answer is handed on."""

    def __init__(self) -> None:
        super().__init__()
        self.early, self.late = nn.Linear(8, 3), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Any:
        early = self.early(x)
        return torch.cond(early.softmax(-1).amax() > 0.6, lambda e, x: e.clone(), lambda e, x: self.late(x.relu()), (early, x))


torch.manual_seed(0)
HANDED_IN: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "adaptive log-softmax": (
        lambda: Function(lambda x, m: m.log_prob(x), nn.AdaptiveLogSoftmaxWithLoss(8, 20, [5, 10])),
        (8,),
    ),
    "standardised weights": (lambda: Standardised(4, 5, 3), IMAGE),
    "standardised along the first axis": (
        lambda: Function(lambda x, w: F.conv2d(x, F.batch_norm(w, None, None, training=True)), torch.randn(5, 4, 3, 3)),
        IMAGE,
    ),
    "autocast that is off": (Uncast, (8,)),
    "early exit": (EarlyExit, (8,)),
    "spectral norm": (lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(4, 5)), (4,)),
    "instance norm": (lambda: nn.InstanceNorm2d(4, affine=True), IMAGE),
    "circular padding": (lambda: nn.Conv2d(4, 2, 3, padding=1, padding_mode="circular"), IMAGE),
    "reflected padding": (lambda: nn.Conv2d(4, 2, 3, padding=1, padding_mode="reflect"), IMAGE),
    "adaptive pool of three axes": (lambda: nn.AdaptiveAvgPool3d((1, 3, 2)), (2, 4, 5, 6)),
    "bilinear": (lambda: Function(lambda x, m: m(x, x), nn.Bilinear(8, 8, 3)), (8,)),
    "bicubic resize": (lambda: Function(lambda x: F.interpolate(x, scale_factor=2, mode="bicubic")), IMAGE),
}
FORMS: dict[str, Callable[[torch.export.ExportedProgram], torch.export.ExportedProgram]] = {
    "as exported": lambda program: program,
    "decomposed": lambda program: program.run_decompositions({}),
    "fully decomposed": lambda program: program.run_decompositions(),
}
# The tensor changes in place while its slices share its memory; the sentence says what to do.
IN_PLACE = ("adaptive log-softmax", "as exported")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", HANDED_IN)
def test_d_is_translated_and_gives_the_same_answers(name: str, form: str, tmp_path: Path) -> None:
    make, shape = HANDED_IN[name]
    x = example(shape)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.export.export(make().eval(), (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
        path = save(FORMS[form](program), tmp_path)
    if (name, form) == IN_PLACE:
        assert all("run_decompositions({})" in sentence for sentence in sentences(path)), sentences(path)
        return
    counter, builder = PyTorchCounter(), GraphBuilder(tmp_path)
    graph = counter.translate(TranslateRequest(path), builder)
    check_batch(counter, path, graph, builder)
    (apart,) = executed(path, x, build(read_program(path), Taken()).forward)
    assert apart <= 8


def test_d_an_early_exit_hands_its_answer_on(tmp_path: Path) -> None:
    branch = only(translate(archive(EarlyExit(), example((8,)), tmp_path, decomposed=False)), "branch")
    assert [(node.kind, node.attributes) for node in branch.bodies[0].nodes] == [("move", {"op": "identity"})]
    assert branch.bodies[0].outputs == branch.bodies[0].nodes[0].outputs


def test_d_memory_that_nothing_was_written_to(tmp_path: Path) -> None:
    def function(x: Tensor) -> Tensor:
        y = x.new_empty(x.shape[0], 5)
        y[:, :4] = x
        return y * 2

    (sentence, *_) = sentences(archive(Function(function), torch.randn(2, 4), tmp_path))
    assert sentence == (
        "got memory that nothing was written to but should be written before it is read [aten.mul] "
        "(begin with torch.zeros in place of empty)"
    )


def test_d_an_answer_that_was_not_written_everywhere(tmp_path: Path) -> None:
    def function(x: Tensor) -> Tensor:
        y = x.new_empty(x.shape[0], 5)
        y[:, 1:] = x
        return y

    path = archive(Function(function), torch.randn(2, 4), tmp_path)
    (sentence,) = sentences(path)
    assert sentence.startswith("got an answer that holds memory to which nothing was written but should be written everywhere [output in ")


TABLE = torch.randn(10, 3)
REFUSED: dict[str, tuple[Callable[..., Tensor], tuple[int, ...], str]] = {
    "grid_sample": (lambda x: F.grid_sample(x, x[:, :2].permute(0, 2, 3, 1), align_corners=False), IMAGE, "sampling on a grid"),
    "affine_grid": (lambda x: F.affine_grid(x, [x.shape[0], 3, 4, 5], align_corners=False), (2, 3), "a grid of places"),
    "embedding_bag": (lambda x: F.embedding_bag(x.abs().long().clamp(0, 9), TABLE), (4,), "bags of an embedding"),
    "antialias": (lambda x: F.interpolate(x, size=(4, 4), mode="bilinear", antialias=True), IMAGE, "a resize with antialias"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_d_what_stays_refused_says_what_to_do(name: str, tmp_path: Path) -> None:
    function, shape, what = REFUSED[name]
    (sentence,) = sentences(archive(Function(function), example(shape), tmp_path))
    assert sentence.partition(": ")[2].startswith(what)
    assert sentence.endswith(")"), "an advice"


# --- quantizers whose scales are measured from the data -----------------------------------------------------------------------


def measured_per_tensor(x: Tensor) -> Tensor:
    scale, zero = Q.choose_qparams.tensor(x, -128, 127, 1e-8, torch.int8)
    codes = Q.quantize_per_tensor.tensor(x, scale, zero, -128, 127, torch.int8)
    return Q.dequantize_per_tensor.tensor(codes, scale, zero, -128, 127, torch.int8)


def measured_symmetric(x: Tensor) -> Tensor:
    scale, zero = Q.choose_qparams_symmetric.tensor(x, -127, 127, 1e-8, torch.int8)
    codes = Q.quantize_per_tensor.tensor(x, scale, zero, -127, 127, torch.int8)
    return Q.dequantize_per_tensor.tensor(codes, scale, zero, -127, 127, torch.int8)


def measured_per_token(x: Tensor) -> Tensor:
    scale, zero = Q.choose_qparams_per_token(x, torch.int8)
    codes = Q.quantize_per_token(x, scale, zero, -128, 127, torch.int8)
    return Q.dequantize_per_token(codes, scale, zero, -128, 127, torch.int8, torch.float32)


def measured_from_both_ends(x: Tensor) -> Tensor:
    scale, zero = Q.choose_qparams_per_token_asymmetric(x, torch.int8)
    codes = Q.quantize_per_token(x, scale, zero, -128, 127, torch.int8)
    return Q.dequantize_per_token(codes, scale, zero, -128, 127, torch.int8, torch.float32)


def written_out(x: Tensor, weight: Tensor) -> Tensor:
    """What torchao's dynamic activations come to once its tensor classes are unwrapped."""
    scale = (x.abs().amax(-1, keepdim=True) / 127).clamp(min=1e-5)
    codes = torch.clamp(torch.round(x / scale), -127, 127).to(torch.int8)
    return torch._int_mm(codes.repeat(20, 1), weight).float()[: x.shape[0]] * scale


MEASURED: dict[str, tuple[Callable[..., Tensor], int]] = {
    # compares for the extremes of n values, and what the formula adds
    "per tensor": (measured_per_tensor, 1),
    "symmetric": (measured_symmetric, 1),
    "per token": (measured_per_token, 2),
    "from both ends": (measured_from_both_ends, 2),
}


@pytest.mark.parametrize("name", MEASURED)
def test_d_scales_measured_from_the_data_are_arithmetic(name: str, tmp_path: Path) -> None:
    function, batch = MEASURED[name]
    x = example((4, 8))[:batch]
    path = archive(Function(function), x, tmp_path, dynamic=batch > 1)
    words = kinds(translate(path))
    assert words[-2:] == ["quantize", "dequantize"]
    assert "reduce max" in words
    (apart,) = executed(path, x, build(read_program(path), Taken()).forward)
    assert apart <= 8


def test_d_dynamic_activations_written_out(tmp_path: Path) -> None:
    model = Function(written_out, nn.Parameter(torch.randint(-127, 128, (8, 8), dtype=torch.int8), requires_grad=False))
    path = archive(model, example((8,))[:1], tmp_path, dynamic=False)
    assert kinds(translate(path)) == ["abs", "reduce max", "div", "clip", "div", "round", "clip", "matmul", "mul"]
    (apart,) = executed(path, example((8,))[:1], build(read_program(path), Taken()).forward)
    assert apart <= 8


def test_d_the_readmes_quantizer_exports_with_a_free_batch(tmp_path: Path) -> None:
    """torch's own fake quantizers do not (2.13); the values are theirs, ties included."""
    (recipe,) = [part for part in README.read_text("utf-8").split("```python")[1:] if "def fake_quantize" in part]
    space: dict[str, Any] = {"torch": torch}
    exec(recipe.partition("```")[0], space)
    x = torch.cat([example((64,)), (torch.arange(128).view(2, 64) - 64.5) * 0.1])
    path = archive(Function(lambda x: space["fake_quantize"](x, 0.1, 3, -8, 7)), x, tmp_path)
    assert kinds(translate(path)) == ["quantize", "dequantize"]
    (answers,) = build(read_program(path), Taken()).forward(x)
    assert torch.equal(answers, torch.fake_quantize_per_tensor_affine(x, 0.1, 3, -8, 7))
    (apart,) = executed(path, x, build(read_program(path), Taken()).forward)
    assert apart <= 8
    with pytest.raises(RuntimeError, match="fake_quantize"):
        archive(Function(lambda x: torch.fake_quantize_per_tensor_affine(x, 0.1, 3, -8, 7)), x, tmp_path)


def test_scales_of_groups(tmp_path: Path) -> None:
    """Weights of which every 4 in a row share a scale and a zero point."""
    weight, scales = torch.randint(-8, 8, (5, 8), dtype=torch.int8), torch.rand(5, 2) + 0.1
    zeros = torch.randint(-2, 3, (5, 2), dtype=torch.int32)

    def function(x: Tensor, weight: Tensor, scales: Tensor, zeros: Tensor) -> Tensor:
        return F.linear(x, Q.dequantize_per_channel_group(weight, scales, zeros, -8, 7, torch.int8, 4, torch.float32))

    parts = [nn.Parameter(part, requires_grad=False) for part in (weight, scales, zeros)]
    path = archive(Function(function, *parts), example((8,)), tmp_path)
    node = only(translate(path), "dequantize")
    assert (node.attributes["axis"], node.attributes["block"]) == (1, 4)
    (apart,) = executed(path, example((8,)), build(read_program(path), Taken()).forward)
    assert apart <= 8
