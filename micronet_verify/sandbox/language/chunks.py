"""A text in chunks of many tokens, and the samples that show that the chunk is the step: it looks at nothing that comes later, and
answers as the step does. At least a twentieth of the text, and the first token of every chunk, is read by the step as well. Samples
follow from the run's seed, so that nobody who writes a chunk knows where it is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.framework.stepping import Stepper
from micronet_verify.sandbox.jobs import StepJob
from micronet_verify.sandbox.language.agreement import Agreement, rows_apart, states_apart
from micronet_verify.sandbox.language.log_likelihoods import Likelihoods
from micronet_verify.sandbox.language.shown_rows import Shown
from micronet_verify.sandbox.sampling import random_for

# Log-probabilities that one chunk makes, where its length is free, and the most that it may make.
NUMBERS, MOST_NUMBERS = 1 << 24, 1 << 27
LONGEST = 128
# Of the text, what is read by the step as well; and chunks at least.
SHARE, LEAST = 20, 4
# Places in the text at which the future is changed, at least.
CUTS = 64
# The same kernels on the same numbers: nothing but the future differs.
CAUSAL = 1e-4


def evaluate_chunks(
    chunk: Stepper, step: Stepper, initial: Sequence[NDArray[Any]] | None, tokens: NDArray[np.int64], likelihoods: Likelihoods, job: StepJob
) -> Shown:
    """Take every row of the text ``tokens`` [tokens + 1] from ``chunk``; ``step`` reads samples of it, and what is shown.

    Raises ``SubmissionFault`` naming the token at which the chunk looks ahead, or is not the step.
    """
    length, count = _length(chunk, step, job), len(tokens) - 1
    starts = range(0, count, length)
    random = random_for(job.seed, "chunks")
    compared = _sample(len(starts), length, count, random)
    cuts = -(-CUTS // len(starts))
    ahead = Agreement(
        "a chunk whose answers change when later tokens change,", "an answer may depend only on earlier tokens", CAUSAL, CAUSAL
    )
    # Apart, so that many first tokens which agree outvote no chunk that does not.
    whole, firsts = (
        Agreement("an answer of the chunk that differs from the step's", "the chunk must be the same model as the step, which is counted")
        for _ in range(2)
    )
    rows, others = (np.empty((min(length, count), job.words), chunk.rows_format) for _ in range(2))
    shown = Shown(starts, min(job.shown, count), job.seed)
    chunk.start(initial)
    for number, start in enumerate(starts):
        fed = tokens[start : min(start + length, count)]
        size = len(fed)
        before = chunk.state()
        chunk.feed(fed, rows[:size])
        after = chunk.state()
        likelihoods.take(rows[:size], tokens[start + 1 : start + 1 + size])
        for cut in random.integers(1, size, cuts).tolist() if size > 1 and job.words > 1 else ():
            changed = fed.copy()
            changed[cut:] = (fed[cut:] + random.integers(1, job.words, size - cut)) % job.words
            chunk.start(before)
            chunk.feed(changed, others[:size])
            ahead.add(start, rows_apart(rows[:cut], others[:cut]))
        ahead.check()
        if number in compared:
            _compare(step, before, fed, rows[:size], start, whole, after if size == length or chunk.form.length is None else None)
        else:
            _compare(step, before, fed[:1], rows[:1], start, firsts)
        shown.read(step, start, before, fed, job.words)
        chunk.start(after)
    return shown


def _length(chunk: Stepper, step: Stepper, job: StepJob) -> int:
    """Tokens at a time. Raises ``SubmissionFault`` for states that are not the step's, and for a chunk that is too long."""
    steps, chunks = ([(port.shape, port.format) for port in form.states] for form in (step.form, chunk.form))
    if steps != chunks:
        got, should = (", ".join(f"{fmt} {list(shape)}" for shape, fmt in states) or "none" for states in (chunks, steps))
        raise SubmissionFault(Problem(f"a chunk with states {got}", f"have the step's, in the same order: {should}", job.chunk))
    length = chunk.form.length or max(1, min(LONGEST, NUMBERS // job.words))
    if length * job.words > MOST_NUMBERS:
        got = f"a chunk of {length:,} tokens × {job.words:,} words"
        raise SubmissionFault(Problem(got, f"give at most {MOST_NUMBERS:,} log-probabilities at a time", job.chunk))
    return length


def _sample(chunks: int, length: int, count: int, random: np.random.Generator) -> frozenset[int]:
    """The chunks that the step reads whole: the first, and others at random, a twentieth of the text at least."""
    wanted = min(chunks, max(LEAST, 1 + -(-count // (SHARE * length))))  # the last chunk may be short
    return frozenset([0, *random.choice(np.arange(1, chunks), wanted - 1, replace=False).tolist()])


def _compare(
    step: Stepper,
    before: Sequence[NDArray[Any]],
    fed: NDArray[np.int64],
    rows: NDArray[Any],
    start: int,
    same: Agreement,
    after: Sequence[NDArray[Any]] | None = None,
) -> None:
    """Have the step read the tokens ``fed`` from the states ``before``: its rows, and what it leaves ``after``, are the chunk's."""
    answers = np.empty(rows.shape, step.rows_format)
    step.start(before)
    step.feed(fed, answers)
    differences = rows_apart(rows, answers)
    if after is not None:  # what the last token leaves behind belongs to its answer
        differences[-1] = max(differences[-1], states_apart(step.state(), after))
    same.add(start, differences)
    same.check()
