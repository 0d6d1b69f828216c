"""``--dump-graph``: the graph behind each pass, as files to read and to compare.

``00-translated.txt`` is the graph of the plugin; behind it comes a numbered file for each pass that ran, and beside it the graph's JSON
where the pass changed it. Lines with a ``+`` are new, those with a ``-`` are gone. The same model gives the same files.
"""

from __future__ import annotations

from pathlib import Path

from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.analysis.rewrites.rewritten import with_values
from micronet_verify.errors import BenchFault, Problem
from micronet_verify.facts.graph import Graph
from micronet_verify.facts.serde import dump_graph
from micronet_verify.reports.graph_text import ends, node_lines
from micronet_verify.reports.texts import one_line
from micronet_verify.wording.numbers import many


class GraphDump:
    """Writes into ``folder``, which is made; to be told of each pass. Raises ``BenchFault`` where nothing can be written."""

    def __init__(self, folder: Path, translated: Graph) -> None:
        self._folder, self._files = folder, 0
        self._before: dict[str, list[str]] = {"": list(node_lines(translated, {}))}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(folder, error) from None
        self._write("translated", "", translated, [f"  {line}" for line in self._before[""]])

    def __call__(self, name: str, graph: EditableGraph) -> None:
        """A pass called ``name`` has left ``graph``."""
        now = graph.graph
        lines = list(node_lines(now, graph.constants))
        before = self._before.get(graph.title, [])
        if lines == before:
            self._write(name, graph.title, None, [])
            return
        old, new = set(before), set(lines)
        marked = [f"{' ' if line in old else '+'} {line}" for line in lines]
        gone = [f"- {line}" for line in before if line not in new]
        self._write(name, graph.title, with_values(now, graph.constants), [*marked, *gone])
        self._before[graph.title] = lines

    def _write(self, name: str, title: str, graph: Graph | None, lines: list[str]) -> None:
        stem, head = f"{self._files:02d}-{name}", one_line(f"{name}{f', {title}' if title else ''}")
        self._files += 1
        text = [f"{head}: unchanged"] if graph is None else [f"{head}: {many(len(graph.nodes), 'node')}", *ends(graph), "", *lines]
        try:
            (self._folder / f"{stem}.txt").write_text("".join(f"{line}\n" for line in text), encoding="utf-8")
            if graph is not None:
                (self._folder / f"{stem}.json").write_text(dump_graph(graph), encoding="utf-8")
        except OSError as error:
            raise _unwritable(self._folder, error) from None


def _unwritable(folder: Path, error: OSError) -> BenchFault:
    return BenchFault(Problem(f"{str(folder)!r}, which cannot be written ({error.strerror})", "be a folder that can be", "--dump-graph"))
