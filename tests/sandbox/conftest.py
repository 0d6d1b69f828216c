from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from micronet_verify.framework.requests import ExportRequest
from micronet_verify.sandbox.jobs import ExportJob, PredictJob, TranslateJob
from micronet_verify.sandbox.launcher import ProcessLauncher
from micronet_verify.sandbox.limits import Limits
from micronet_verify.wording.numbers import MB

ROOT = Path(__file__).parents[2]
LIMITS = Limits(seconds=60, memory_bytes=500 * MB, output_bytes=50 * MB, text_bytes=MB)


@pytest.fixture(scope="session")
def plugin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like site-packages with the fake framework installed in it."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(Path(__file__).parent / "fake_framework.py", folder / "micronet_fake.py")
    info = folder / "micronet_fake-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: micronet-fake\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[micronet_verify]\nfake = micronet_fake\nincomplete = micronet_fake:Incomplete\n")
    return folder


@pytest.fixture(scope="session")
def launcher(plugin_folder: Path) -> ProcessLauncher:
    return ProcessLauncher([plugin_folder, ROOT])


@pytest.fixture
def export_job(tmp_path: Path) -> Callable[[str], ExportJob]:
    """An export of an entry whose ``model.py`` holds the given source."""

    def make(source: str) -> ExportJob:
        entry = tmp_path / "entry"
        entry.mkdir()
        (entry / "model.py").write_text(source)
        return ExportJob("fake", ExportRequest(entry, "model.py:model", "", (1, 2, 2), tmp_path / "out"))

    return make


@pytest.fixture
def predict_job(tmp_path: Path) -> Callable[..., PredictJob]:
    """A prediction by a model of the given behaviour; inputs [5, 1, 2, 2] count upwards from 0."""

    def make(behaviour: str, examples: int = 5) -> PredictJob:
        np.save(tmp_path / "inputs.npy", np.arange(examples * 4, dtype=np.float32).reshape(examples, 1, 2, 2))
        return PredictJob(
            framework="fake",
            root=_artifact(tmp_path, behaviour),
            primary="model.fake",
            inputs=tmp_path / "inputs.npy",
            out=tmp_path / "out",
            batch_size=2,
        )

    return make


@pytest.fixture
def translate_job(tmp_path: Path) -> Callable[[str], TranslateJob]:
    def make(behaviour: str) -> TranslateJob:
        return TranslateJob("fake", _artifact(tmp_path, behaviour), "model.fake", tmp_path / "out")

    return make


def _artifact(folder: Path, behaviour: str) -> Path:
    (folder / "artifact").mkdir()
    (folder / "artifact" / "model.fake").write_text(json.dumps({"behaviour": behaviour}))
    return folder / "artifact"
