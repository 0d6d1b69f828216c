"""A reference network as real files of both formats, and the count of such a file through the plugin that reads it."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import nn
from torch.onnx import TrainingMode

from micronet_verify.counting.count import Count, count_graph
from micronet_verify.facts.graph import Graph
from micronet_verify.facts.serde import dump_graph, load_graph
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.facts.validate import validate
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.registry import framework_of
from micronet_verify.track.rules import CountingRules
from tests.reference.networks.registry import Reference

OPSET = 17


def save_pt2(model: nn.Module, reference: Reference, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own deprecations
        program = torch.export.export(model, reference.example()).run_decompositions({})
        torch.export.save(program, path)


def save_onnx(model: nn.Module, reference: Reference, path: Path) -> None:
    """As most entrants do: the exporter's defaults, which fold a batch norm into the convolution before it."""
    _save_onnx(model, reference, path, TrainingMode.EVAL)


def save_unfused(model: nn.Module, reference: Reference, path: Path) -> None:
    """The same with every batch norm left as it is."""
    _save_onnx(model, reference, path, TrainingMode.PRESERVE)


def _save_onnx(model: nn.Module, reference: Reference, path: Path, training: TrainingMode) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, reference.example(), str(path), dynamo=False, opset_version=OPSET, training=training)


def translated(path: Path, sidecar: Path) -> Graph:
    """The file's graph as the judge gets it: translated, written, read back and validated."""
    graph = load_graph(dump_graph(framework_of(path.name).counter().translate(path, GraphBuilder(sidecar))))
    validate(graph)
    return graph


def counted(path: Path, graph: Graph, sidecar: Path, rules: CountingRules | None = None) -> Count:
    return count_graph(graph, ConstantStore(path.parent, sidecar), rules or CountingRules())
