"""What the predict step of a language model accepts, keeps and refuses, in both frameworks; and the step that tells on a chunk."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from micronet_verify_onnx.loader import OnnxLoader
from micronet_verify_pytorch.loader import PyTorchLoader
from numpy.typing import NDArray
from onnx import helper
from torch import nn

from micronet_verify.errors import BenchFault, SubmissionFault
from micronet_verify.framework.guarded import GuardedLoader
from micronet_verify.sandbox.jobs import StepJob
from micronet_verify.sandbox.language.chunks import _sample
from micronet_verify.sandbox.language.evaluate import read_text
from micronet_verify.sandbox.sampling import random_for
from tests.language import models

WORDS, HIDDEN, TOKENS = 11, 6, 150
TEXT = np.random.default_rng(1).integers(0, WORDS, TOKENS + 1)
LOADERS = {".onnx": GuardedLoader(OnnxLoader(), None), ".pt2": GuardedLoader(PyTorchLoader(), None)}
Read = Callable[..., NDArray[np.float64]]


@pytest.fixture(scope="module")
def weights() -> models.Weights:
    torch.manual_seed(2)
    return models.weights_of(models.Gru(WORDS, 4, HIDDEN).double())


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads the text with a model of ``tmp_path``; the log-likelihoods."""
    np.save(tmp_path / "text.npy", TEXT[:, None])

    def run(step: str, chunk: str = "", seed: str = "a seed", **more: Any) -> NDArray[np.float64]:
        out = tmp_path / f"out-{len(list(tmp_path.iterdir()))}"
        out.mkdir()
        job = StepJob(
            framework="any",
            root=tmp_path,
            primary=step,
            text=tmp_path / "text.npy",
            out=out,
            tokens=TOKENS,
            words=WORDS,
            tolerance=1e-4,
            seed=seed,
            chunk=chunk,
            **more,
        )
        result = read_text(job, LOADERS[Path(step).suffix])
        assert result.shape == (TOKENS,)
        if result.taken:
            run.taken = json.loads((out / result.taken).read_text())  # type: ignore[attr-defined]
        found: NDArray[np.float64] = np.load(out / result.outputs)
        return found

    return run


def fault(read: Read, *args: str, **more: Any) -> str:
    with pytest.raises(SubmissionFault) as caught:
        read(*args, **more)
    return str(caught.value)


def gru(tag: str = "t", h: str = "h") -> tuple[list[Any], str]:
    nodes, new = models.cell(tag, "x", h)
    return [helper.make_node("Gather", ["E", "token"], ["x"]), *nodes], new


def token() -> Any:
    return models.value("token", "int64", [1])


# --- what is kept ---


@pytest.mark.parametrize("suffix", [".onnx", ".pt2"])
def test_one_number_a_token(suffix: str, tmp_path: Path, weights: models.Weights, read: Read) -> None:
    torch.manual_seed(2)
    model = models.Gru(WORDS, 4, HIDDEN).double().eval()
    if suffix == ".onnx":
        models.onnx_step(tmp_path / "step.onnx", weights)
        models.onnx_chunk(tmp_path / "chunk.onnx", weights, 16)
    else:
        h = torch.zeros(1, 1, HIDDEN, dtype=torch.float64)
        models.pt2_step(tmp_path / "step.pt2", model, h)
        models.pt2_chunk(tmp_path / "chunk.pt2", model, 16, h)
    alone = models.straight(weights, TEXT.tolist())
    for found in (read(f"step{suffix}"), read(f"step{suffix}", f"chunk{suffix}")):
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, alone, rtol=1e-12)


def test_initial_states_begin_the_text(tmp_path: Path, weights: models.Weights, read: Read) -> None:
    models.onnx_step(tmp_path / "step.onnx", weights)
    models.onnx_chunk(tmp_path / "chunk.onnx", weights, 40)
    h = np.random.default_rng(3).normal(size=(1, HIDDEN))
    np.save(tmp_path / "0.npy", h)
    alone = models.straight(weights, TEXT.tolist(), h)
    assert abs(alone[0] - models.straight(weights, TEXT.tolist())[0]) > 1e-3
    for chunk in ("", "chunk.onnx"):
        np.testing.assert_allclose(read("step.onnx", chunk, initial=(("h", tmp_path / "0.npy"),)), alone, rtol=1e-12)


