"""Language entries from the manifest to the verdict, on a small text: files beside the step, states, branches, and the gate."""

from __future__ import annotations

import io
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import helper

from micronet_verify.checks.judge import judge
from micronet_verify.evaluation import Evaluation
from micronet_verify.quality.metrics.thresholds import Level
from tests.language import models
from tests.language.judged import MANIFEST, Course, told

# <eos>, the, saw, cat, dog, <unk>, ran: by number of occurrences
TRAIN = b" the cat saw the dog \n the dog saw the cat \n the <unk> ran \n"
TEST = b" the cat saw the zebra \n the dog ran \n the cat saw <unk> \n" * 20
WORDS, TOKENS, HIDDEN = 7, 20 * (6 + 4 + 5), 5


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    return Course.laid_out(tmp_path_factory.mktemp("language"), TRAIN, TEST, WORDS, TOKENS, at_most="6.5")


@pytest.fixture(scope="module")
def weights() -> models.Weights:
    torch.manual_seed(3)
    return models.weights_of(models.Gru(WORDS, 3, HIDDEN))


@pytest.fixture(scope="module")
def text() -> list[int]:
    ids = {word: place for place, word in enumerate(["<eos>", "the", "cat", "saw", "dog", "<unk>", "ran"])}
    words = [word for line in TEST.decode().splitlines() for word in [*line.split(), "<eos>"]]
    return [0, *(ids.get(word, ids["<unk>"]) for word in words)]


def npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def problems(evaluation: Evaluation) -> list[str]:
    return [str(problem) for fault in evaluation.faults.values() for problem in fault.problems]


def test_initial_states_are_read_charged_and_digested(course: Course, weights: models.Weights, text: list[int]) -> None:
    h = np.random.default_rng(0).normal(size=(1, HIDDEN)).astype(np.float32)
    entry = course.entry("begun", "step.onnx", "step:\n  initial_state: h.npz\n  chunk: chunk.onnx\n", {"h.npz": npz(h=h)})
    models.onnx_step(entry / "step.onnx", weights)
    models.onnx_chunk(entry / "chunk.onnx", weights, 32)
    found = course.judged(entry)
    assert problems(found) == []
    assert isinstance(found.quality, Level)
    alone = models.straight(weights, text, h)
    assert math.isclose(float(found.quality.value), math.exp(-math.fsum(alone) / TOKENS), rel_tol=1e-5)
    assert found.artifact is not None
    assert sorted(file.path for file in found.artifact.files) == ["chunk.onnx", "h.npz", "step.onnx"]
    plain = course.entry("from-zeros", "step.onnx")
    models.onnx_step(plain / "step.onnx", weights)
    other = course.judged(plain)
    assert found.ledger is not None
    assert other.ledger is not None
    assert found.ledger.storage - other.ledger.storage == Fraction(HIDDEN * 16, 32)
    assert [line.note for line in found.ledger.lines if line.subject == "initial h"] == ["initial state, S2"]
    assert found.ledger.operations == other.ledger.operations  # of the step: a chunk is not counted
    assert found.track is not None
    assert found.recount(found.track.rules) == found.count
    for evaluation in (found, other):
        assert not [verdict for verdict in judge(evaluation) if verdict.outcome == "error"]
        assert told(evaluation, "sealing")[0] == "passed"


def test_the_gate_is_decided_on_the_sum(course: Course, weights: models.Weights, text: list[int]) -> None:
    entry = course.entry("gate", "step.onnx")
    models.onnx_step(entry / "step.onnx", weights)
    found = course.judged(entry)
    alone = math.exp(-math.fsum(models.straight(weights, text)) / TOKENS)
    assert alone > 6.5
    outcome, message = told(found, "quality")
    assert outcome == "failed"
    assert message == (
        f"got perplexity {alone:.2f}, {alone - 6.5:.2f} perplexity above, but should be a perplexity of at most 6.5 [track small-text]"
    )


def test_states_of_another_name(course: Course, weights: models.Weights) -> None:
    files = {"h.npz": npz(hidden=np.zeros((1, HIDDEN), np.float32))}
    entry = course.entry("misnamed", "step.onnx", "step: {initial_state: h.npz}\n", files)
    models.onnx_step(entry / "step.onnx", weights)
    assert set(problems(course.judged(entry))) == {
        "got initial states named hidden but should be named like the model's state inputs: h [initial states]"
    }


def test_states_that_are_no_data(course: Course, weights: models.Weights) -> None:
    entry = course.entry("pickled", "step.onnx", "step: {initial_state: h.npz}\n", {"h.npz": npz(h=np.array([None]))})
    models.onnx_step(entry / "step.onnx", weights)
    assert set(problems(course.judged(entry))) == {"got an array 'h.npy' of type object but should be plain numbers, little-endian [h.npz]"}


