"""A program with what it costs, and the weights that programs are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from micronet_verify.counting.ledger import Regime
from micronet_verify.testing.program import Array, Program, Step

EXAMPLES = 8
"""On so many examples every program is tried."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A program, its storage in bits, its operations of both classes per example, and their bits where not the freebie's.

    ``shares``: of the ``EXAMPLES`` that reach a branch, how many take its first body, and how many reach it, by the step's name.
    """

    program: Program
    storage: int
    multiplies: int | Fraction = 0
    adds: int | Fraction = 0
    regime: Regime = "freebie"
    bits: int = -1
    shares: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def operation_bits(self) -> int | Fraction:
        return self.bits if self.bits >= 0 else 16 * self.multiplies + 32 * self.adds


def dense(*shape: int, seed: int = 0) -> Array:
    """Weights in ±(0.1 … 0.9), on no grid and without a number that fp16 holds."""
    source = np.random.default_rng(seed)
    return np.asarray(source.choice([-1, 1], shape) * (source.uniform(0.1, 0.9, shape) + 1e-6), np.float32)


def with_zeros(array: Array, kept: tuple[int, ...]) -> Array:
    """``kept[i]`` weights of output i stay, here and there: the zeros make no blocks."""
    out, source = array.reshape(len(array), -1).copy(), np.random.default_rng(11)
    for row, count in enumerate(kept):
        out[row, source.permutation(out.shape[1])[count:]] = 0
    return out.reshape(array.shape)


def one(
    op: str, shape: tuple[int, ...], name: str = "", arrays: Mapping[str, Array] | None = None, spread: float = 1.0, **options: Any
) -> Program:
    """A program of one operator, by its name."""
    return Program(name or op, shape, (Step(op, ("x",), arrays or {}, options),), spread=spread)


def behind_relu(name: str, shape: tuple[int, ...], op: str, /, **options: Any) -> Program:
    """A relu and then ``op``: something to count in front of what costs nothing."""
    return Program(name, shape, (Step("relu", name="r"), Step(op, ("r",), {}, options)))
