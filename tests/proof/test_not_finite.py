"""An answer that is not finite is the quality check's to refuse: it hides nothing else, and blames nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from micronet_verify.evaluation import Evaluation, evaluate
from micronet_verify.stages.bench import Bench
from micronet_verify.stages.predict import Answered
from micronet_verify.stages.prove import _places

ENTRY = Path(__file__).resolve().parents[2] / "sample_submissions" / "broken" / "nan-outputs"


def drawn(found: Evaluation, bench: Bench) -> set[int]:
    assert found.predictions is not None
    assert found.track is not None
    assert found.inputs is not None
    return set(_places(found.track, found.graph, Answered(found.predictions, {}, found.inputs), bench.seed_of(found.id, found.track)))


def test_the_other_examples_are_proved(tmp_path: Path) -> None:
    found = evaluate(ENTRY, "nan-outputs", Bench(tmp_path))
    assert found.predictions is not None
    wrong = set(np.flatnonzero(~np.isfinite(np.load(found.predictions.path)).all(axis=1)).tolist())
    assert len(wrong) == 2
    bench = next(bench for number in range(100) if wrong & drawn(found, bench := Bench(tmp_path, seed=f"{number:032x}")))
    places = drawn(found, bench)
    found = evaluate(ENTRY, "nan-outputs", bench)
    assert found.proof is not None
    assert found.proof.examples == len(places) - len(wrong & places)
    assert found.proof.translated.outcome == "holds"
    assert "quality" in found.faults
