"""Real files counted as the judge counts them, and what a price comes to by hand.

A file is written by torch.export or as ONNX protobuf, translated by its plugin, carried through JSON, validated, counted.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from micronet_verify_onnx.counter import OnnxCounter
from micronet_verify_pytorch.counter import PyTorchCounter
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from micronet_verify.counting.count import Count
from micronet_verify.framework.protocols import Counter
from micronet_verify.track.rules import CountingRules
from tests.plugins.pytorch.support import Function, archive
from tests.translated import translated

Array = NDArray[Any]
# {regime: (32-bit words of storage, 32-bit operations)}
Prices = Mapping[str, tuple[Fraction, Fraction]]


@dataclass(frozen=True, slots=True)
class Plain:
    """What a network of plain fp32 costs: operations of both classes, stored values that lie on no grid, and its scalars.

    ``scalars`` are the widths in the quantized regime of its different numbers: 8 of a power of two, 16 where fp16 holds
    it, else 32. Under the freebie values and scalars take 16 bits, multiplies 16, adds 32.
    """

    multiplies: int
    adds: int
    values: int = 0
    scalars: tuple[int, ...] = ()

    @property
    def prices(self) -> Prices:
        return {
            "freebie": (Fraction(16 * (self.values + len(self.scalars)), 32), Fraction(16 * self.multiplies + 32 * self.adds, 32)),
            "quantized": (Fraction(32 * self.values + sum(self.scalars), 32), Fraction(self.multiplies + self.adds)),
        }


def prices(count: Count) -> Prices:
    """Both totals in each regime that the entry may be priced in."""
    return {regime: (ledger.storage, ledger.operations) for regime, ledger in count.ledgers.items()}


def quantized(storage_bits: int, operation_bits: int) -> Prices:
    """The prices of an entry that computes with quantized values, from sums of bits."""
    return {"quantized": (Fraction(storage_bits, 32), Fraction(operation_bits, 32))}


def counted(path: Path, counter: Counter, rules: CountingRules | None = None) -> Count:
    """The count of one file. Raises ``SubmissionFault``."""
    with tempfile.TemporaryDirectory(prefix="micronet-count-") as folder:
        return translated(counter, path, Path(folder)).count(rules)


def pytorch(
    model: nn.Module | Callable[..., object],
    x: Sequence[int] | Tensor,
    *parts: Any,
    fixed: bool = False,
    rules: CountingRules | None = None,
) -> Count:
    """A module, or a function of x and ``parts`` (tensors become parameters), exported and counted.

    ``x`` is the shape of one example, or a batch. ``fixed``: batch 1 (an operator of torch does not export otherwise).
    """
    module = model if isinstance(model, nn.Module) else Function(model, *(_parameter(part) for part in parts))
    example = x if isinstance(x, Tensor) else torch.zeros((1 if fixed else 2, *x))
    with tempfile.TemporaryDirectory(prefix="micronet-pt2-") as folder:
        return counted(archive(module, example, Path(folder), dynamic=not fixed), PyTorchCounter(), rules)


def _parameter(part: Any) -> Any:
    return nn.Parameter(torch.as_tensor(part).clone()) if isinstance(part, np.ndarray | Tensor) else part


def onnx_model(
    nodes: Sequence[onnx.NodeProto],
    x: Sequence[int],
    constants: Mapping[str, Any] | None = None,
    *,
    opset: int = 17,
    functions: Sequence[onnx.FunctionProto] = (),
    tensors: Sequence[onnx.TensorProto] = (),
    sparse: Sequence[onnx.SparseTensorProto] = (),
    kind: int = TensorProto.FLOAT,
) -> onnx.ModelProto:
    """A model of one input x of free batch and one output y; ``x`` is the shape of one example."""
    stored = [numpy_helper.from_array(np.asarray(array), name) for name, array in (constants or {}).items()]
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", kind, ["batch", *x])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [*stored, *tensors],
        sparse_initializer=list(sparse),
    )
    domains = sorted({each.domain for each in [*nodes, *functions]} - {""})
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=opsets, functions=list(functions), ir_version=10 if opset > 20 else 8)


def onnx_count(model: onnx.ModelProto, rules: CountingRules | None = None) -> Count:
    """The model, saved and counted."""
    with tempfile.TemporaryDirectory(prefix="micronet-onnx-") as folder:
        path = Path(folder, "model.onnx")
        path.write_bytes(model.SerializeToString())
        return counted(path, OnnxCounter(), rules)


def random(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    """Weights on no grid, without a zero and without a number that fp16 holds."""
    values = np.random.default_rng(seed).uniform(0.1, 0.9, shape).astype(np.float32) + np.float32(1e-6)
    signs = np.random.default_rng(seed + 1).choice(np.array([-1, 1], np.float32), shape)
    return np.asarray(values * signs, np.float32)
