"""An operator of somebody's own, which has no price."""

from __future__ import annotations

import torch
from torch import Tensor, nn


@torch.library.custom_op("micronet_tests::secret", mutates_args=())
def secret(x: Tensor) -> Tensor:
    return x.clone()


@secret.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


class Bad(nn.Module):
    """Two operators without a price."""

    def forward(self, x: Tensor) -> Tensor:
        return secret(x) * torch.rand(3)
