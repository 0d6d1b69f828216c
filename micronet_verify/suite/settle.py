"""How a case asserts."""

from __future__ import annotations

import pytest

from micronet_verify.checks.verdict import Verdict
from micronet_verify.evaluation import Evaluation, StageName
from micronet_verify.reports.texts import many_lines


def assert_passed(verdict: Verdict) -> None:
    """Fail the test with the verdict's sentences and nothing else."""
    __tracebackhide__ = True
    if verdict.outcome != "passed":
        pytest.fail(many_lines(verdict.message), pytrace=False)


def require(evaluation: Evaluation, *stages: StageName) -> None:
    """Skip the test unless these stages of the entry gave results: for organizers' own cases."""
    __tracebackhide__ = True
    stage = evaluation.blocked_by(*stages)
    if stage is not None:
        pytest.skip(f"not reached: the {stage} stage gave no result")
