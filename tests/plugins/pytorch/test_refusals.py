"""What cannot be counted is named, with its place and what to do instead, all of it in one pass."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tests.plugins.pytorch.custom import Bad, secret
from tests.plugins.pytorch.support import Function, archive, exported, save, sentences

PRICED = "be an operator that this counter can price"
UNKNOWN = "(see the plugin's README for the operators that can be counted)"
RANDOM = "but should be the same for every run"
RANDOM_ADVICE = "(export after model.eval(), and store what was drawn as a buffer)"
EVAL = "(call model.eval() before torch.export.export)"


def training(model: nn.Module, folder: Path, x: Tensor) -> Path:
    """Exported in training mode, which torch does without a word."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return save(torch.export.export(model.train(), (x,), dynamic_shapes=({0: torch.export.Dim("batch")},)), folder)


CASES = {
    "random": (lambda x: x + torch.rand(3), f"got aten.rand: random numbers {RANDOM} [aten.rand] {RANDOM_ADVICE}"),
    "random like": (lambda x: x + torch.randn_like(x), f"got aten.randn_like: random numbers {RANDOM} [aten.randn_like] {RANDOM_ADVICE}"),
    "drawn": (lambda x: torch.bernoulli(x.sigmoid()), f"got aten.bernoulli: random numbers {RANDOM} [aten.bernoulli] {RANDOM_ADVICE}"),
    "custom": (
        secret,
        f"got the operator micronet_tests.secret.default but should {PRICED} [micronet_tests.secret] {UNKNOWN}",
    ),
    "unknown": (
        torch.linalg.det,
        f"got the operator aten.linalg_det.default but should {PRICED} [aten.linalg_det] {UNKNOWN}",
    ),
    "Fourier": (
        lambda x: torch.fft.rfft(x).abs(),
        "got aten.fft_rfft: a Fourier transform but should be written with operators that have a price [aten.fft_rfft] "
        "(matrix products and element-wise arithmetic have one)",
    ),
    "by data": (
        lambda x: x.flatten().masked_select(x.flatten() > 0),
        "got aten.masked_select: masked_select but should have a shape known at export [aten.masked_select] "
        "(the work would depend on the data; use a mask and torch.where)",
    ),
    "truth index": (
        lambda x: torch.ops.aten.index.Tensor(x, [None, torch.tensor([True, False, True])]),
        "got an index of truth values but should be of integers [aten.index] (how many elements remain would depend on the data)",
    ),
    "diagonal": (
        lambda x: torch.einsum("bii->bi", x),
        "got the term 'bii' for a tensor of shape (1, 3, 3) but should name each axis once [aten.einsum] (diagonals cannot be counted)",
    ),
    "norm of order 3": (
        lambda x: torch.linalg.vector_norm(x, 3, dim=1),
        "got a norm of order 3 but should be of order 1, 2 or infinity [aten.linalg_vector_norm]",
    ),
    "strided": (
        lambda x: x.as_strided((3,), (1,)),
        "got aten.as_strided: a tensor laid over memory by strides but should be a view, a slice or a reshape [aten.as_strided]",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_an_operator_that_cannot_be_counted(name: str, tmp_path: Path) -> None:
    function, sentence = CASES[name]
    shape = (1, 3, 3) if name in ("unknown", "diagonal") else (1, 3)
    path = archive(Function(function), torch.randn(shape), tmp_path, dynamic=False, decomposed=False)
    assert sentence in sentences(path)


def test_batch_norm_in_training_mode(tmp_path: Path) -> None:
    path = training(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)), tmp_path, torch.randn(2, 1, 8, 8))
    assert f"got batch norm in training mode but should be exported after model.eval() [aten.batch_norm in 1] {EVAL}" in sentences(path)


def test_dropout_in_training_mode(tmp_path: Path) -> None:
    path = training(nn.Sequential(nn.Linear(3, 3), nn.Dropout()), tmp_path, torch.randn(2, 3))
    assert sentences(path) == [f"got dropout in training mode but should be exported after model.eval() [aten.dropout in 1] {EVAL}"]


def test_attention_with_dropout(tmp_path: Path) -> None:
    path = archive(
        Function(lambda x: F.scaled_dot_product_attention(x, x, x, dropout_p=0.5)), torch.randn(2, 3, 4), tmp_path, decomposed=False
    )
    assert sentences(path) == [
        "got attention with dropout but should be exported after model.eval() [aten.scaled_dot_product_attention] "
        "(pass dropout_p=0.0 when not training)"
    ]


def test_a_model_that_keeps_state(tmp_path: Path) -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("seen", torch.zeros(3))

        def forward(self, x: Tensor) -> Tensor:
            self.seen.add_(x.sum(0))
            return x + self.seen

    path = archive(Counting(), torch.randn(2, 3), tmp_path)
    advice = "(export after model.eval(), and keep what the model learns or counts out of forward())"
    assert sentences(path) == [
        f"got a model that changes its buffer 'seen' while it answers but should keep no state [{path.name}] {advice}"
    ]


def test_everything_is_named_in_one_pass_with_its_module(tmp_path: Path) -> None:
    model = nn.Sequential(Bad(), nn.Linear(3, 3), Bad())
    problems = sentences(save(exported(model, torch.randn(2, 3), decomposed=False), tmp_path))
    assert [problem.split(" [")[1].split("]")[0] for problem in problems] == [
        "micronet_tests.secret in 0",
        "aten.rand in 0",
        "micronet_tests.secret in 2",
        "aten.rand in 2",
    ]


def test_statistics_that_are_read_have_no_price(tmp_path: Path) -> None:
    path = archive(Function(lambda x: F.max_pool2d(x, 2, return_indices=True)[1]), torch.randn(2, 1, 4, 4), tmp_path, decomposed=False)
    (problem,) = sentences(path)
    got = "got a use of result 2 ('getitem_1') of aten.max_pool2d_with_indices but should use the first 1 only"
    assert problem.startswith(f"{got} [aten.max_pool2d_with_indices")
    assert "have no price" in problem


def test_observing_fake_quantizers_are_refused_with_advice(tmp_path: Path) -> None:
    from torch.ao.quantization import FusedMovingAvgObsFakeQuantize

    quantizer = FusedMovingAvgObsFakeQuantize()
    quantizer(torch.randn(4, 3))
    path = archive(Function(lambda x, q: q(x), quantizer), torch.randn(1, 3), tmp_path, dynamic=False, decomposed=False)
    advice = "(replace its module by a quantizer with its scale and zero point: the plugin's README has one that exports)"
    what = "a fake quantizer that still observes but should be exported after converting the observers"
    assert any(what in problem and problem.endswith(advice) for problem in sentences(path))
