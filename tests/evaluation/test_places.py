"""A fault of a key of the manifest names its line, also where it is found later than the manifest is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from micronet_verify.bench import Bench
from micronet_verify.evaluation import evaluate

MANIFEST = """\
schema: 1
title: A network as code
team: The Analysts
members: [{id: ada, name: Ada Lovelace}]
track: digits
framework: pytorch
source:
  entry_point: model.py:build
  weights: weights.safetensors
submitted: "2019-09-30T17:45:00Z"
"""
CODE = "import torch\n\n\ndef make():\n    return torch.nn.Flatten()\n"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "framework: pytorch",
            "framework: pytorhc",
            "got the framework 'pytorhc' but should be an installed one [submission.yaml:6] (did you mean 'pytorch'?)",
        ),
        ("model.py:build", "model.py:built", "got no callable 'built' in model.py but should be there [submission.yaml:8]"),
        (
            "model.py:build",
            "model.py:mak",
            "got no callable 'mak' in model.py but should be there [submission.yaml:8] (did you mean 'make'?)",
        ),
    ],
)
def test_the_line_of_the_manifest_is_named(old: str, new: str, sentence: str, tmp_path: Path) -> None:
    entry = tmp_path / "entry"
    entry.mkdir()
    (entry / "submission.yaml").write_text(MANIFEST.replace(old, new), encoding="utf-8")
    (entry / "model.py").write_text(CODE, encoding="utf-8")
    (entry / "weights.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    faults = evaluate(entry, "ada", Bench(tmp_path / "work")).faults
    assert str(faults["export"]) == sentence
