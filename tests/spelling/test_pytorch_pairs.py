"""Linear layers, convolutions and batch norms in PyTorch: the same arithmetic has the same price however it is spelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812, the field's name for it
from torch.nn.utils import parametrizations, prune

from tests.spelling.counted import Plain, prices, pytorch, random

W, B = random(5, 8), random(5, seed=2)
KERNEL, BIAS = random(6, 4, 3, 3, seed=4), random(6, seed=6)
SCALE, SHIFT, MEAN, VARIANCE = (random(6, seed=seed) for seed in (8, 10, 12, 14))
VARIANCE = abs(VARIANCE)


def holding(module: nn.Module, **tensors: Any) -> Any:
    """The module with these parameters and buffers."""
    with torch.no_grad():
        for name, array in tensors.items():
            getattr(module, name).copy_(torch.as_tensor(array))
    return module.eval()


def norm(width: int = 6) -> nn.BatchNorm2d:
    return holding(nn.BatchNorm2d(width), weight=SCALE, bias=SHIFT, running_mean=MEAN, running_var=VARIANCE)


def channels(values: Tensor) -> Tensor:
    return values[:, None, None]


class Subclass(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, self.weight, self.bias)


class Direct(nn.Module):
    """Calls the layer's ``forward``, past the hooks by which some counters count."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = holding(nn.Conv2d(4, 6, 3, padding=1), weight=KERNEL, bias=BIAS)

    def forward(self, x: Tensor) -> Any:
        return self.layer.forward(x)


LINEAR: dict[str, Any] = {
    "module": holding(nn.Linear(8, 5), weight=W, bias=B),
    "functional": F.linear,
    "x @ w.T + b": lambda x, w, b: x @ w.T + b,
    "b + x @ w.T": lambda x, w, b: b + x @ w.T,
    "addmm": lambda x, w, b: torch.addmm(b, x, w.T),
    "(w @ x.T).T": lambda x, w, b: (w @ x.T).T + b,
    "einsum": lambda x, w, b: torch.einsum("bi,oi->bo", x, w) + b,
    "tensordot": lambda x, w, b: torch.tensordot(x, w, ([1], [1])) + b,
    "broadcast, multiply, sum": lambda x, w, b: (x[:, None] * w).sum(-1) + b,
    "multiply, sum with kept axes": lambda x, w, b: (x[:, None] * w).sum(-1, keepdim=True).squeeze(-1) + b,
    "1×1 convolution": lambda x, w, b: F.conv2d(x[:, :, None, None], w[:, :, None, None], b)[:, :, 0, 0],
}


@pytest.mark.parametrize("spelling", LINEAR)
def test_a_linear_layer(spelling: str) -> None:
    model = LINEAR[spelling]
    parts = () if isinstance(model, nn.Module) else (W, B)
    assert prices(pytorch(model, (8,), *parts)) == Plain(5 * 8, 5 * (8 - 1) + 5, 5 * 8 + 5).prices


def test_a_linear_layer_on_ten_positions_is_ten_times_the_work() -> None:
    assert prices(pytorch(LINEAR["module"], (10, 8))) == Plain(10 * 5 * 8, 10 * (5 * 7 + 5), 5 * 8 + 5).prices


@pytest.mark.parametrize("spelling", ["functional", "einsum", "broadcast, multiply, sum", "multiply, sum with kept axes"])
def test_zeros_are_no_work_in_any_spelling(spelling: str) -> None:
    """Row 0 keeps 3 of 8 weights; the mask is one bit for each of the 40."""
    pruned = W.copy()
    pruned[0, [0, 2, 4, 6, 7]] = 0
    count = pytorch(LINEAR[spelling], (8,), pruned, B)
    ledger = count.ledgers["freebie"]
    assert ledger.quantity("operations", "multiply") == 3 + 4 * 8
    assert ledger.quantity("operations", "add") == 2 + 4 * 7 + 5
    assert ledger.storage * 32 == 35 * 16 + 40 + 5 * 16


CONVOLUTION: dict[str, Any] = {
    "module": holding(nn.Conv2d(4, 6, 3, padding=1), weight=KERNEL, bias=BIAS),
    "subclass": holding(Subclass(4, 6, 3, padding=1), weight=KERNEL, bias=BIAS),
    "module.forward(x)": Direct(),
    "functional": lambda x, w, b: F.conv2d(x, w, b, padding=1),
    "same padding": lambda x, w, b: F.conv2d(x, w, b, padding="same"),
    "padded before": lambda x, w, b: F.conv2d(F.pad(x, (1, 1, 1, 1)), w, b),
    "padded around": nn.Sequential(nn.ZeroPad2d(1), holding(nn.Conv2d(4, 6, 3), weight=KERNEL, bias=BIAS)),
    "bias after": lambda x, w, b: F.conv2d(x, w, padding=1) + channels(b),
    "channels last": holding(nn.Conv2d(4, 6, 3, padding=1), weight=KERNEL, bias=BIAS).to(memory_format=torch.channels_last),
    "unfold and matmul": lambda x, w, b: (w.flatten(1) @ F.unfold(x, 3, padding=1) + b[:, None]).unflatten(2, (8, 8)),
    "with dropout and identity": nn.Sequential(
        nn.Identity(), holding(nn.Conv2d(4, 6, 3, padding=1), weight=KERNEL, bias=BIAS), nn.Dropout(), nn.Identity()
    ),
}
# 8×8 positions of 6 channels of 4·3·3 weights and a bias; padded positions are full work (O6)
CONVOLVED = Plain(64 * 6 * 36, 64 * 6 * (36 - 1 + 1), 6 * 36 + 6)


