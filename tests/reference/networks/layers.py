"""What the reference networks share: a convolution with its batch norm, rounding of widths, and cheap random weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Activation = Callable[[], nn.Module]


class ConvNorm(nn.Sequential):
    """Convolution without bias, batch norm, activation; padded so that stride 1 keeps the size and stride s divides it, rounded up."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, activation: Activation | None = None
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        if activation is not None:
            self.act = activation()


@dataclass(frozen=True, slots=True)
class Block:
    """Channels into and out of a residual block, and the stride of what makes its size smaller."""

    inputs: int
    outputs: int
    stride: int


class SqueezeExcite(nn.Module):
    """Hu et al. (2018), arXiv:1709.01507: x · gate(W₂ act(W₁ mean(x))), the two products with biases."""

    def __init__(self, width: int, squeezed: int, activation: Activation, gate: Activation) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce, self.act = nn.Conv2d(width, squeezed, 1), activation()
        self.expand, self.gate = nn.Conv2d(squeezed, width, 1), gate()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(self.expand(self.act(self.reduce(self.pool(x)))))


def multiple_of_8(width: float) -> int:
    """The multiple of 8 nearest to ``width``, but never more than 10 % below it (Sandler et al., 2018, and its successors)."""
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * width else rounded


def build(make: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """The module in eval mode with seeded random values everywhere, statistics of batch norms included, and no zero among them.

    It is built without memory first, so that no time goes into an initialisation that would be overwritten.
    """
    with torch.device("meta"):
        model = make()
    model.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            _fill(tensor, generator)
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.running_var.uniform_(0.5, 1.5, generator=generator)
    return model.eval()


def lively(make: Callable[[], nn.Module], inputs: Tensor | None = None, seed: int = 0) -> nn.Module:
    """The module in eval mode with seeded values, whose answers depend on its input: for comparing predictions.

    Every layer is initialised as PyTorch does it, norms get scales and shifts of their own, and batch norms the statistics of
    ``inputs``, which only networks with batch norms need. With statistics that are not its own, a deep network forgets what it was asked.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = make()
        with torch.no_grad():
            for tensor in model.parameters():
                tensor[tensor == 0] = 1e-3  # a zero weight costs nothing (rule O1)
        norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm | nn.LayerNorm)]
        with torch.no_grad():
            for norm in norms:
                norm.weight.uniform_(0.5, 1.5)
                norm.bias.uniform_(-0.5, 0.5)
                if isinstance(norm, nn.modules.batchnorm._BatchNorm):
                    norm.momentum = None  # the mean of what was seen: of ``inputs`` alone
            for module in model.modules():
                if isinstance(module, nn.Dropout):
                    module.eval()
            if inputs is not None:
                model(inputs)
    return model.eval()


def pictures(examples: int, channels: int, height: int, width: int, seed: int = 0) -> Tensor:
    """Images of 28×28 random patches, each with a brightness and a contrast of its own: means of mere noise would all be the same."""
    generator = torch.Generator().manual_seed(seed)
    patches = torch.randn(examples, channels, 28, 28, generator=generator)
    contrast = 2 * torch.rand(examples, channels, 1, 1, generator=generator)
    brightness = torch.randn(examples, channels, 1, 1, generator=generator)
    return nn.functional.interpolate(patches * contrast + brightness, (height, width), mode="nearest")


def _fill(tensor: Tensor, generator: torch.Generator) -> None:
    if not tensor.is_floating_point():
        tensor.zero_()
        return
    bound = (3 / max(tensor[0].numel(), 1)) ** 0.5 if tensor.dim() > 1 else 1.0
    tensor.uniform_(-bound, bound, generator=generator)
    # One draw in 16 million is exactly 0, and a zero weight costs nothing (rule O1).
    tensor[tensor == 0] = bound
