"""Three sample entries, judged once: a dense one, a quantized one, and one that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from micronet_verify.checks.judge import judge
from micronet_verify.evaluation import Bench, evaluate

SAMPLES = Path(__file__).resolve().parents[2] / "sample_submissions"
ENTRIES = ("digits/dense-pytorch", "digits/int8-qdq-onnx", "broken/truncated-onnx")


@pytest.fixture(scope="session")
def evaluations(tmp_path_factory):
    """By entry id."""
    work = tmp_path_factory.mktemp("judged")
    return {id: evaluate(SAMPLES / id, id, Bench(work)) for id in ENTRIES}


@pytest.fixture(scope="session")
def judged(evaluations):
    """(evaluation, verdicts) by entry id."""
    return {id: (evaluation, judge(evaluation)) for id, evaluation in evaluations.items()}
