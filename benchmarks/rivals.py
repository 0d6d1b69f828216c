"""Counters that a user would use instead. Each starts as well prepared as its interface allows.

The PyTorch ones are given the network in memory, values and all, and an example; ours starts from the file. The ONNX
ones read the file, because that is what their interface takes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from benchmarks import networks
from benchmarks.harness import Task

Work = Callable[[], dict[str, Any]]
# One of them takes minutes for a deep network.
PATIENCE = 60.0


def rivals(name: str, path: str) -> dict[str, Task]:
    """The rivals for a file, by the name that they have in the table; one for the tiny network."""
    if name == "tiny":
        return {"torch flop_counter": Task("benchmarks.rivals:torch_flop_counter", {"name": name})} if path.endswith(".pt2") else {}
    if path.endswith(".pt2"):
        return {
            "torch flop_counter": Task("benchmarks.rivals:torch_flop_counter", {"name": name}, "torch", PATIENCE),
            "fvcore": Task("benchmarks.rivals:fvcore", {"name": name}, "fvcore", PATIENCE),
        }
    return {
        "onnx-tool": Task("benchmarks.rivals:onnx_tool", {"path": path}, "onnx_tool", PATIENCE),
        "qonnx": Task("benchmarks.rivals:qonnx", {"path": path}, "qonnx", PATIENCE),
    }


def torch_flop_counter(name: str) -> Work:
    """``torch.utils.flop_counter``, which runs the network once."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    model, example = networks.model(name), networks.example(name)

    def work() -> dict[str, Any]:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(*example)
        return {"operations": counter.get_total_flops()}

    return work


def fvcore(name: str) -> Work:
    """``fvcore.nn.FlopCountAnalysis``, which traces the network once; it has one operation for a multiply and an add."""
    import torch
    from fvcore.nn import FlopCountAnalysis

    logging.disable(logging.WARNING)
    model, example = networks.model(name), networks.example(name)

    def work() -> dict[str, Any]:
        with torch.no_grad():
            counted = FlopCountAnalysis(model, example)
            return {"operations": int(counted.total())}

    return work


def onnx_tool(path: str) -> Work:
    """``onnx_tool.Model``: shapes inferred, then profiled."""
    import onnx_tool as tool

    def work() -> dict[str, Any]:
        model = tool.Model(path)
        model.graph.shape_infer(None)
        model.graph.profile()
        return {"operations": int(model.graph.macs[0])}

    return work


def qonnx(path: str) -> Work:
    """``qonnx.util.inference_cost``, with the sparsity of the weights, which ours finds too."""
    from qonnx.util.inference_cost import inference_cost

    def work() -> dict[str, Any]:
        cost = inference_cost(path, discount_sparsity=True)
        return {"operations": int(cost["total_cost"]["total_macs"])}

    return work
