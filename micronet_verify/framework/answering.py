"""Asking a model for its answers, batch by batch or example by example, and telling which bodies each example took."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.framework.protocols import Answer, as_batches

Array = NDArray[Any]
Ask = Callable[[Array], tuple[Array, Sequence[int]]]
"""Feeds a batch: the answer, and of one example the body that it took at each branch (−1 where it did not come by)."""


def answers(inputs: Array, batch_size: int, ask: Ask, names: Sequence[str], one_by_one: bool, output: str = "") -> Iterator[Answer]:
    """Answers for ``inputs`` [examples, …] in order. ``names``: the branches; a model that has some is asked for each example alone.

    ``output`` is the name of what answers. Raises ``SubmissionFault`` for answers that are not one row of floats for each example.
    """
    for batch in as_batches(inputs, batch_size):
        if not (names or one_by_one):
            yield Answer(floats(ask(batch)[0], len(batch), output))
            continue
        rows = [ask(batch[index : index + 1]) for index in range(len(batch))]
        answer = np.concatenate([row for row, _ in rows]) if rows[0][0].ndim else rows[0][0]
        taken = {name: tuple(bodies[index] for _, bodies in rows) for index, name in enumerate(names)}
        yield Answer(floats(answer, len(batch), output), taken)


def floats(answer: Array, examples: int, output: str = "") -> Array:
    """An answer of one row for each example, as float32 or float64. Raises ``SubmissionFault``."""
    where = f"output {output!r}" if output else ""
    if answer.ndim == 0 or len(answer) != examples:
        raise SubmissionFault(Problem(f"an output of shape {answer.shape} for {examples} examples", f"have {examples} rows", where))
    if answer.dtype in (np.float32, np.float64):
        return answer
    if answer.dtype.name in ("float16", "bfloat16"):
        return answer.astype(np.float32)
    raise SubmissionFault(Problem(f"a first output of type {answer.dtype}", "be of floats", where))
