"""The page of data sets says what the code does: its plugin works, and every hook, step, metric and form is named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from micronet_verify.framework import hookspecs, offers
from micronet_verify.framework.installed import Installed, Plugin, forget, load
from micronet_verify.framework.origin import Origin
from micronet_verify.framework.registry import frameworks
from micronet_verify.framework.requests import MeasureRequest
from micronet_verify.quality import registry
from micronet_verify.quality.datasets.cifar100 import BINARY, PYTHON
from micronet_verify.quality.datasets.folders import VARIABLE, ConfigSpec
from micronet_verify.quality.datasets.imagenet import FOLDERS, TAR
from micronet_verify.quality.datasets.imagenet_labels import DEVKIT, TRUTH
from micronet_verify.quality.datasets.wikitext103 import ZIP
from micronet_verify.quality.guarded import measured
from micronet_verify.quality.images import FLOAT_LIMIT
from micronet_verify.quality.inputs.prepare import EDITION, prepare
from micronet_verify.quality.labels import labels
from micronet_verify.quality.metrics.thresholds import level
from micronet_verify.track.library import load_track

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")


def test_everything_is_named() -> None:
    hooks = [name for name in vars(hookspecs) if name.startswith("micronet_")]
    assert len(hooks) == 5
    wanted = [*hooks, *registry.METRICS, VARIABLE, *ConfigSpec.model_fields, PYTHON, BINARY, *FOLDERS, TAR, DEVKIT, TRUTH, ZIP]
    wanted += ["resize", "interpolation", "crop", "scale", "mean", "deviation", "layout", "digits", "cifar100", "imagenet", "wikitext103"]
    assert [name for name in wanted if name not in PAGE] == []
    assert f"edition {EDITION}:" in PAGE
    assert FLOAT_LIMIT == 1 << 30
    assert "at most 1 GiB as float32" in PAGE


def test_numbers_of_the_tracks() -> None:
    text = load_track("wikitext103").dataset
    told = {known.name: known.examples for known in text.files}
    for number in (text.examples, text.classes, told["wiki.valid.tokens"]):
        assert f"{number:,}" in PAGE


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The page's plugin, registered."""
    found = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert found
    module = ModuleType("example")
    exec(found[1], vars(module))
    plugin = load(Origin("example", "1.0", "example"), lambda: module)
    assert isinstance(plugin, Plugin)
    monkeypatch.setattr(offers, "installed", lambda: Installed((plugin,), ()))
    forget()
    yield
    monkeypatch.undo()
    forget()
    assert frameworks()


def test_the_example_of_a_plugin_is_one(example: None, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)
    np.save(tmp_path / "squares.npy", images)
    np.save(tmp_path / "classes.npy", np.arange(5))
    (unit, _) = load_track("cifar100").dataset.steps
    prepared = prepare("squares", "test", unit, tmp_path / "kept", root=tmp_path)
    assert np.array_equal(np.load(prepared.path), images.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255))
    classes = labels("squares", "test", root=tmp_path)
    share = measured("share", MeasureRequest(np.eye(5)[[0, 1, 2, 3, 0]], classes, 5, np.ones(5, np.bool_)))
    assert level("share", share, 5, Fraction(0), Fraction("0.8")).met