def test_a_classifier_is_no_step(course: Course) -> None:
    entry = course.entry("classifier", "step.onnx")
    tensors = {"w": np.ones((4, WORDS), np.float32)}
    inputs, outputs = [models.value("x", "float32", ["batch", 4])], [models.value("y", "float32", ["batch", WORDS])]
    models.save(entry / "step.onnx", [helper.make_node("MatMul", ["x", "w"], ["y"])], inputs, outputs, tensors)
    found = course.judged(entry)
    assert [str(problem) for problem in found.faults["translate"].problems] == [
        "got a first input 'x' of float32 and shape [1, 4] but should be the token, int64 of shape [1] or [1, 1] [the step] "
        "(a step is (token, state…) → (log-probabilities, state…), with every state out as it goes in, and in the same order)"
    ]


def test_files_of_a_manifest(course: Course, weights: models.Weights, tmp_path: Path) -> None:
    entry = course.entry("endings", "step.onnx", "step: {chunk: chunk.pt2}\n", {"chunk.pt2": b""})
    models.onnx_step(entry / "step.onnx", weights)
    assert problems(course.judged(entry)) == [
        "got step.chunk: 'chunk.pt2' but should end in .onnx for the framework onnx [submission.yaml:9]"
    ]
    gone = course.entry("gone", "step.onnx", "step: {chunk: chunk.onnx}\n")
    models.onnx_step(gone / "step.onnx", weights)
    assert problems(course.judged(gone)) == ["got chunk: no file 'chunk.onnx' but should be in the entry [submission.yaml:9]"]
    source = course.entry("source", "step.onnx", "", {"net.py": b"", "w.safetensors": b""})
    manifest = MANIFEST.format(framework="pytorch", model="x").replace(
        "model: x", "source: {entry_point: net.py:f, weights: w.safetensors}"
    )
    (source / "submission.yaml").write_text(manifest, encoding="utf-8")
    assert problems(course.judged(source)) == [
        "got a language model as source but should be a model file: the exported step (token, state…) → (log-probabilities, state…) "
        "[submission.yaml:7] (export it, and name the file under 'model')"
    ]
    digits = course.entry("digits", "step.onnx", "step: {chunk: chunk.onnx}\n", {"chunk.onnx": b"", "step.onnx": b""})
    text = (digits / "submission.yaml").read_text(encoding="utf-8").replace("track: small-text", "track: digits")
    (digits / "submission.yaml").write_text(text, encoding="utf-8")
    assert problems(course.judged(digits)) == [
        "got step in the track 'digits' but should be left out: it belongs to tracks of language models [submission.yaml:9]"
    ]


def test_a_missing_text_is_skipped(course: Course, weights: models.Weights, tmp_path: Path) -> None:
    entry = course.entry("untested", "step.onnx")
    models.onnx_step(entry / "step.onnx", weights)
    (tmp_path / "data").mkdir()
    (tmp_path / "tracks").symlink_to(course.root / "tracks")
    found = Course(tmp_path, WORDS, TOKENS).judged(entry)
    assert told(found, "quality")[0] == "skipped"
    assert found.score is not None


def early_exit(path: Path, weights: models.Weights) -> None:
    """Behind the word "the" the row of a table, behind every other word the recurrent network's."""
    fmt = "float32"
    nodes, new = models.cell("t", "x", "h")
    cheap = helper.make_graph(
        [helper.make_node("Gather", ["table", "token"], ["cheap"])], "cheap_body", [], [models.value("cheap", fmt, [1, WORDS])]
    )
    product = helper.make_node("Gemm", [new, "O", "o"], ["dear"], transB=1)
    dear = helper.make_graph([product], "dear_body", [], [models.value("dear", fmt, [1, WORDS])])
    nodes = [
        helper.make_node("Gather", ["E", "token"], ["x"]),
        *nodes,
        helper.make_node("Equal", ["token", "the"], ["is"]),
        helper.make_node("Squeeze", ["is"], ["only"]),
        helper.make_node("If", ["only"], ["scores"], then_branch=cheap, else_branch=dear),
        helper.make_node("LogSoftmax", ["scores"], ["lp"], axis=-1),
    ]
    tensors = {
        **models.constants(weights),
        "the": np.array([1]),
        "table": np.random.default_rng(8).normal(size=(WORDS, WORDS)).astype(np.float32),
    }
    inputs = [models.value("token", "int64", [1]), models.value("h", fmt, [1, HIDDEN])]
    models.save(path, nodes, inputs, [models.value("lp", fmt, [1, WORDS]), models.value(new, fmt, [1, HIDDEN])], tensors)


def test_a_step_that_branches_costs_what_the_text_took(course: Course, weights: models.Weights, text: list[int]) -> None:
    entry = course.entry("branching", "step.onnx")
    early_exit(entry / "step.onnx", weights)
    found = course.judged(entry)
    assert problems(found) == []
    assert found.branches is not None
    cheap = text[:-1].count(1)
    assert list(found.branches.taken.values()) == [(cheap, TOKENS - cheap)]
    assert found.branches.least is not None
    assert found.branches.most is not None
    assert found.ledger is not None
    # The head's product: words × hidden multiplies at 16 bits, hidden − 1 adds and a bias for each word at 32.
    head = Fraction(WORDS * HIDDEN * 16 + WORDS * HIDDEN * 32, 32)
    assert found.branches.most - found.branches.least == head
    assert found.ledger.operations == found.branches.least + head * Fraction(TOKENS - cheap, TOKENS)
    assert told(found, "rule O13")[0] == "passed"
