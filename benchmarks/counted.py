"""Counting a file in one process, as the judge counts it in two: translated, written as JSON, read back, priced."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.scan_clock import ScanClock
from micronet_verify.counting.count import count_graph
from micronet_verify.facts.formats import numpy_dtype
from micronet_verify.facts.graph import Graph
from micronet_verify.facts.serde import dump_graph, load_graph
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.facts.validate import validate
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.registry import framework_of
from micronet_verify.framework.requests import TranslateRequest
from micronet_verify.track.rules import CountingRules

ROUNDS = 15


def counting(path: str, apart: bool = False) -> Callable[[], dict[str, Any]]:
    """Work that counts ``path``. ``apart``: its figures tell graph work and the scanning of values apart."""
    file, rules = Path(path), CountingRules()
    counter = framework_of(file.name).counter()

    def work() -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="micronet-bench-") as folder, ScanClock(on=apart) as clock:
            sidecar = Path(folder)
            graph = load_graph(dump_graph(counter.translate(TranslateRequest(file), GraphBuilder(sidecar))))
            validate(graph)
            count = count_graph(graph, ConstantStore(file.parent, sidecar), rules)
            ledger = next(iter(count.ledgers.values()))
            return {"scan": clock.seconds, "largest": largest(graph), "storage": str(ledger.storage), "operations": str(ledger.operations)}

    return work


def scanning(path: str) -> Callable[[], dict[str, Any]]:
    """Work that scans the values of ``path`` as a count does and copies the bytes of the same tensors, in turn.

    Both read a file that is mapped and in memory already; ``scan`` and ``copy`` are the shortest processor times. ``bytes`` in
    ``tensors`` are read by either.
    """
    import numpy as np

    from micronet_verify.analysis.tensors.scan import flattened

    file, rules = Path(path), CountingRules()
    folder = tempfile.TemporaryDirectory(prefix="micronet-bench-")
    graph = framework_of(file.name).counter().translate(TranslateRequest(file), GraphBuilder(Path(folder.name)))
    store = ConstantStore(file.parent, Path(folder.name))

    def scan() -> ScanClock:
        with ScanClock() as clock:
            count_graph(graph, store, rules)
        return clock

    found = [flattened(np.asarray(constant.load())) for constant in scan().tensors.values()]
    # Bytes that are asked about twice, with a batch norm folded into them and without, are copied once.
    sources = list({(source.ctypes.data, source.nbytes): source for source in found}.values())
    targets = [np.ones_like(source) for source in sources]

    def copy() -> float:
        start = time.thread_time()
        for target, source in zip(targets, sources, strict=True):
            np.copyto(target, source)
        return time.thread_time() - start

    def work() -> dict[str, Any]:
        scans, copies = [], []
        for _ in range(ROUNDS):
            scans.append(scan().seconds)
            copies.append(copy())
        folder.cleanup()
        return {"scan": min(scans), "copy": min(copies), "bytes": sum(source.nbytes for source in sources), "tensors": len(sources)}

    return work


def largest(graph: Graph) -> int:
    """Bytes of the largest constant of a graph."""
    return max((value.numel * numpy_dtype(value.format).itemsize for value in graph.values.values() if value.constant), default=0)
