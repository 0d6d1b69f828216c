"""The corridor's middle on the plugins and sample entries of this repository: no fake in between."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from micronet_verify.facts.artifact import seal
from micronet_verify.framework.requests import ExportRequest
from micronet_verify.quality.inputs.prepare import prepare
from micronet_verify.quality.labels import labels
from micronet_verify.quality.metrics.accuracy import top1
from micronet_verify.quality.sealed_predictions import open_predictions, seal_predictions
from micronet_verify.sandbox.jobs import ExportJob, PredictJob, TranslateJob
from micronet_verify.sandbox.launcher import ProcessLauncher
from micronet_verify.sandbox.limits import DEFAULTS
from micronet_verify.sandbox.products import read_graph
from micronet_verify.wording.numbers import MB
from tests.sandbox.conftest import ROOT

DIGITS = ROOT / "sample_submissions" / "digits"
SAMPLES = [("pytorch", DIGITS / "dense-pytorch", "model.pt2"), ("onnx", DIGITS / "dense-onnx", "model.onnx")]


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Where a child finds this repository's plugins: nowhere special if they are installed, else beside a made-up record."""
    installed = {point.name for point in importlib.metadata.entry_points(group="micronet_verify")}
    site = tmp_path_factory.mktemp("site")
    found = [ROOT, site]
    for name in {"pytorch", "onnx"} - installed:
        info = site / f"micronet_verify_{name}-0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: micronet-verify-{name}\nVersion: 0\n")
        (info / "entry_points.txt").write_text(f"[micronet_verify]\n{name} = micronet_verify_{name}\n")
        found.append(ROOT / "plugins" / name)
    return found


@pytest.mark.parametrize(("framework", "entry", "file"), SAMPLES, ids=["pytorch", "onnx"])
def test_an_artifact_is_translated_and_judged(paths: list[Path], tmp_path: Path, framework: str, entry: Path, file: str) -> None:
    others = tuple(path.name for path in entry.iterdir() if path.suffix == ".bin")
    launcher, artifact = ProcessLauncher(paths), seal(entry, file, others)
    translated = launcher.run(TranslateJob(framework, entry, file, tmp_path / "graph"), DEFAULTS["translate"])
    graph = read_graph(tmp_path / "graph" / translated.graph)
    assert [graph.values[name].shape for name in graph.outputs] == [(1, 10)]

    inputs = prepare("digits", "test", "divide-by-16", tmp_path / "inputs")
    predicted = launcher.run(
        PredictJob(framework=framework, root=entry, primary=file, inputs=inputs.path, out=tmp_path / "outputs"), DEFAULTS["predict"]
    )
    assert predicted.shape == (500, 10)
    assert predicted.taken == ""
    sealed = seal_predictions(tmp_path / "outputs" / predicted.outputs, artifact.sha256, inputs.examples, 64)
    quality = top1(open_predictions(sealed, artifact.sha256, 64 * MB), labels("digits", "test"), 10, target=475)
    assert quality.met, quality.margin
    assert quality.ties == 0


def test_source_and_weights_become_an_artifact_that_is_judged(paths: list[Path], tmp_path: Path) -> None:
    launcher, out = ProcessLauncher(paths), tmp_path / "artifact"
    request = ExportRequest(DIGITS / "pruned-source-pytorch", "model.py:build", "model.safetensors", (1, 8, 8), out)
    exported = launcher.run(ExportJob("pytorch", request))
    assert exported.file.endswith(".pt2")
    launcher.run(TranslateJob("pytorch", out, exported.file, tmp_path / "graph"))
    read_graph(tmp_path / "graph" / "graph.json")
    inputs = prepare("digits", "test", "divide-by-16", tmp_path / "inputs")
    launcher.run(PredictJob(framework="pytorch", root=out, primary=exported.file, inputs=inputs.path, out=tmp_path / "outputs"))
    quality = top1(np.load(tmp_path / "outputs" / "outputs.npy"), labels("digits", "test"), 10, target=475)
    assert quality.met, quality.margin


@pytest.mark.parametrize(("framework", "entry", "file"), SAMPLES, ids=["pytorch", "onnx"])
def test_batch_size_does_not_change_answers(paths: list[Path], tmp_path: Path, framework: str, entry: Path, file: str) -> None:
    inputs = prepare("digits", "test", "divide-by-16", tmp_path / "inputs")
    found = []
    for batch_size in (500, 64):
        out = tmp_path / f"outputs{batch_size}"
        ProcessLauncher(paths).run(
            PredictJob(framework=framework, root=entry, primary=file, inputs=inputs.path, out=out, batch_size=batch_size)
        )
        found.append(np.load(out / "outputs.npy"))
    assert np.allclose(found[0], found[1], rtol=1e-4, atol=1e-4)
    assert np.array_equal(found[0].argmax(1), found[1].argmax(1))


@pytest.mark.parametrize(("framework", "entry", "file"), SAMPLES, ids=["pytorch", "onnx"])
def test_translating_imports_no_framework(paths: list[Path], tmp_path: Path, framework: str, entry: Path, file: str) -> None:
    code = (
        "import pathlib, sys; from micronet_verify.sandbox import worker; from micronet_verify.sandbox.jobs import TranslateJob; "
        f"job = TranslateJob({framework!r}, pathlib.Path({str(entry)!r}), {file!r}, pathlib.Path({str(tmp_path)!r})); "
        "worker.run_step(job, lambda: None); "
        "print([name for name in ('torch', 'onnxruntime', 'tensorflow') if name in sys.modules])"
    )
    environment = {"PYTHONPATH": ":".join(map(str, paths))}
    done = subprocess.run([sys.executable, "-P", "-s", "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr
