"""The track ``small``: CIFAR-100 with twelve images."""

from __future__ import annotations

from pathlib import Path

from micronet_verify.track.library import spec_folder
from tests.quality.published import written

_PYTHON = "    - {name: cifar-100-python/test, md5: f0ef6b0ae62326f3e7ffdfab6717acfc, examples: 10000}\n"


def small_track(folder: Path, correct: int, md5: str = "") -> Path:
    """Writes it into a new folder of tracks in ``folder``; the test set's file has the digest ``md5``, or any."""
    text = (spec_folder() / "cifar100.yaml").read_text(encoding="utf-8")
    for old, new in (
        ("name: cifar100\ntitle: CIFAR-100 classification", "name: small\ntitle: Twelve images"),
        ("correct: 8000", f"correct: {correct}"),
        ("of: 10000", "of: 12"),
        ("  examples: 10000", "  examples: 12"),
        (_PYTHON, f"    - {{name: cifar-100-python/test, md5: {md5}, examples: 12}}\n" if md5 else ""),
    ):
        assert old in text, old
        text = text.replace(old, new)
    written(folder / "tracks" / "small.yaml", text.encode())
    return folder / "tracks"
