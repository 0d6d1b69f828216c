"""An entry from its manifest to its score: a SavedModel with its variables as external data, and a ``.keras`` file."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest

from micronet_verify.evaluation import Bench, Evaluation, evaluate
from tests.plugins.tensorflow.support import Builder

MANIFEST = """\
schema: 1
title: A digits network
team: Test
members: [{{id: t-1, name: Tester}}]
track: digits
framework: tensorflow
model: {model}
{external}submitted: "2026-01-05T12:00:00Z"
"""
EXTERNAL = "external_data: [variables/variables.index, variables/variables.data-00000-of-00001]\n"


def network(keras: Any) -> Any:
    """The track feeds [1, 8, 8]; giving the axes another order is free."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    stack = [layers.Permute((2, 3, 1)), layers.Conv2D(8, 3, activation="relu"), layers.Flatten(), layers.Dense(10)]
    return keras.Sequential([keras.Input((1, 8, 8)), *stack])


def judged(entry: Path, model: str, external: str = "") -> Evaluation:
    (entry / "submission.yaml").write_text(MANIFEST.format(model=model, external=external))
    found = evaluate(entry, "entry", Bench(entry.parent / "work"))
    assert not found.faults, found.faults
    return found


@pytest.fixture(scope="module")
def pair(build: Builder, keras: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Evaluation, Evaluation]:
    model, folder = network(keras), tmp_path_factory.mktemp("judged")
    saved = folder / "first" / "entry"
    shutil.copytree(build.exported(model).parent, saved)
    zipped = folder / "second" / "entry"
    zipped.mkdir(parents=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(zipped / "model.keras")
    return judged(saved, "saved_model.pb", EXTERNAL), judged(zipped, "model.keras")


def test_both_cost_what_arithmetic_says(pair: tuple[Evaluation, Evaluation]) -> None:
    values = 3 * 3 * 8 + 8 + 6 * 6 * 8 * 10 + 10
    multiplies = 6 * 6 * 8 * 9 + 6 * 6 * 8 + 6 * 6 * 8 * 10
    for evaluation in pair:
        assert evaluation.count is not None
        ledger = evaluation.count.ledgers["freebie"]
        assert ledger.quantity("operations", "multiply") == multiplies
        stored = [line for line in ledger.lines if line.axis == "storage" and line.amount]
        # The biases of a fresh layer are zeros, which are stored as a mask.
        assert sum(line.quantity for line in stored if line.bits == 16) == values - 8 - 10


def test_both_have_one_score_and_one_quality(pair: tuple[Evaluation, Evaluation]) -> None:
    first, second = pair
    assert first.score is not None
    assert first.score == second.score
    assert first.quality is not None
    assert first.quality == second.quality


def test_the_digest_covers_the_variables(pair: tuple[Evaluation, Evaluation]) -> None:
    artifact = pair[0].artifact
    assert artifact is not None
    assert [file.path for file in artifact.files] == [
        "saved_model.pb",
        "variables/variables.data-00000-of-00001",
        "variables/variables.index",
    ]
