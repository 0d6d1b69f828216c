"""A real entry on disk that tests change one thing of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from micronet_verify.submission.load import load_submission
from micronet_verify.submission.manifest import MANIFEST
from tests.refused import refused

MODEL = """\
schema: 1
title: A pruned network
team: The Analysts
members:
  - id: ada
    name: Ada Lovelace
track: digits
framework: onnx
model: model.onnx
external_data: [weights/a.bin, weights/b.bin]
preprocessing: divide-by-16
techniques: [pruning, quantization to 8 bits]
claims:
  parameter_storage: 1234.5
  score: "0.120"
write_up: README.md
submitted: "2019-09-30T17:45:00Z"
"""
SOURCE = """\
schema: 1
title: A network as code
team: The Analysts
members: [{id: ada, name: Ada Lovelace}]
track: digits
framework: pytorch
source:
  entry_point: code/model.py:build
  weights: model.safetensors
  modules: [code/blocks.py]
submitted: "2019-09-30T17:45:00+02:00"
"""
FILES = {
    "model.onnx": b"model",
    "weights/a.bin": b"a" * 10,
    "weights/b.bin": b"b" * 20,
    "README.md": b"how it was made",
    "code/model.py": b"raise SystemExit('entrant code ran')",
    "code/blocks.py": b"raise SystemExit('entrant code ran')",
    "model.safetensors": b"weights",
}

Change = tuple[str, str]


@pytest.fixture
def entry(tmp_path: Path) -> Path:
    """The directory of an entry with the files of both manifests, and the manifest ``MODEL``."""
    root = tmp_path / "entry"
    for name, content in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    (root / MANIFEST).write_text(MODEL, encoding="utf-8")
    return root


@pytest.fixture
def faults(entry: Path) -> Callable[..., list[str]]:
    """Writes ``text`` with changes as the manifest; the sentences of the fault that loading it raises."""

    def load(*changes: Change, text: str = MODEL, id: str = "entry") -> list[str]:
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (entry / MANIFEST).write_text(text, encoding="utf-8")
        return refused(load_submission, entry, id)

    return load
