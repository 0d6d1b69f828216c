"""Has every operator a price (rule O17)?"""

from __future__ import annotations

from collections import Counter

from micronet_verify.checks.blame import unreadable
from micronet_verify.checks.reach import lost, not_reached, told
from micronet_verify.checks.rules.walk import live_nodes
from micronet_verify.checks.verdict import Verdict
from micronet_verify.evaluation import Evaluation
from micronet_verify.wording.numbers import many

NAME = "operators"


def check(evaluation: Evaluation) -> Verdict:
    """Failed with every operator, by name and place, that the plugin cannot translate or the rules do not price."""
    if (blocked := not_reached(NAME, evaluation, "export")) is not None:
        return blocked
    if unreadable(evaluation) is not None:
        return Verdict(NAME, "skipped", "not reached: the model file could not be read", {"stage": "translate"})
    for stage in ("translate", "count"):
        if stage in evaluation.faults:
            return told(NAME, evaluation.faults[stage])
    if evaluation.graph is None or evaluation.count is None:
        return lost(NAME, "count")
    kinds = Counter(node.source or node.kind for node in live_nodes(evaluation.graph))
    shown = ", ".join(f"{count:,} {name}" for name, count in sorted(kinds.items(), key=lambda item: (-item[1], item[0]))[:6])
    total = kinds.total()
    message = f"{many(total, 'operator')}, every one with a price: {shown}{' …' if len(kinds) > 6 else ''}"
    return Verdict(NAME, "passed", message, {"operators": total, "kinds": len(kinds)})
