"""Counting a file in one process, as the judge counts it in two: translated, written as JSON, read back, priced."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.scan_clock import ScanClock
from micronet_verify.counting.count import count_graph
from micronet_verify.facts.graph import Graph
from micronet_verify.facts.serde import dump_graph, load_graph
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.facts.validate import validate
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.registry import framework_of
from micronet_verify.track.rules import CountingRules


def counting(path: str, apart: bool = False) -> Callable[[], dict[str, Any]]:
    """Work that counts ``path``. ``apart``: its figures tell graph work and the scanning of values apart."""
    file, rules = Path(path), CountingRules()
    counter = framework_of(file.name).counter()

    def work() -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="micronet-bench-") as folder, ScanClock(on=apart) as clock:
            sidecar = Path(folder)
            graph = load_graph(dump_graph(counter.translate(file, GraphBuilder(sidecar))))
            validate(graph)
            count = count_graph(graph, ConstantStore(file.parent, sidecar), rules)
            ledger = next(iter(count.ledgers.values()))
            return {"scan": clock.seconds, "storage": str(ledger.storage), "operations": str(ledger.operations)}

    return work


def copying(path: str) -> Callable[[], dict[str, Any]]:
    """Work that copies the values of all constants of ``path``, from the mapped file to memory that is there."""
    import numpy as np

    file = Path(path)
    folder = tempfile.TemporaryDirectory(prefix="micronet-bench-")
    graph = framework_of(file.name).counter().translate(file, GraphBuilder(Path(folder.name)))
    store = ConstantStore(file.parent, Path(folder.name))
    sources = [np.asarray(array).reshape(-1).view(np.uint8) for array in _constants(graph, store) if array.flags.c_contiguous]
    target = np.ones(max(source.size for source in sources), np.uint8)

    def work() -> dict[str, Any]:
        for source in sources:
            np.copyto(target[: source.size], source)
        folder.cleanup()
        return {"bytes": sum(source.size for source in sources), "largest": int(target.size)}

    return work


def _constants(graph: Graph, store: ConstantStore) -> list[Any]:
    return [store.open(value.constant, value.shape, value.format) for value in graph.values.values() if value.constant and value.numel]