@pytest.mark.parametrize("spelling", CONVOLUTION)
def test_a_convolution(spelling: str) -> None:
    model = CONVOLUTION[spelling]
    parts = () if isinstance(model, nn.Module) else (KERNEL, BIAS)
    assert prices(pytorch(model, (4, 8, 8), *parts)) == CONVOLVED.prices


NORMED: dict[str, Callable[[], Any]] = {
    "module": lambda: nn.Sequential(holding(nn.Conv2d(4, 6, 3, padding=1, bias=False), weight=KERNEL), norm()),
    "module after a bias": lambda: nn.Sequential(holding(nn.Conv2d(4, 6, 3, padding=1), weight=KERNEL, bias=BIAS), norm()),
    "written": lambda: (
        lambda x, w, g, b, m, v: (F.conv2d(x, w, padding=1) - channels(m)) / torch.sqrt(channels(v) + 1e-5) * channels(g) + channels(b)
    ),
    "written with rsqrt": lambda: (
        lambda x, w, g, b, m, v: channels(g) * ((F.conv2d(x, w, padding=1) - channels(m)) * torch.rsqrt(channels(v) + 1e-5)) + channels(b)
    ),
    "scale and shift": lambda: lambda x, w, g, b, m, v: F.conv2d(x, w, padding=1) * channels(g) + channels(b),
}


@pytest.mark.parametrize("spelling", NORMED)
def test_a_batch_norm_after_a_convolution_is_its_bias(spelling: str) -> None:
    """S7: the scale goes into the weights, the shift into the bias."""
    model = NORMED[spelling]()
    parts = () if isinstance(model, nn.Module) else (KERNEL, SCALE, SHIFT, MEAN, VARIANCE)
    assert prices(pytorch(model, (4, 8, 8), *parts)) == CONVOLVED.prices


ALONE: dict[str, Any] = {
    "module": norm(),
    "written": lambda x, g, b, m, v: (x - channels(m)) / torch.sqrt(channels(v) + 1e-5) * channels(g) + channels(b),
    "scale and shift": lambda x, g, b, m, v: x * channels(g) + channels(b),
}


@pytest.mark.parametrize("spelling", ALONE)
def test_a_batch_norm_alone_is_a_scale_and_a_shift(spelling: str) -> None:
    """C scales and C shifts, a multiply and an add per element."""
    model = ALONE[spelling]
    parts = () if isinstance(model, nn.Module) else (SCALE, SHIFT, MEAN, VARIANCE)
    assert prices(pytorch(model, (6, 4, 4), *parts)) == Plain(6 * 16, 6 * 16, 6 + 6).prices


def test_a_number_that_is_no_constant_per_channel_does_not_fold() -> None:
    """The 3 and the 6 of a hard sigmoid stand behind a convolution as they do anywhere else."""
    written = pytorch(lambda x, w: F.relu6(F.conv2d(x, w) + 3) / 6, (4, 3, 3), KERNEL)
    named = pytorch(lambda x, w: F.hardsigmoid(F.conv2d(x, w)), (4, 3, 3), KERNEL)
    assert prices(written) == prices(named) == Plain(6 * 36 + 6 * 3, 6 * 35 + 6, 6 * 36, (16, 16)).prices


def normed_weights(old: bool) -> nn.Module:
    layer = holding(nn.Linear(8, 5), weight=W, bias=B)
    made: nn.Module = torch.nn.utils.weight_norm(layer) if old else parametrizations.weight_norm(layer)
    return made


@pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated")
@pytest.mark.parametrize("old", [False, True], ids=["parametrization", "hook"])
def test_weight_norm_left_in_place_is_the_folded_weight(old: bool) -> None:
    """g·v/‖v‖ among constants is done once, when the model is loaded."""
    assert prices(pytorch(normed_weights(old), (8,))) == Plain(5 * 8, 5 * 8, 5 * 8 + 5).prices


def test_a_mask_left_in_place_is_the_pruned_weight() -> None:
    masked, removed = (holding(nn.Linear(8, 5), weight=W, bias=B) for _ in range(2))
    for layer in (masked, removed):
        prune.l1_unstructured(layer, "weight", 20)
    prune.remove(removed, "weight")
    found = pytorch(masked, (8,))
    assert prices(found) == prices(pytorch(removed, (8,)))
    assert found.ledgers["freebie"].quantity("operations", "multiply") == 5 * 8 - 20


def test_a_transposed_convolution_of_stride_2() -> None:
    """Every input value meets every weight once: 4·4 positions of 4·6·9 weights, not four times as many.

    Adds are contributions less the outputs that receive any, before cropping: 9×9 of 6 channels; then a bias for 8×8.
    """
    layer = holding(nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1), weight=KERNEL.reshape(4, 6, 3, 3), bias=BIAS)
    products = 4 * 4 * 4 * 6 * 9
    assert prices(pytorch(layer, (4, 4, 4))) == Plain(products, products - 9 * 9 * 6 + 8 * 8 * 6, 4 * 6 * 9 + 6).prices
