"""A wiring cheat: a tensor split into single elements that a tree of additions joins again. 18,000 nodes in under 5 s, and linear."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.figures import Limit, Row, seconds_row
from benchmarks.harness import Task, interleaved
from benchmarks.settings import Settings

NODES = 18_000
SECONDS = Limit("ours", 5.0)
# Twice the nodes take twice as long, and some more on a busy machine; a square would take four times.
LINEAR = Limit("ratio", 3.0)


def rows(settings: Settings) -> Iterator[Row]:
    many = 200 if settings.tiny else NODES
    tasks = {str(nodes): Task("benchmarks.promises.wiring:counting", {"nodes": nodes}) for nodes in (many, many // 2)}
    found = interleaved(tasks, settings.repeats)
    ours, half = found[str(many)], found[str(many // 2)]
    yield seconds_row("wiring", f"{many:,} nodes", ours, limit=SECONDS)
    yield seconds_row("wiring", f"{many:,} nodes, linear", ours, f"{many // 2:,} nodes", half, LINEAR)


def counting(nodes: int) -> Callable[[], None]:
    """Work that validates, analyses and prices the tree."""
    from micronet_verify.counting.count import count_graph
    from micronet_verify.facts.tensors import ConstantStore
    from micronet_verify.facts.validate import validate
    from micronet_verify.framework.builder import GraphBuilder
    from micronet_verify.track.rules import CountingRules

    folder = tempfile.TemporaryDirectory(prefix="micronet-bench-")
    path = Path(folder.name)
    builder = GraphBuilder(path)
    parts = list(builder.emit_many("move", [builder.input((1, nodes))], [None] * nodes, op="split", axis=1, sizes=(1,) * nodes))
    while len(parts) > 1:
        rest = parts[len(parts) // 2 * 2 :]
        parts = [builder.elementwise("add", *parts[at : at + 2]) for at in range(0, len(parts) - 1, 2)] + rest
    graph = builder.finish(parts)

    def work() -> None:
        validate(graph)
        count_graph(graph, ConstantStore(path, path), CountingRules())
        folder.cleanup()

    return work
