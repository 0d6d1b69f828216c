"""The examples on which every program is tried."""

from __future__ import annotations

import numpy as np

from micronet_verify.testing.program import Array, Program


def examples(program: Program, count: int) -> Array:
    """Inputs [count, …] for a program, the same at every call; of a language model's step a text of ``count`` words."""
    source = np.random.default_rng(7)
    if program.words:
        return source.integers(0, program.words, (count, *program.shape))
    numbers = program.spread * source.normal(size=(count, *program.shape))
    return (np.round(numbers / program.unit) * program.unit if program.unit else numbers).astype(np.float32)