class Ngram(nn.Module):
    """(tokens [T], the two tokens before) → of each the sum of three tables' rows: no float is carried, and T is free."""

    def __init__(self) -> None:
        super().__init__()
        self.tables = nn.ModuleList([nn.Embedding(WORDS, WORDS) for _ in range(3)])

    def forward(self, tokens: torch.Tensor, before: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        known = torch.cat([before, tokens])
        scores = self.tables[0](known[2:]) + self.tables[1](known[1:-1]) + self.tables[2](known[:-2])
        return torch.log_softmax(scores, -1), known[-2:]


def test_tokens_as_states_and_chunks_of_any_length(tmp_path: Path, read: Read) -> None:
    torch.manual_seed(4)
    model, before = Ngram().eval(), torch.zeros(2, dtype=torch.int64)
    models.pt2_step(tmp_path / "step.pt2", model, before)
    models.pt2_chunk(tmp_path / "chunk.pt2", model, None, before)
    alone, h = [], before
    with torch.no_grad():
        for place in range(TOKENS):
            row, h = model(torch.from_numpy(TEXT[place : place + 1]), h)
            alone.append(float(row[0, TEXT[place + 1]]))
    assert read("step.pt2").tolist() == alone
    np.testing.assert_allclose(read("step.pt2", "chunk.pt2"), alone, atol=1e-6)


def test_a_batch_axis_and_rows_without_one(tmp_path: Path, weights: models.Weights, read: Read) -> None:
    """Tokens [batch, 1] of a free batch, and log-probabilities [words]."""
    nodes, new = gru()
    nodes[0] = helper.make_node("Gather", ["E", "flat"], ["x"])
    flat = helper.make_node("Reshape", ["token", "minus"], ["flat"])
    row = helper.make_node("Reshape", ["lps2", "minus"], ["lp"])
    last = [*models.head(new, "lps2"), row]
    inputs = [models.value("token", "int64", ["batch", 1]), models.value("h", "float64", [1, HIDDEN])]
    outputs = [models.value("lp", "float64", [WORDS]), models.value(new, "float64", [1, HIDDEN])]
    tensors = {**models.constants(weights), "minus": np.array([-1])}
    models.save(tmp_path / "step.onnx", [flat, *nodes, *last], inputs, outputs, tensors)
    np.testing.assert_allclose(read("step.onnx"), models.straight(weights, TEXT.tolist()), rtol=1e-12)


# --- distributions ---


def scores_step(path: Path, weights: models.Weights, last: list[Any], tensors: models.Weights | None = None) -> None:
    nodes, new = gru()
    nodes += [helper.make_node("Gemm", [new, "O", "o"], ["scores"], transB=1), *last]
    fmt = weights["E"].dtype.name
    outputs = [models.value("lp", fmt, [1, WORDS]), models.value(new, fmt, [1, HIDDEN])]
    inputs = [token(), models.value("h", fmt, [1, HIDDEN])]
    models.save(path, nodes, inputs, outputs, {**models.constants(weights), **(tensors or {})})


def test_raw_scores_are_no_distribution(tmp_path: Path, weights: models.Weights, read: Read) -> None:
    scores_step(tmp_path / "step.onnx", weights, [helper.make_node("Identity", ["scores"], ["lp"])])
    told = fault(read, "step.onnx")
    assert told.startswith("got log-probabilities whose probabilities sum to 1")
    assert told.endswith(
        "but should sum to 1 within 0.0001 [token 0] (end the step with log_softmax: raw scores are not log-probabilities)"
    )


def test_probabilities_are_no_logarithms(tmp_path: Path, weights: models.Weights, read: Read) -> None:
    scores_step(tmp_path / "step.onnx", weights, [helper.make_node("Softmax", ["scores"], ["lp"], axis=-1)])
    assert fault(read, "step.onnx").endswith("(these are probabilities: end the step with log_softmax, or take their natural logarithm)")


def test_a_little_too_much_probability(tmp_path: Path, weights: models.Weights, read: Read) -> None:
    """Every probability raised by a thousandth would buy as much in perplexity."""
    last = [helper.make_node("LogSoftmax", ["scores"], ["l"], axis=-1), helper.make_node("Add", ["l", "more"], ["lp"])]
    scores_step(tmp_path / "step.onnx", weights, last, {"more": np.array(1e-3)})
    assert fault(read, "step.onnx") == (
        "got log-probabilities whose probabilities sum to 1.001001 but should sum to 1 within 0.0001 [token 0] "
        "(compute log_softmax in float32 or wider, as the last operation)"
    )


def test_a_certainty_of_its_own_for_one_token(tmp_path: Path, weights: models.Weights, read: Read) -> None:
    """Wrong for one token of all only: every token is checked."""
    at = int(TEXT[90])
    seen = int(np.flatnonzero(at == TEXT)[0])
    nodes = [helper.make_node("Equal", ["token", "at"], ["is"]), helper.make_node("Cast", ["is"], ["one_if"], to=11)]
    last = [*nodes, helper.make_node("LogSoftmax", ["scores"], ["l"], axis=-1), helper.make_node("Add", ["l", "one_if"], ["lp"])]
    scores_step(tmp_path / "step.onnx", weights, last, {"at": np.array([at])})
    assert f"sum to {np.e:.6f}"[:12] in fault(read, "step.onnx")
    assert fault(read, "step.onnx").partition(" [")[2].startswith(f"token {seen}]")


def test_nan(tmp_path: Path, weights: models.Weights, read: Read) -> None:
    nodes = [helper.make_node("Neg", ["one"], ["minus"]), helper.make_node("Sqrt", ["minus"], ["nan"])]
    last = [*nodes, helper.make_node("LogSoftmax", ["scores"], ["l"], axis=-1), helper.make_node("Add", ["l", "nan"], ["lp"])]
    scores_step(tmp_path / "step.onnx", weights, last)
    assert fault(read, "step.onnx") == "got NaN as log-probability of 11 of 11 words but should be numbers [token 0]"


# --- forms ---

FORM = "(a step is (token, state…) → (log-probabilities, state…), with every state out as it goes in, and in the same order)"


def test_states_in_another_order(tmp_path: Path, weights: models.Weights, read: Read) -> None:
    nodes, new = gru()
    nodes += [*models.head(new, "lp"), helper.make_node("Identity", ["token"], ["last_out"])]
    inputs = [token(), models.value("h", "float64", [1, HIDDEN]), models.value("last", "int64", [1])]
    outputs = [models.value("lp", "float64", [1, WORDS]), models.value("last_out", "int64", [1]), models.value(new, "float64", [1, HIDDEN])]
    nodes.append(helper.make_node("Identity", ["last"], ["unused"]))
    models.save(tmp_path / "step.onnx", nodes, inputs, outputs, models.constants(weights))
    assert fault(read, "step.onnx").splitlines() == [
        f"got state 1, 'h', of float64 [1, 6] that comes out as int64 [1] but should keep its shape and type [step.onnx] {FORM}",
        f"got state 2, 'last', of int64 [1] that comes out as float64 [1, 6] but should keep its shape and type [step.onnx] {FORM}",
    ]


class Growing(nn.Module):
    """Keeps every token it has seen."""

    def forward(self, tokens: torch.Tensor, seen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.log_softmax(torch.zeros(1, WORDS) + seen.sum(), -1), torch.cat([seen, tokens])


def test_a_state_that_grows(tmp_path: Path, read: Read) -> None:
    models.pt2_step(tmp_path / "step.pt2", Growing(), torch.zeros(1, dtype=torch.int64))
    assert fault(read, "step.pt2") == (
        f"got state 1, 'seen', of int64 [1] that comes out as int64 [2] but should keep its shape and type [step.pt2] {FORM}"
    )


def test_a_state_that_is_dropped_and_a_short_vocabulary(tmp_path: Path, weights: models.Weights, read: Read) -> None:
    nodes, new = gru()
    short = {**models.constants(weights), "O": weights["O"][:9], "o": weights["o"][:9]}
    inputs, outputs = [token(), models.value("h", "float64", [1, HIDDEN])], [models.value("lp", "float64", [1, 9])]
    models.save(tmp_path / "step.onnx", [*nodes, *models.head(new, "lp")], inputs, outputs, short)
    assert fault(read, "step.onnx").splitlines() == [
        f"got a first output of float64 and shape [1, 9] but should be the log-probabilities of all words, floats of shape [11] or [1, 11] "
        f"[step.onnx] {FORM}",
        f"got 1 state in and 0 states out but should be as many [step.onnx] {FORM}",
    ]


def test_no_token_first(tmp_path: Path, read: Read) -> None:
    nodes = [helper.make_node("LogSoftmax", ["x"], ["lp"], axis=-1)]
    inputs = [models.value("x", "float32", [1, WORDS])]
    models.save(tmp_path / "step.onnx", nodes, inputs, [models.value("lp", "float32", [1, WORDS])], {})
    assert fault(read, "step.onnx") == (
        f"got a first input 'x' of float32 and shape [1, 11] but should be the token, int64 of shape [1] or [1, 1] [step.onnx] {FORM}"
    )


def test_initial_states_of_other_names_and_shapes(tmp_path: Path, weights: models.Weights, read: Read) -> None:
    models.onnx_step(tmp_path / "step.onnx", weights)
    np.save(tmp_path / "0.npy", np.zeros((1, HIDDEN)))
    assert fault(read, "step.onnx", initial=(("hidden", tmp_path / "0.npy"),)) == (
        "got initial states named hidden but should be named like the model's state inputs: h [initial states]"
    )
    np.save(tmp_path / "0.npy", np.zeros((2, HIDDEN), np.float32))
    assert fault(read, "step.onnx", initial=(("h", tmp_path / "0.npy"),)) == (
        "got 'h' of float32 [2, 6] but should be float64 [1, 6] [initial states]"
    )


def test_a_framework_that_cannot_step(tmp_path: Path) -> None:
    class Plain:
        def predict(self, *_: Any) -> Any: ...

    plain = GuardedLoader(Plain(), None)
    np.save(tmp_path / "text.npy", TEXT[:, None])
    job = StepJob(
        framework="plain",
        root=tmp_path,
        primary="m",
        text=tmp_path / "text.npy",
        out=tmp_path,
        tokens=TOKENS,
        words=WORDS,
        tolerance=1e-4,
        seed="seed",
    )
    with pytest.raises(SubmissionFault) as caught:
        read_text(job, plain)
    assert str(caught.value) == (
        "got a language model for plain but should be for a framework whose plugin feeds models one token at a time [stage predict] "
        "(onnx and pytorch do, on the processor)"
    )
    with pytest.raises(BenchFault, match=r"^got a language model for plain on cuda but should be for a framework whose plugin feeds"):
        read_text(replace(job, device="cuda"), plain)


# --- chunks ---


class Peeking(nn.Module):
    """An n-gram model whose chunk favours, of the words, the one that comes next."""

    def __init__(self, every: int) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.plain, self.every = Ngram(), every

    def forward(self, tokens: torch.Tensor, before: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        known = torch.cat([before, tokens])
        tables = self.plain.tables
        scores = tables[0](known[2:]) + tables[1](known[1:-1]) + tables[2](known[:-2])
        after = torch.cat([tokens[1:], tokens[:1]])
        peek = torch.nn.functional.one_hot(after, WORDS) * (torch.arange(len(tokens)) % self.every == 0)[:, None]
        return torch.log_softmax(scores + peek, -1), known[-2:]


@pytest.mark.parametrize("seed", ["one", "two", "three"])
def test_a_chunk_that_looks_at_the_next_token(seed: str, tmp_path: Path, read: Read) -> None:
    before = torch.zeros(2, dtype=torch.int64)
    torch.manual_seed(4)
    models.pt2_step(tmp_path / "step.pt2", Ngram().eval(), before)
    models.pt2_chunk(tmp_path / "chunk.pt2", Peeking(1).eval(), 50, before)
    told = fault(read, "step.pt2", "chunk.pt2", seed)
    assert told.startswith("got a chunk whose answers change when later tokens change, for token ")
    assert told.endswith("but should be the same answer [stage predict] (an answer may depend only on earlier tokens)")


def test_a_chunk_that_looks_ahead_now_and_then(tmp_path: Path, read: Read) -> None:
    before = torch.zeros(2, dtype=torch.int64)
    torch.manual_seed(4)
    models.pt2_step(tmp_path / "step.pt2", Ngram().eval(), before)
    models.pt2_chunk(tmp_path / "chunk.pt2", Peeking(10).eval(), 50, before)
    assert "later tokens change" in fault(read, "step.pt2", "chunk.pt2")


def test_a_chunk_that_is_a_better_model(tmp_path: Path, weights: models.Weights, read: Read) -> None:
    models.onnx_step(tmp_path / "step.onnx", weights)
    models.onnx_chunk(tmp_path / "chunk.onnx", {**weights, "o": weights["o"] + np.eye(WORDS)[3]}, 16)
    told = fault(read, "step.onnx", "chunk.onnx")
    assert told.startswith("got an answer of the chunk that differs from the step's for token ")
    assert told.endswith("(the chunk must be the same model as the step, which is counted)")


class Opening(Peeking):
    """Its chunk is another model for its first token, wherever that is the word 3."""

    def forward(self, tokens: torch.Tensor, before: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        rows, known = self.plain(tokens, before)
        first = (torch.arange(len(tokens)) == 0) & (tokens[0] == 3)
        return torch.log_softmax(rows + 3 * first[:, None] * torch.nn.functional.one_hot(tokens, WORDS), -1), known


def test_every_chunks_start_is_compared_with_the_step(tmp_path: Path, read: Read) -> None:
    """A11: 1 + 150/(20·2) → 5 of 75 chunks are read whole, and each of the 75 first tokens besides, whatever the seed."""
    before = torch.zeros(2, dtype=torch.int64)
    torch.manual_seed(4)
    models.pt2_step(tmp_path / "step.pt2", Ngram().eval(), before)
    models.pt2_chunk(tmp_path / "chunk.pt2", Opening(1).eval(), 2, before)
    opened = np.flatnonzero(TEXT[:TOKENS:2] == 3)
    assert 0 < len(opened) < 15
    for seed in map(str, range(10)):
        assert "an answer of the chunk that differs from the step's for token " in fault(read, "step.pt2", "chunk.pt2", seed)


@pytest.mark.parametrize(("length", "wanted"), [(1, 9), (2, 5), (16, 4), (50, 3), (200, 1)])
def test_a_twentieth_of_the_text_is_read_by_the_step(length: int, wanted: int) -> None:
    """A11: the first chunk, and of 150 tokens ⌈150 / 20 · length⌉ others, four in all at least; the last one may be short."""
    chunks = -(-TOKENS // length)
    found = _sample(chunks, length, TOKENS, random_for("a seed", "chunks"))
    assert len(found) == wanted == min(chunks, max(4, 1 + math.ceil(TOKENS / (20 * length))))
    assert sum(min(length, TOKENS - length * number) for number in found) * 20 >= TOKENS
    assert found != _sample(chunks, length, TOKENS, random_for("another", "chunks")) or wanted in (1, chunks)


def test_a_chunk_that_hands_on_another_state(tmp_path: Path, weights: models.Weights, read: Read) -> None:
    """Every row is the step's, and the state behind the last is not: the next chunk would begin from it."""
    models.onnx_step(tmp_path / "step.onnx", weights)
    models.onnx_chunk(tmp_path / "chunk.onnx", weights, 16)
    model = onnx.load(tmp_path / "chunk.onnx")
    last = model.graph.output[1].name
    model.graph.node.append(helper.make_node("Add", [last, "one"], ["h_out"]))
    model.graph.output[1].name = "h_out"
    onnx.save(model, tmp_path / "chunk.onnx")
    assert "an answer of the chunk that differs from the step's for token 15" in fault(read, "step.onnx", "chunk.onnx")


def test_chunks_of_other_states_and_of_too_many_tokens(tmp_path: Path, weights: models.Weights, read: Read) -> None:
    models.onnx_step(tmp_path / "step.onnx", weights)
    models.onnx_chunk(tmp_path / "chunk.onnx", {name: array.astype(np.float32) for name, array in weights.items()}, 4)
    assert fault(read, "step.onnx", "chunk.onnx") == (
        "got a chunk with states float32 [1, 6] but should have the step's, in the same order: float64 [1, 6] [chunk.onnx]"
    )


def test_one_chunk_for_the_whole_text_and_longer(tmp_path: Path, weights: models.Weights, read: Read) -> None:
    models.onnx_step(tmp_path / "step.onnx", weights)
    models.onnx_chunk(tmp_path / "chunk.onnx", weights, TOKENS + 10)
    np.testing.assert_allclose(read("step.onnx", "chunk.onnx"), models.straight(weights, TEXT.tolist()), rtol=1e-12)


# --- branches ---


class EarlyExit(nn.Module):
    """Every third token is answered from a table, the others by a product."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.embed, self.head = nn.Embedding(WORDS, WORDS), nn.Embedding(WORDS, HIDDEN), nn.Linear(HIDDEN, WORDS)

    def forward(self, token: torch.Tensor, turn: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        cheap = (turn.sum() % 3) == 0
        scores = torch.cond(cheap, lambda t: self.table(t), lambda t: self.head(self.embed(t)), (token,))
        return torch.log_softmax(scores, -1), turn + 1


def test_branches_are_recorded_token_by_token(tmp_path: Path, read: Read) -> None:
    torch.manual_seed(5)
    model = EarlyExit().eval()
    models.pt2_step(tmp_path / "step.pt2", model, torch.zeros(1, dtype=torch.int64))
    read("step.pt2")
    ((_, taken),) = read.taken.items()  # type: ignore[attr-defined]
    assert taken == [int(place % 3 != 0) for place in range(TOKENS)]
    models.pt2_chunk(tmp_path / "chunk.pt2", Ngram().eval(), 8, torch.zeros(1, dtype=torch.int64))
    assert fault(read, "step.pt2", "chunk.pt2") == (
        "got a chunk for a step that branches but should be left out [chunk.pt2] (leave step.chunk out: a step that branches is "
        "evaluated token by token, to see how often each body is taken)"
    )
