"""The door of this room: every check, in the order in which a reader asks, and the verdicts of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from micronet_verify.checks import artifact, claims, manifest, operators, proof, quality, score, sealing
from micronet_verify.checks.rules.laws import RULE_CHECKS
from micronet_verify.checks.verdict import Verdict
from micronet_verify.evaluation import Evaluation

Check = Callable[[Evaluation], Verdict]

CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "manifest": manifest.check,
        "artifact": artifact.check,
        "sealing": sealing.check,
        "operators": operators.check,
        "proof": proof.check,
        **{f"rule {rule}": check for rule, check in RULE_CHECKS.items()},
        "claims": claims.check,
        "quality": quality.check,
        "score": score.check,
    }
)
"""Every check by name. A ``rule …`` check is skipped where its rule charges nothing in the entry; that is no blemish."""


def judge(evaluation: Evaluation) -> tuple[Verdict, ...]:
    """The verdicts of all checks on one evaluation, in the order of ``CHECKS``."""
    return tuple(check(evaluation) for check in CHECKS.values())
