from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from micronet_verify.framework.requests import ExportRequest
from micronet_verify.sandbox.jobs import AnyJob, ExportJob, PredictJob, StepJob, TranslateJob, job_from_data, job_to_data
from micronet_verify.sandbox.limits import DEFAULTS, step
from micronet_verify.wording.numbers import GB, size_words

FOLDER = Path("/data/out")
MODEL: dict[str, Any] = {"framework": "onnx", "root": Path("/entry"), "primary": "model.onnx", "out": FOLDER}


@pytest.mark.parametrize(
    "job",
    [
        ExportJob("pytorch", ExportRequest(Path("/entry"), "net.py:build", "w.safetensors", (3, 32, 32), FOLDER)),
        TranslateJob(**MODEL, threads=2),
        PredictJob(**MODEL, inputs=Path("/data/inputs.npy"), batch_size=1, threads=2),
        StepJob(
            **MODEL,
            text=Path("/data/text.npy"),
            tokens=100,
            words=20,
            tolerance=1e-4,
            seed="5eed",
            initial=(("h", Path("/0.npy")),),
            chunk="c.onnx",
        ),
    ],
    ids=lambda job: str(job.stage),
)
def test_jobs_cross_as_json(job: AnyJob) -> None:
    assert job_from_data(json.loads(json.dumps(job_to_data(job)))) == job


def test_paths_cross_as_absolute_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert job_to_data(TranslateJob("onnx", Path("entry"), "model.onnx", Path("out")))["out"] == str(tmp_path / "out")


def test_an_unknown_stage_is_refused() -> None:
    with pytest.raises(KeyError, match="the kind 'train'"):
        job_from_data({"kind": "train", "out": "/x", "root": "/x"})


def test_sizes_in_words() -> None:
    words = [size_words(size) for size in (999, 1000, 300 * 10**6, 1_500_000_000, 8 * GB)]
    assert words == ["999 bytes", "1 kB", "300 MB", "1.5 GB", "8 GB"]


def test_every_stage_has_limits_and_a_name() -> None:
    assert [step(stage) for stage in DEFAULTS] == ["an export step", "a translate step", "a predict step", "a prove step"]
