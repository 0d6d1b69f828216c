"""Runs a graph before and after the passes of the analysis: every pass keeps what the graph computes (to the rounding of new constants)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from micronet_verify.analysis.rewrites.fold_batch_norm_back import fold_batch_norms
from micronet_verify.analysis.rewrites.fold_batch_norm_forward import fold_batch_norms_forward
from micronet_verify.analysis.rewrites.fold_constants import Pool, fold
from micronet_verify.analysis.rewrites.join_addends import join_addends
from micronet_verify.analysis.rewrites.matmul_from_sum import matmul_from_sum
from micronet_verify.analysis.rewrites.norms import name_norms
from micronet_verify.analysis.rewrites.passes import with_values
from micronet_verify.analysis.rewrites.recognize_batch_norms import recognize_batch_norms
from micronet_verify.analysis.rewrites.recognize_functions import recognize_functions
from micronet_verify.analysis.rewrites.recognize_masks import recognize_masks
from micronet_verify.analysis.rewrites.recognize_selections import recognize_selections
from micronet_verify.analysis.rewrites.recognize_softmaxes import recognize_softmaxes
from micronet_verify.analysis.rewrites.recognize_standardised import recognize_standardised
from micronet_verify.analysis.rewrites.recognize_variances import recognize_variances
from micronet_verify.analysis.rewrites.remove_redundant import remove_redundant
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


def stages(graph: Graph, store: ConstantStore) -> Iterator[tuple[str, Graph, Pool]]:
    """The graph after each pass, with its constants; bodies stay as they are."""
    pool: Pool = {}
    graph = prune(graph)[0]
    yield "prune", graph, pool
    graph = prune(fold(graph, store, pool))[0]
    yield "fold", graph, pool
    for name, take in (
        ("recognize_functions", lambda graph: recognize_functions(graph, pool)),
        ("recognize_standardised", lambda graph: recognize_standardised(graph, pool)),
        ("recognize_variances", recognize_variances),
        ("recognize_softmaxes", recognize_softmaxes),
        ("matmul_from_sum", matmul_from_sum),
        ("recognize_selections", lambda graph: recognize_selections(graph, pool)),
        ("recognize_masks", lambda graph: recognize_masks(graph, pool)),
        ("join_addends", lambda graph: join_addends(graph, pool, CheapestForms())),
        ("remove_redundant", lambda graph: remove_redundant(graph, pool)),
        ("recognize_batch_norms", lambda graph: recognize_batch_norms(graph, pool)),
        ("name_norms", lambda graph: name_norms(graph, dict(pool))),
        ("fold_batch_norms", lambda graph: fold_batch_norms(graph, pool)[0]),
        ("fold_batch_norms_forward", lambda graph: fold_batch_norms_forward(graph, pool, Measurements(), CheapestForms())[0]),
    ):
        after = take(graph)
        if name == "name_norms":
            own = dict(pool)
            yield name, name_norms(graph, own), own
        else:
            graph = after
            yield name, graph, pool


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
            with contextlib.suppress(Missing):  # what the interpreter lacks has tests of its own
                assert changed_by(graph, store) == []
        return plain(graph, store, *others)

    monkeypatch.setattr(count, "analyse", watched)
