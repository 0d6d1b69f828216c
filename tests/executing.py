"""Runs a graph before and after the passes of the analysis: every pass keeps what the graph computes (to the rounding of new constants)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.analysis.rewrites.fold_constants import stored_constants
from micronet_verify.analysis.rewrites.passes import NAMING, norm_passes, run
from micronet_verify.analysis.rewrites.remove_redundant import remove_redundant
from micronet_verify.analysis.rewrites.rewritten import with_values
from micronet_verify.analysis.tensors.constants import Constant, computed
from micronet_verify.analysis.tensors.measurements import Measurements
from micronet_verify.analysis.uses import prune
from micronet_verify.counting import count
from micronet_verify.counting.analysed import Analysed, analyse
from micronet_verify.counting.forms.cheapest import CheapestForms
from micronet_verify.facts.formats import numpy_dtype
from micronet_verify.facts.graph import Graph, Value
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.interpreter.run import Missing, constants_of, execute
from micronet_verify.track.rules import CountingRules

Array = NDArray[Any]
_LARGE = 1 << 20
# Passes write new constants in fp32; what they are computed from may cancel a few bits.
CLOSE = 1e-5


def stages(graph: Graph, store: ConstantStore) -> Iterator[tuple[str, Graph, dict[str, Constant]]]:
    """The graph after each pass that changed it, with its constants; bodies stay as they are."""
    graph = prune(graph)[0]
    yield "prune", graph, {}
    found: list[tuple[str, Graph, dict[str, Constant]]] = []
    editable, before = EditableGraph(graph, stored_constants(graph, store), CheapestForms()), [0]

    def keep(name: str, after: EditableGraph) -> None:
        if name == "remove_redundant":  # comes twice, and is left out where nothing has changed since: so it must be done at once
            again = after.with_nodes(after.nodes, after.values)
            remove_redundant(again)
            assert again.version == 0
        if after.version != before[0]:
            found.append((name, after.graph, dict(after.constants)))
            before[0] = after.version

    run(editable, NAMING, keep)
    run(editable, norm_passes(True, frozenset(), {}, Measurements(), []), keep)
    yield from found


def some_inputs(graph: Graph, seed: int = 0) -> dict[str, Array]:
    """Numbers for every input: floats of a normal distribution, integers and truth values from 0 and 1 (which lie in every table)."""
    random = np.random.default_rng(seed)
    found: dict[str, Array] = {}
    for name in graph.inputs:
        value = graph.values[name]
        numbers = random.normal(size=value.shape) if value.format.family == "float" else random.integers(0, 2, value.shape)
        found[name] = numbers.astype(numpy_dtype(value.format))
    return found


def answers(graph: Graph, store: ConstantStore, pool: Mapping[str, Constant], inputs: Mapping[str, Array]) -> tuple[Array, ...]:
    """What a graph computes in double precision, with the constants of ``pool`` and, where it has none, of the file."""
    stored = constants_of(store)

    def opened(value: Value) -> Array:
        return computed(pool[value.id], value.format) if value.id in pool else stored(value)

    return execute(with_values(graph, pool), opened, inputs, precision="float64")


def differences(one: tuple[Array, ...], other: tuple[Array, ...]) -> float:
    """The largest difference, relative to the largest number; NaN and infinities must be where they were."""
    worst = 0.0
    for a, b in zip(one, other, strict=True):
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        if a.shape != b.shape or (np.isnan(a) != np.isnan(b)).any():
            return np.inf
        finite = np.isfinite(a) & np.isfinite(b)
        if (a[~finite & ~np.isnan(a)] != b[~finite & ~np.isnan(a)]).any():
            return np.inf
        if finite.any():
            worst = max(worst, float(np.abs(a[finite] - b[finite]).max() / max(np.abs(a[finite]).max(), 1e-3)))
    return worst


def changed_by(graph: Graph, store: ConstantStore, seed: int = 0) -> list[str]:
    """What changes the graph's answers: names of passes, and of readings of the whole analysis."""
    inputs = some_inputs(graph, seed)
    before = answers(graph, store, {}, inputs)
    found = []
    for name, after, pool in stages(graph, store):
        if (far := differences(before, answers(after, store, pool, inputs))) > CLOSE:
            found.append(f"{name}: {far:.3g}")
            break
    analysed = analyse(graph, store)
    return found + [f"{what}: {far:.3g}" for what, far in read_whole(analysed, store, before, inputs) if far > CLOSE]


def read_whole(
    analysed: Analysed, store: ConstantStore, before: tuple[Array, ...], inputs: Mapping[str, Array]
) -> Iterator[tuple[str, float]]:
    for rules in (CountingRules(), CountingRules(batch_norm="charged")):
        for regime in ("freebie", "quantized"):
            found = analysed.rewritten(rules, regime)  # type: ignore[arg-type]
            yield f"{rules.batch_norm}, {regime}", differences(before, answers(found.graph, store, found.constants, inputs))


def watch_counts(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """The first ``most`` graphs that a test counts must compute the same before and after every pass."""
    left, plain = [most], count.analyse

    def watched(graph: Graph, store: ConstantStore, *others: Any) -> Analysed:
        left[0] -= 1
        if left[0] >= 0 and sum(value.numel for value in graph.values.values()) < _LARGE:
            with contextlib.suppress(Missing):  # what the interpreter does not have has tests of its own
                assert changed_by(graph, store) == []
        return plain(graph, store, *others)

    monkeypatch.setattr(count, "analyse", watched)
