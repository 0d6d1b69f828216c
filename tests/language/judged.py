"""Entries of a language track, judged from end to end on texts that a test lays out as WikiText-103 is published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from micronet_verify.checks.judge import judge
from micronet_verify.evaluation import Bench, Evaluation, evaluate
from micronet_verify.track.library import spec_folder
from tests.quality.published import written

MANIFEST = """\
schema: 1
title: A small recurrent language model
team: Readers
members: [{{id: ada, name: Ada}}]
track: small-text
framework: {framework}
model: {model}
submitted: "2026-01-05T12:00:00Z"
"""
FRAMEWORKS = {".onnx": "onnx", ".pt2": "pytorch"}


@dataclass(frozen=True)
class Course:
    """A folder with texts, and a track whose test is one of them."""

    root: Path
    words: int
    tokens: int

    @classmethod
    def laid_out(cls, root: Path, train: bytes, test: bytes, words: int, tokens: int, at_most: str = "35") -> Course:
        for name, text in (("train", train), ("test", test)):
            written(root / "data" / "wikitext-103" / f"wiki.{name}.tokens", text)
        track = (spec_folder() / "wikitext103.yaml").read_text(encoding="utf-8")
        files = track[track.index("  files:") : track.index("ranking:")]
        for old, new in (
            ("name: wikitext103\ntitle: WikiText-103", "name: small-text\ntitle: Small"),
            ("  at_most: 35", f"  at_most: {at_most}"),
            ("  examples: 245569 ", f"  examples: {tokens} "),
            ("  classes: 267735 ", f"  classes: {words} "),
            (files, ""),
        ):
            assert track.count(old) == 1, old
            track = track.replace(old, new)
        written(root / "tracks" / "small-text.yaml", track.encode())
        return cls(root, words, tokens)

    def entry(self, name: str, model: str, more: str = "", files: Mapping[str, bytes] | None = None) -> Path:
        """A folder of an entry whose model file is ``model``; ``files`` are written into it."""
        folder = self.root / "entries" / name
        manifest = MANIFEST.format(framework=FRAMEWORKS[Path(model).suffix], model=model) + more
        for file, data in {"submission.yaml": manifest.encode(), **(files or {})}.items():
            written(folder / file, data)
        return folder

    def judged(self, entry: Path, limit: int | None = None) -> Evaluation:
        """Judged with the texts of this course; prepared inputs are shared by all entries."""
        bench = Bench(self.root / "work", (self.root / "tracks",), data=self.root / "data", inputs=self.root / "kept", limit=limit)
        bench.work.mkdir(exist_ok=True)
        try:
            return evaluate(entry, entry.name, bench)
        finally:
            bench.preparing.stop()


def told(evaluation: Evaluation, check: str) -> tuple[str, str]:
    """Outcome and message of one check."""
    verdict = next(verdict for verdict in judge(evaluation) if verdict.check == check)
    return verdict.outcome, verdict.message
