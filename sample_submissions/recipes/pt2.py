"""Writes ``.pt2`` files that are the same bytes on every run."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import nn


def export(net: nn.Module, path: Path) -> None:
    """``torch.export.save`` of ``net`` in evaluation mode, batch size free.

    The exporter notes for each node which line of which installed file made it. That is the only part of the archive
    that depends on the machine, so it is left out.
    """
    example = torch.zeros(2, 1, 8, 8)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*isinstance\\(treespec", category=FutureWarning)
        program = torch.export.export(net.eval(), (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))
        for node in program.graph.nodes:
            node.meta.pop("stack_trace", None)
        torch.export.save(program, path)
