"""The process that proves: ``python -m micronet_verify.proof.worker JOB.json``. It knows prices, and neither labels nor frameworks."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, fields
from fractions import Fraction
from typing import Any, cast

import numpy as np

from micronet_verify.counting.ledger import Regime
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.proof.prove import prove
from micronet_verify.proof.runs import Given
from micronet_verify.proof.terms import Charge, Terms
from micronet_verify.sandbox.jobs import GRAPH, PROOF, AnyJob, AnyResult, ProveJob, ProveResult
from micronet_verify.sandbox.products import read_graph
from micronet_verify.sandbox.sampling import random_for
from micronet_verify.sandbox.worker import main
from micronet_verify.track.rules import CountingRules


def run(job: AnyJob, ready: Callable[[], None]) -> AnyResult:
    """Prove, and write what came of it."""
    assert isinstance(job, ProveJob)
    ready()
    each = len(job.states) // max(1, len(job.begins))
    states = [np.load(path, allow_pickle=False) for path in job.states]
    given = Given(
        np.load(job.rows, allow_pickle=False),
        np.load(job.answers, allow_pickle=False),
        job.begins,
        tuple(tuple(states[each * at : each * (at + 1)]) for at in range(len(job.begins))),
    )
    found = prove(
        read_graph(job.graph / GRAPH),
        ConstantStore(job.root, job.graph),
        given,
        Charge(CountingRules(**_known(job.rules)), cast("Regime", job.regime), Fraction(job.per_word)),
        Terms(**job.terms),
        random_for(job.seed, "rounding"),
        {name: np.load(path, allow_pickle=False) for name, path in job.initial} if job.language else None,
    )
    (job.out / PROOF).write_text(json.dumps(asdict(found), sort_keys=True), encoding="utf-8")
    return ProveResult(PROOF)


def _known(rules: dict[str, str | int]) -> dict[str, Any]:
    return {field.name: rules[field.name] for field in fields(CountingRules)}


if __name__ == "__main__":
    main(sys.argv[1], run)
