"""The predict step of a language model: it reads a text a token at a time, or in chunks that are shown to be the same.

The next token is looked up here, in our code, when the row of log-probabilities that should foretell it is already made. A step
cannot look ahead, because it has not been given what comes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import BenchFault, Problem, SubmissionFault
from micronet_verify.framework.guarded import GuardedLoader
from micronet_verify.framework.requests import StepRequest
from micronet_verify.framework.stepping import Port, Stepper, check_states
from micronet_verify.sandbox.jobs import LIKELIHOODS, TAKEN, PredictResult, StepJob
from micronet_verify.sandbox.language.agreement import Agreement, rows_apart
from micronet_verify.sandbox.language.chunks import evaluate_chunks
from micronet_verify.sandbox.language.log_likelihoods import WHERE, Likelihoods, buffer_rows
from micronet_verify.sandbox.language.shown_rows import Shown

# Tokens at the beginning that are read again in a fresh session.
AGAIN = 64
NOT_REACHED = -1


def read_text(job: StepJob, loader: GuardedLoader) -> PredictResult:
    """Write ``log_likelihoods.npy`` [tokens] and, for a step that branches, ``taken.json`` (branch id → index per token)."""
    if not loader.steps:
        got = f"a language model for {job.framework}" + (f" on {job.device}" if job.device != "cpu" else "")
        should = "be for a framework whose plugin feeds models one token at a time"
        raise (SubmissionFault if job.device == "cpu" else BenchFault)(Problem(got, should, WHERE, "onnx and pytorch do, on the processor"))
    text = np.load(job.text, mmap_mode="r", allow_pickle=False)[: job.tokens + 1]
    if text.shape != (job.tokens + 1, 1) or not job.tokens or text.dtype != np.int64:
        raise BenchFault(Problem(f"a text of shape {text.shape} and type {text.dtype}", f"be {(job.tokens + 1, 1)} of int64", WHERE))
    tokens = np.array(text[:, 0])
    if tokens.min() < 0 or tokens.max() >= job.words:
        raise BenchFault(Problem(f"tokens from {tokens.min()} to {tokens.max():,}", f"be 0 to {job.words - 1:,}", WHERE))
    step = loader.stepper(StepRequest(job.root / job.primary, job.words, job.threads))
    initial = initial_states(job, step.form.states)
    likelihoods = Likelihoods(job.out / LIKELIHOODS, job.tokens, job.words, job.tolerance)
    taken: dict[str, list[int]] = {}
    if job.chunk:
        if step.branches:
            advice = "leave step.chunk out: a step that branches is evaluated token by token, to see how often each body is taken"
            raise SubmissionFault(Problem("a chunk for a step that branches", "be left out", job.chunk, advice))
        chunk = loader.stepper(StepRequest(job.root / job.chunk, job.words, job.threads, chunk=True))
        shown = evaluate_chunks(chunk, step, initial, tokens, likelihoods, job)
    else:
        shown = Shown(range(0, job.tokens, min(job.tokens, buffer_rows(job.words))), min(job.shown, job.tokens), job.seed)
        taken = _evaluate(step, initial, tokens, likelihoods, job.words, shown)
        del step  # a large model is in memory once
        fresh = loader.stepper(StepRequest(job.root / job.primary, job.words, job.threads))
        _again(fresh, initial, tokens, likelihoods.kept, job.words)
    if taken:
        (job.out / TAKEN).write_text(json.dumps(taken, sort_keys=True), encoding="utf-8")
    likelihoods.kept.flush()  # type: ignore[attr-defined]  # a memmap
    return PredictResult(LIKELIHOODS, likelihoods.kept.shape, TAKEN if taken else "", *shown.write(job.out))


def initial_states(job: StepJob, wanted: Sequence[Port]) -> list[NDArray[Any]] | None:
    """The states before the first token, in the model's order; ``None`` for zeros. Raises ``SubmissionFault``."""
    if not job.initial:
        return None
    given = {name: np.load(path, allow_pickle=False) for name, path in job.initial}
    check_states({name: (array.shape, array.dtype.name) for name, array in given.items()}, wanted)
    return [given[port.name] for port in wanted]


def _evaluate(
    step: Stepper, initial: list[NDArray[Any]] | None, tokens: NDArray[np.int64], likelihoods: Likelihoods, words: int, shown: Shown
) -> dict[str, list[int]]:
    """Feed the text; branch id → body for each token."""
    taken: dict[str, list[int]] = {}
    count = len(tokens) - 1
    rows = np.empty((min(count, buffer_rows(words)), words), step.rows_format)
    step.start(initial)
    for start in range(0, count, len(rows)):
        fed = tokens[start : min(start + len(rows), count)]
        if start in shown.starts:
            shown.before(start, step.state())
        for branch, indices in step.feed(fed, rows[: len(fed)]).items():
            record = taken.setdefault(branch, [])
            record.extend([NOT_REACHED] * (start - len(record)))
            record.extend(indices)
        shown.take(start, rows[: len(fed)])
        likelihoods.take(rows[: len(fed)], tokens[start + 1 : start + 1 + len(fed)])
    for record in taken.values():
        record.extend([NOT_REACHED] * (count - len(record)))
    return taken


def _again(fresh: Stepper, initial: list[NDArray[Any]] | None, tokens: NDArray[np.int64], kept: NDArray[np.float64], words: int) -> None:
    """The same tokens from the same states, in a fresh session, must get the same answers."""
    count = min(buffer_rows(words), AGAIN, len(kept))
    rows = np.empty((count, words), fresh.rows_format)
    fresh.start(initial)
    fresh.feed(tokens[:count], rows)
    found = rows[np.arange(count), tokens[1 : count + 1]][:, None]
    agreement = Agreement("a different answer in a fresh session", "an answer may depend only on the tokens before it")
    agreement.add(0, rows_apart(found, kept[:count, None]))
    agreement.check()
