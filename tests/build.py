"""Small graphs for the core's tests, built without any framework, and their counts."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.counting.count import Count, count_graph
from micronet_verify.counting.ledger import Ledger, Regime
from micronet_verify.facts.graph import Graph, Value
from micronet_verify.facts.serde import dump_graph, load_graph
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.facts.validate import validate
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.track.rules import CountingRules


@dataclass
class Net:
    """A builder with a folder for its constants, and shorthands for what most tests need."""

    folder: Path
    b: GraphBuilder

    @classmethod
    def new(cls) -> Net:
        folder = Path(tempfile.mkdtemp(prefix="micronet-test-"))
        net = cls(folder, GraphBuilder(folder))
        weakref.finalize(net, shutil.rmtree, folder, ignore_errors=True)
        return net

    def input(self, *shape: int) -> Value:
        return self.b.input(shape, label="x")

    def constant(self, array: Any, label: str = "w", dtype: Any = np.float32) -> Value:
        return self.b.constant(np.asarray(array, dtype=dtype), label)

    def conv(self, x: Value, weight: Value, bias: Value | None = None, stride: int = 1, pad: int = 0, groups: int = 1) -> Value:
        rank = len(weight.shape) - 2
        operands = (x, weight) if bias is None else (x, weight, bias)
        return self.b.emit("conv", *operands, stride=(stride,) * rank, padding=(pad,) * (2 * rank), dilation=(1,) * rank, groups=groups)

    def batch_norm(self, x: Value, channels: int, seed: int = 0) -> Value:
        mean, variance, scale, shift = (self.constant(dense((channels,), seed + i) ** 2 + 0.1, f"bn.{i}") for i in range(4))
        return self.b.emit("normalise", x, mean, variance, scale, shift, op="batch_norm", eps=1e-5)

    def finish(self, *outputs: Value) -> Graph:
        graph = load_graph(dump_graph(self.b.finish(outputs)))
        validate(graph)
        return graph

    def count(self, *outputs: Value, rules: CountingRules | None = None, shares: dict[str, Fraction] | None = None) -> Count:
        return count_graph(self.finish(*outputs), ConstantStore(self.folder, self.folder), rules or CountingRules(), shares)

    def ledger(self, *outputs: Value, regime: Regime = "freebie", rules: CountingRules | None = None) -> Ledger:
        return self.count(*outputs, rules=rules).ledgers[regime]


def dense(shape: Sequence[int], seed: int = 0) -> NDArray[np.float32]:
    """Random weights without a zero, on no grid."""
    values = np.random.default_rng(seed).normal(size=tuple(shape)).astype(np.float32)
    values[values == 0] = 0.5
    return values


def operations(ledger: Ledger, operation: str) -> int:
    """Operations of one class before any price."""
    return int(ledger.quantity("operations", operation))
