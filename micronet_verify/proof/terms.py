"""What a track asks of a proof, and what is proved: how an entry is charged."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from micronet_verify.counting.ledger import Regime
from micronet_verify.track.rules import CountingRules


@dataclass(frozen=True, slots=True)
class Terms:
    """As ``track.track.Proof`` has it.

    ``factor`` and ``cap``: how far answers may lie apart, in the interpreter's own difference between float32 and float64 and
    in the spread between examples. ``ratio`` and ``spread``: the same under the freebie, in what stochastic rounding to 11 bits
    does, and the most that this may do.
    """

    factor: float = 8.0
    cap: float = 1e-3
    ratio: float = 2.0
    spread: float = 0.15


@dataclass(frozen=True, slots=True)
class Charge:
    """How an entry is charged. ``per_word``: the baseline's operations for each word (``analyse``)."""

    rules: CountingRules
    regime: Regime
    per_word: Fraction
