"""What an organizer's plugin implements: checks of their own, and reports of their own.

Both see plain facts and nothing else: what is known of an entry, frozen, in exact numbers. Neither can change a count, a quality or
another check's answer. Both run in the judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

from micronet_verify.facts.graph import Graph
from micronet_verify.facts.identity import Identity

Outcome = Literal["passed", "failed", "skipped", "error"]


@dataclass(frozen=True, slots=True)
class VerdictFacts:
    """The answer of one check: on ``failed`` the entrant acts, on ``error`` the operator; ``skipped`` does not apply."""

    check: str
    outcome: Outcome
    message: str = ""


@dataclass(frozen=True, slots=True)
class ChargeFacts:
    """One line of the ledger: ``amount`` = ``quantity`` × ``bits`` / 32, in 32-bit words (storage) or 32-bit operations.

    ``subject`` is the tensor or operator, ``scope`` its module, ``formula`` how the quantity comes about, ``rule`` the id in
    COUNTING_RULES. A quantity is a fraction only behind a branch.
    """

    axis: Literal["storage", "operations"]
    rule: str
    subject: str
    scope: str
    quantity: Fraction
    bits: int
    amount: Fraction
    formula: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class EntryFacts(Identity):
    """What is known of one judged entry. Texts are ``""`` and numbers ``None`` where the judge did not get that far.

    ``members`` are (id, name); ``submitted`` is ISO 8601 with its zone; ``artifact_size`` in bytes. ``storage`` in 32-bit words and
    ``operations`` in 32-bit operations per example, in the ``regime`` that is charged; ``score`` is the sum of their ratios to the
    track's baseline. ``quality`` is what was measured, in words, and ``met`` whether that reaches the target. ``claims`` are as
    written. ``partial``: only the first examples were predicted, so that there is no quality. ``verdicts`` are those of the checks
    that were asked before.
    """

    artifact_sha256: str = ""
    artifact_size: int = 0
    regime: str = ""
    storage: Fraction | None = None
    operations: Fraction | None = None
    score: Fraction | None = None
    metric: str = ""
    quality: str = ""
    met: bool | None = None
    claims: Mapping[str, str] = field(default_factory=dict)
    verdicts: tuple[VerdictFacts, ...] = ()
    partial: bool = False
    seed: str = ""


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """An entry to look at: its facts, the neutral ``graph`` that was counted, and every charge, in the order of the ledger."""

    entry: EntryFacts
    graph: Graph | None = None
    charges: tuple[ChargeFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckResult:
    """``failed`` is the entrant's to mend: ``message`` says what was found and what should be. ``evidence`` is kept with the entry."""

    outcome: Literal["passed", "failed", "skipped"]
    message: str = ""
    evidence: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Check:
    """A question of the organizers', asked about every entry once it is judged.

    Its answer is a verdict like the others: on the board, in ``junit.xml``, in the evidence, and as a case of pytest. An entry that
    fails it does not rank. ``ask`` returns a ``CheckResult``, or ``None`` for passed; it may raise ``SubmissionFault`` for failed.
    Whatever else it raises is an error of the plugin's, by name: nobody fails for it, and nobody passes.
    """

    name: str
    ask: Callable[[CheckRequest], CheckResult | None]


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """The entries of a run in order of id, and the ``folder`` to write into: an empty one of the report's own."""

    entries: tuple[EntryFacts, ...]
    folder: Path


@dataclass(frozen=True, slots=True)
class Report:
    """A report of the organizers', written at the end of a run into ``plugin-reports/NAME`` of the report folder.

    What ``write`` raises is told, and ends nothing.
    """

    name: str
    write: Callable[[ReportRequest], None]
