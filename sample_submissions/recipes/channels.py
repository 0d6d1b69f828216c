"""Cuts whole channels out of a separable network: the structured kind of pruning, which needs no mask."""

from __future__ import annotations

import torch

from sample_submissions.networks import Separable


def narrowed(net: Separable, stem: int, middle: int, last: int) -> Separable:
    """A narrower network with the channels of ``net`` that weigh most.

    A channel weighs |γ| of its last batch norm times the sum of the absolute weights that read it.
    """
    keep_stem = _heaviest(net.depthwise1.norm.weight, net.pointwise1.conv.weight, stem)
    keep_middle = _heaviest(net.depthwise2.norm.weight, net.pointwise2.conv.weight, middle)
    keep_last = _heaviest(net.pointwise2.norm.weight, net.head.weight.reshape(10, -1, 4), last)
    rows = {
        "stem": keep_stem,
        "depthwise1": keep_stem,
        "pointwise1": keep_middle,
        "depthwise2": keep_middle,
        "pointwise2": keep_last,
    }
    columns = {"pointwise1.conv.weight": keep_stem, "pointwise2.conv.weight": keep_middle}
    narrow = Separable(stem, middle, last)
    kept = {}
    for name, tensor in net.state_dict().items():
        block = name.split(".")[0]
        if block in rows and tensor.dim() > 0:
            tensor = tensor[rows[block]]
        if name in columns:
            tensor = tensor[:, columns[name]]
        if name == "head.weight":
            tensor = tensor.reshape(10, -1, 4)[:, keep_last].reshape(10, -1)
        kept[name] = tensor
    narrow.load_state_dict(kept)
    return narrow


def _heaviest(scale: torch.Tensor, readers: torch.Tensor, count: int) -> torch.Tensor:
    """The indices, in order, of the ``count`` channels (axis 1 of ``readers``) that weigh most."""
    others = tuple(axis for axis in range(readers.dim()) if axis != 1)
    weight = scale.detach().abs() * readers.detach().abs().sum(others)
    return weight.argsort(descending=True)[:count].sort().values
