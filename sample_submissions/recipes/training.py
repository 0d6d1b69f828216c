"""One training loop for all samples: deterministic, on one thread, with constraints on the weights.

A constraint is either a mask (the pruned weights stay zero) or a quantizer: the forward and backward pass see the
quantized weights, the step moves the float weights behind them (straight-through estimator). Both end in ordinary
weights; nothing is masked or quantized at run time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sample_submissions.recipes.digits import training_set

BATCH = 64
Quantizer = Callable[[torch.Tensor], torch.Tensor]


def fit(
    net: nn.Module,
    epochs: int,
    rate: float,
    seed: int = 0,
    masks: Mapping[str, torch.Tensor] | None = None,
    quantizers: Mapping[str, Quantizer] | None = None,
) -> None:
    """Train ``net`` in place and leave it in evaluation mode, its constraints applied to its parameters."""
    images, labels = (torch.from_numpy(array) for array in training_set())
    draws = torch.Generator().manual_seed(seed)
    steps = len(images) // BATCH
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * steps)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.05)
    parameters = dict(net.named_parameters())
    _mask(parameters, masks or {})
    net.train()
    for _ in range(epochs):
        order = torch.randperm(len(images), generator=draws)
        for step in range(steps):
            batch = order[step * BATCH : (step + 1) * BATCH]
            optimizer.zero_grad()
            behind = _quantize(parameters, quantizers or {})
            loss_of(net(_distorted(images[batch], draws)), labels[batch]).backward()
            _restore(parameters, behind)
            optimizer.step()
            schedule.step()
            _mask(parameters, masks or {})
    _quantize(parameters, quantizers or {})
    net.eval()


def logits(net: nn.Module, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """The network's answers, [N, 10]."""
    with torch.no_grad():
        answers: NDArray[np.float32] = net.eval()(torch.from_numpy(images)).numpy()
    return answers


def magnitude_masks(net: nn.Module, zeros: Mapping[str, float]) -> dict[str, torch.Tensor]:
    """For each named parameter, 1 for the largest weights and 0 for the share ``zeros`` of the smallest."""
    masks = {}
    for name, share in zeros.items():
        size = net.get_parameter(name).detach().abs()
        cut = size.flatten().sort().values[int(share * size.numel())]
        masks[name] = (size >= cut).to(size.dtype)
    return masks


def _mask(parameters: Mapping[str, nn.Parameter], masks: Mapping[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for name, mask in masks.items():
            # where, not a product: a product would leave negative zeros
            parameters[name].copy_(torch.where(mask > 0, parameters[name], torch.zeros(())))


def _quantize(parameters: Mapping[str, nn.Parameter], quantizers: Mapping[str, Quantizer]) -> dict[str, torch.Tensor]:
    """Put the quantized weights in place; the float weights behind them."""
    behind = {name: parameters[name].detach().clone() for name in quantizers}
    with torch.no_grad():
        for name, quantizer in quantizers.items():
            parameters[name].copy_(quantizer(behind[name]))
    return behind


def _restore(parameters: Mapping[str, nn.Parameter], behind: Mapping[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for name, values in behind.items():
            parameters[name].copy_(values)


def _distorted(images: torch.Tensor, draws: torch.Generator) -> torch.Tensor:
    """Each image turned by at most 0.2 rad, scaled by 12 %, sheared by 0.15 and shifted by 0.9 pixels."""

    def uniform(*shape: int) -> Any:
        return torch.rand(*shape, generator=draws) * 2 - 1

    count = len(images)
    angle, shear = 0.2 * uniform(count), 0.15 * uniform(count)
    scale, shift = 1 + 0.12 * uniform(count, 2), 0.22 * uniform(count, 2)
    rows = [
        torch.stack([torch.cos(angle) * scale[:, 0], -torch.sin(angle) + shear, shift[:, 0]], dim=1),
        torch.stack([torch.sin(angle), torch.cos(angle) * scale[:, 1], shift[:, 1]], dim=1),
    ]
    grid = nn.functional.affine_grid(torch.stack(rows, dim=1), list(images.shape), align_corners=False)
    return nn.functional.grid_sample(images, grid, align_corners=False)
