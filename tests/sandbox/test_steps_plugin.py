"""A plugin that the judge finds and a worker does not is the operator's to mend, and no entry's fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from micronet_verify.errors import BenchFault
from micronet_verify.sandbox.jobs import TranslateJob
from micronet_verify.sandbox.run_job import run_step


def test_a_worker_without_the_plugin_blames_the_installation(tmp_path: Path) -> None:
    job = TranslateJob(framework="nowhere-installed", root=tmp_path, primary="model.x", out=tmp_path / "out", threads=1)
    with pytest.raises(BenchFault) as caught:
        run_step(job, lambda: None)
    assert str(caught.value) == (
        "got a worker without the plugin of the framework 'nowhere-installed' but should find it as the judge does "
        "[stage translate] (install the plugin: workers ignore PYTHONPATH)"
    )
