"""A PyTorch network as real files of both formats."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.onnx import TrainingMode

OPSET = 17
Example = tuple[Tensor, ...]


def save_pt2(model: nn.Module, example: Example, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own deprecations
        program = torch.export.export(model, example).run_decompositions({})
        torch.export.save(program, path)


def save_onnx(model: nn.Module, example: Example, path: Path) -> None:
    """As most entrants do: the exporter's defaults, which fold a batch norm into the convolution before it."""
    _save_onnx(model, example, path, TrainingMode.EVAL)


def save_unfused(model: nn.Module, example: Example, path: Path) -> None:
    """The same with every batch norm left as it is."""
    _save_onnx(model, example, path, TrainingMode.PRESERVE)


def _save_onnx(model: nn.Module, example: Example, path: Path, training: TrainingMode) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, example, str(path), dynamo=False, opset_version=OPSET, training=training)


SAVE = {"pt2": save_pt2, "onnx": save_onnx}
