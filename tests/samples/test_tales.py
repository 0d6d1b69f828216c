"""The embedded text, and the language entries as the samples' README has them, by plain loops of their frameworks."""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from micronet_verify.evaluation import Bench, evaluate
from micronet_verify.quality.datasets import tales
from micronet_verify.quality.datasets import token_stream as language
from micronet_verify.quality.metrics.thresholds import Level
from micronet_verify.track.library import load_track
from sample_submissions.networks import Teller
from sample_submissions.recipes.answers import model_bytes
from sample_submissions.recipes.tales import CHUNK, TALES, stream
from tests.samples.conftest import SAMPLES

ROW = re.compile(r"\| `([\w-]+)` \| [^|]+ \| (\d+\.\d+) \| ([\d,]+) \|")
TOKENS = 8_567


def documented() -> dict[str, tuple[str, int]]:
    rows = ROW.findall((SAMPLES / "README.md").read_text(encoding="utf-8"))
    return {name: (perplexity, int(size.replace(",", ""))) for name, perplexity, size in rows}


def test_the_text_is_the_same_everywhere() -> None:
    digest = hashlib.sha256(b"\n".join(tales.text())).hexdigest()
    assert digest[:16] == "dc38d17ec7cd2f45"
    assert len(language.build_vocabulary(tales.lines("train"))) == load_track("tales").dataset.classes == 48
    assert language.count_tokens(tales.lines("test")) == (TOKENS, 300)
    assert load_track("tales").dataset.examples == TOKENS


def test_pairs_of_words_are_not_enough() -> None:
    train, test = stream("train"), stream("test")
    pairs = np.full((48, 48), 0.01)
    np.add.at(pairs, (train[:-1], train[1:]), 1)
    shares = pairs / pairs.sum(axis=1, keepdims=True)
    assert 3.3 < math.exp(-np.log(shares[test[:-1], test[1:]]).mean()) < 3.5


def test_baseline_by_hand() -> None:
    values = 48 * 16 + 96 * (16 + 1) + 96 * (32 + 1) + 48 * (32 + 1)
    products = 96 * (16 + 15 + 1) + 96 * (32 + 31 + 1) + 48 * (32 + 31 + 1)
    gates, softmax = 32 * (1 + 3 + 1 + 3 + 1 + 1 + 1 + 1 + 1 + 1), 48 + 47 + 1 + 48
    baseline = load_track("tales").baseline
    assert (baseline.parameters, baseline.operations) == (values, products + gates + softmax) == (7_152, 12_880)
    assert sum(p.numel() for name, p in Teller().named_parameters() if name != "start") == values


def plain(entry: Path) -> Iterator[float]:
    """Log-likelihoods: onnxruntime a token at a time, the ``.pt2`` in its chunks."""
    text = stream("test")
    if (entry / "step.onnx").exists():
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        import onnxruntime

        session = onnxruntime.InferenceSession(str(entry / "step.onnx"), providers=["CPUExecutionProvider"])
        h = np.load(entry / "state.npz")["h"]
        for place in range(TOKENS):
            answer, h = session.run(None, {"token": text[place : place + 1], "h": h})
            yield float(answer[0, text[place + 1]])
        return
    chunk, state = torch.export.load(entry / "chunk.pt2").module(), torch.zeros(1, 1, 32)
    with torch.no_grad():
        for start in range(0, TOKENS, CHUNK):
            fed = np.resize(text[start:-1][:CHUNK], CHUNK)
            rows, state = chunk(torch.from_numpy(fed), state)
            after = text[start + 1 :][:CHUNK]
            yield from rows.numpy()[np.arange(len(after)), after].tolist()


def test_readme_lists_every_entry() -> None:
    assert documented().keys() == TALES.keys() == {entry.name for entry in (SAMPLES / "tales").iterdir()}


@pytest.mark.parametrize("name", TALES)
def test_an_entry_is_as_good_as_documented(name: str, tmp_path: Path) -> None:
    entry = SAMPLES / "tales" / name
    perplexity, size = documented()[name]
    found = list(plain(entry))
    assert len(found) == TOKENS
    assert f"{math.exp(-math.fsum(found) / TOKENS):.2f}" == perplexity
    assert model_bytes(entry) == size
    evaluation = evaluate(entry, name, Bench(tmp_path))
    assert not evaluation.faults
    assert isinstance(evaluation.quality, Level)
    assert evaluation.quality.met
    assert math.isclose(float(evaluation.quality.value), math.exp(-math.fsum(found) / TOKENS), rel_tol=1e-6)
    if name == "dense-gru-onnx":
        assert evaluation.count is not None
        ledger = evaluation.count.ledgers["quantized"]
        assert ledger.storage - 32 == Fraction(7_152)
        assert ledger.operations == 12_880
