"""Shapes of a model's inputs: a batch of one example, or a free one."""

from __future__ import annotations

from collections.abc import Sequence

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.graph import Shape

FREE_BATCH = "export with a free batch, or with one example"
FIXED = "export with fixed sizes; only the batch may be free"


def input_shape(sizes: Sequence[int | str | None], where: str, batch: int = 1, advice: str = FREE_BATCH) -> Shape:
    """The shape of an input for ``batch`` examples, where the first axis is free.

    ``sizes``: as declared; ``None`` or the name of a size for a free one. ``advice``: how to export a batch. Raises
    ``SubmissionFault`` for other free axes, another batch, and sizes below 1.
    """
    if not sizes:
        raise SubmissionFault(Problem("an input without a batch axis", "have a shape whose first axis is the batch", where))
    problems = []
    if isinstance(sizes[0], int) and sizes[0] != 1:
        problems.append(Problem(f"a fixed batch of {sizes[0]}", "be 1 or free (dynamic)", where, advice))
    for axis, size in enumerate(sizes[1:], 1):
        if not isinstance(size, int):
            named = f" ({size})" if size else ""
            problems.append(Problem(f"a free axis {axis}{named}", "have a fixed size", where, FIXED))
        elif size < 1:
            problems.append(Problem(f"size {size} on axis {axis}", "be at least 1", where))
    if problems:
        raise SubmissionFault(problems)
    return (1 if isinstance(sizes[0], int) else batch, *(size for size in sizes[1:] if isinstance(size, int)))
