"""A language model trained on the real validation text and judged on the real test text, as step and as chunk, in both frameworks.

Its weights are doubles, so that every form must agree with the straight-line computation in numpy to 1e-9, and no kernel's rounding
can hide a token that was dropped, fed twice, or predicted from the wrong state.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from micronet_verify.checks.judge import judge
from micronet_verify.quality.metrics.thresholds import Level
from tests.language import models
from tests.language.judged import Course, told

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "wikitext-103"
WORDS, WIDTH, HIDDEN = 300, 24, 48
LINES, CHUNK = 60, 24


@dataclass(frozen=True)
class Trained:
    """``alone``: log-likelihoods of the whole test text by straight-line computation. ``short`` is a course of its beginning."""

    model: models.Gru
    alone: list[float]
    whole: Course
    short: Course

    def perplexity(self, tokens: int) -> float:
        return math.exp(-math.fsum(self.alone[:tokens]) / tokens)


def tokens(text: str) -> list[str]:
    return [word for line in text.split("\n")[:-1] for word in [*line.split(), "<eos>"]]


def train(ids: Sequence[int]) -> models.Gru:
    """One pass over the text in 32 streams, 48 tokens at a time."""
    torch.manual_seed(0)
    model = models.Gru(WORDS, WIDTH, HIDDEN)
    streams = torch.tensor(ids[: len(ids) // 32 * 32]).reshape(32, -1).T
    optimizer, h = torch.optim.Adam(model.parameters(), 0.01), torch.zeros(1, 32, HIDDEN)
    for start in range(0, len(streams) - 49, 48):
        seen, after = streams[start : start + 48], streams[start + 1 : start + 49]
        rows, h = model.rnn(model.embed(seen), h.detach())
        loss = torch.nn.functional.cross_entropy(model.head(rows).reshape(-1, WORDS), after.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.double().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The 300 commonest words of the validation text, all others as <unk>."""
    if not REAL.is_dir():
        pytest.skip("the real text is not beside the repository")
    valid, test = ((REAL / f"wiki.{split}.tokens").read_text(encoding="utf-8") for split in ("valid", "test"))
    counts = Counter(word for word in tokens(valid) if word not in ("<eos>", "<unk>"))
    known = {word for word, _ in counts.most_common(WORDS - 2)}
    lines = [[word if word in known else "<unk>" for word in line.split()] for line in valid.split("\n")[:-1]]
    learned = "".join(f" {' '.join(line)} \n" for line in lines)
    # Ids by number of occurrences, after <eos>; the order of first occurrence among equals.
    order = ["<eos>", *(word for word, _ in Counter(word for line in lines for word in line).most_common())]
    ids = {word: place for place, word in enumerate(order)}
    text = [0, *(ids.get(word, ids["<unk>"]) for word in tokens(test))]
    torch.set_num_threads(1)
    model = train([0, *(ids[word] for word in tokens(learned))])
    alone = models.straight(models.weights_of(model), text)
    start = "".join(f"{line}\n" for line in test.split("\n")[:LINES])
    root = tmp_path_factory.mktemp("real")
    whole = Course.laid_out(root / "whole", learned.encode(), test.encode(), WORDS, len(alone))
    return Trained(model, alone, whole, Course.laid_out(root / "short", learned.encode(), start.encode(), WORDS, len(tokens(start))))


def test_perplexity_of_the_whole_text(trained: Trained) -> None:
    entry = trained.whole.entry("whole", "step.onnx")
    models.onnx_step(entry / "step.onnx", models.weights_of(trained.model))
    evaluation = trained.whole.judged(entry)
    assert not evaluation.faults
    assert isinstance(evaluation.quality, Level)
    assert evaluation.quality.of == len(trained.alone) == 245_569
    alone = trained.perplexity(245_569)
    assert abs(float(evaluation.quality.value) - alone) <= 1e-9 * alone


@pytest.mark.parametrize("form", ["step.onnx", "chunk.onnx", "step.pt2", "chunk.pt2"])
def test_perplexity_of_a_trained_model(trained: Trained, form: str) -> None:
    course, name, suffix = trained.short, Path(form).stem, Path(form).suffix
    alone = trained.perplexity(course.tokens)
    more = f"step: {{chunk: chunk{suffix}}}\n" if name == "chunk" else ""
    entry = course.entry(form.replace(".", "-"), f"step{suffix}", more)
    h = torch.zeros(1, 1, HIDDEN, dtype=torch.float64)
    if suffix == ".onnx":
        models.onnx_step(entry / "step.onnx", models.weights_of(trained.model))
        if more:
            models.onnx_chunk(entry / "chunk.onnx", models.weights_of(trained.model), CHUNK)
    else:
        models.pt2_step(entry / "step.pt2", trained.model, h)
        if more:
            models.pt2_chunk(entry / "chunk.pt2", trained.model, CHUNK, h)
    assert course.tokens % CHUNK  # the last chunk is a short one
    evaluation = course.judged(entry)
    assert not evaluation.faults
    quality, ledger = evaluation.quality, evaluation.ledger
    assert isinstance(quality, Level)
    assert ledger is not None
    assert quality.of == course.tokens
    assert abs(float(quality.value) - alone) <= 1e-9 * alone
    assert 10 < alone < 35  # learned: 300 words at random would be 300
    assert quality.met
    assert told(evaluation, "quality") == ("passed", f"perplexity {alone:.2f}, {35 - alone:.2f} perplexity below")
    # One step: two products per gate, their biases and sum, the gates, the new state, the head and its softmax; 64-bit numbers.
    gates = 3 * HIDDEN * (2 * WIDTH + 2 * HIDDEN)
    cell = 2 * HIDDEN * (1 + 3) + HIDDEN * (2 + 3) + HIDDEN * 4
    assert gates + 2 * WORDS * HIDDEN < ledger.operations / 2 < gates + cell + 2 * WORDS * HIDDEN + 4 * WORDS + 300
    values = WORDS * WIDTH + 3 * HIDDEN * (WIDTH + HIDDEN + 2) + WORDS * (HIDDEN + 1)
    assert ledger.storage == 2 * values
    assert told(evaluation, "sealing")[0] == "passed"
    assert not [verdict for verdict in judge(evaluation) if verdict.outcome in ("failed", "error")]


def test_a_limit_reads_the_beginning(trained: Trained) -> None:
    entry = trained.short.entry("limited", "step.onnx")
    models.onnx_step(entry / "step.onnx", models.weights_of(trained.model))
    evaluation = trained.short.judged(entry, limit=100)
    assert evaluation.predictions is not None
    assert evaluation.partial is not None
    assert evaluation.quality is None
    assert (evaluation.partial.examples, evaluation.partial.of) == (100, trained.short.tokens)
    found = np.load(evaluation.predictions.path)
    assert found.shape == (100,)
    assert isinstance(evaluation.partial.measured, Level)
    assert abs(float(evaluation.partial.measured.value) - trained.perplexity(100)) < 1e-9 * trained.perplexity(100)
