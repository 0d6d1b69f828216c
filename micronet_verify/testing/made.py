"""What a plugin makes of the programs: artifacts, graphs, and answers of its loader and of its graph, each made once.

All tests of a program read the same artifact, the same graph and the same answers: frameworks are slow to start.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from micronet_verify.facts.nested import branch_ids
from micronet_verify.framework.protocols import Tracing
from micronet_verify.framework.requests import TraceRequest
from micronet_verify.interpreter.run import constants_of, execute, plan_of
from micronet_verify.testing.cases import EXAMPLES, Case
from micronet_verify.testing.plugin import Plugin, Translated, predict_all, read_all, translate
from micronet_verify.testing.program import Array, Unsupported
from micronet_verify.testing.reference import Answers, answer, examples, read

Found = TypeVar("Found")
# Batches of three and a short one: neighbours in a batch differ, and the last is not full.
BATCH = 3


class Made:
    """Of one plugin, under ``folder``. What was asked for once is kept; a program that the format cannot say is skipped."""

    def __init__(self, plugin: Plugin, folder: Path) -> None:
        self.plugin, self._folder = plugin, folder
        self._known: dict[tuple[str, str], object] = {}

    def artifact(self, case: Case) -> Path:
        """The program in the plugin's format, in a folder of its own; nobody may change it."""
        return self._once("artifact", case, self._written)

    def translated(self, case: Case) -> Translated:
        """The graph as the judge gets it. Raises what the plugin raises."""
        return self._once(
            "graph", case, lambda case: translate(self.plugin, self.artifact(case), self._folder / "graph" / case.program.name)
        )

    def expected(self, case: Case) -> Answers:
        """What numpy answers to the ``EXAMPLES``, in float64."""
        return self._once("expected", case, _expected)

    def predicted(self, case: Case) -> Answers:
        """What the loader answers, and which bodies it says were taken, by the branches' ids; it compares shapes first, if it can."""
        return self._once("loader", case, self._predicted)

    def computed(self, case: Case) -> Answers:
        """What the translated graph computes, example by example, in float32."""
        return self._once("computed", case, lambda case: compute(self.translated(case), case))

    def _predicted(self, case: Case) -> Answers:
        artifact, inputs = self.artifact(case), inputs_of(case)
        if case.program.states:
            return read_all(self.plugin, artifact, case.program, inputs)
        loader = self.plugin.framework.loader()
        if isinstance(loader, Tracing):
            loader.check_shapes(TraceRequest(artifact, inputs[:1]))
        return predict_all(self.plugin, artifact, inputs, BATCH)

    def _written(self, case: Case) -> Path:
        folder = self._folder / "artifact" / case.program.name
        folder.mkdir(parents=True, exist_ok=True)
        try:
            return self.plugin.write(case.program, folder)
        except Unsupported as reason:
            pytest.skip(f"{self.plugin.name} cannot say it: {reason}")

    def _once(self, what: str, case: Case, make: Callable[[Case], Found]) -> Found:
        key = what, case.program.name
        if key not in self._known:
            self._known[key] = make(case)
        return self._known[key]  # type: ignore[return-value]


def inputs_of(case: Case) -> Array:
    """The ``EXAMPLES`` of a case, or the words that its step reads."""
    return examples(case.program, EXAMPLES)


def compute(translated: Translated, case: Case) -> Answers:
    """Runs a program's graph in the interpreter: for each example, or for each word of the text with the states handed on."""
    graph, inputs = translated.graph, inputs_of(case)
    plan, constants = plan_of(graph), constants_of(translated.store)
    states: list[Array] = [np.zeros(graph.values[name].shape, graph.values[name].format.name) for name in graph.inputs[1:]]
    rows, records = [], []
    for at in range(len(inputs)):
        first = inputs[at : at + 1].reshape(graph.values[graph.inputs[0]].shape)
        taken: dict[str, int] = {}
        row, *after = execute(graph, constants, dict(zip(graph.inputs, (first, *states), strict=True)), plan=plan, taken=taken)
        states = after if case.program.states else []
        rows.append(row)
        records.append(taken)
    return Answers(np.concatenate(rows), {name: tuple(record[name] for record in records) for name in branch_ids(graph)})


def _expected(case: Case) -> Answers:
    inputs = inputs_of(case)
    return Answers(read(case.program, inputs), {}) if case.program.states else answer(case.program, inputs)
