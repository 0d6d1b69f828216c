"""Evaluations made by hand: a small counted graph, and whatever else a check asks about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from micronet_verify.counting.count import count_graph
from micronet_verify.counting.ledger import Ledger, LedgerLine
from micronet_verify.counting.score import Score
from micronet_verify.errors import Problem
from micronet_verify.evaluation import Evaluation, Fault
from micronet_verify.facts.artifact import Artifact, FileDigest
from micronet_verify.facts.graph import Value
from micronet_verify.facts.predictions import Predictions
from micronet_verify.facts.proof import Compared, Proof
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.quality.metrics.accuracy import Quality
from micronet_verify.submission.manifest import Claim, Manifest, Member
from micronet_verify.submission.submission import Submission
from micronet_verify.track.library import load_track
from micronet_verify.track.rules import CountingRules
from micronet_verify.track.track import Track
from tests.build import Net, dense

MODEL = FileDigest("model.onnx", "ab" * 32, 1234)
LINES = {"claims": 14, "claims.parameter_storage": 15, "claims.math_operations": 16, "claims.score": 17, "claims.quality": 18}
TRACK = load_track("digits")
PROOF = Proof(64, 1e-6, 64, Compared("holds", 2e-6, 8e-6), Compared("holds", 3e-6, 8e-6))


def submission(claims: Claim | None = None, files: tuple[FileDigest, ...] = (MODEL,), **changes: Any) -> Submission:
    manifest = Manifest(
        title="A small network",
        team="Some Team",
        members=(Member("someone", "Some One"),),
        track="digits",
        framework="onnx",
        submitted=datetime(2026, 1, 1, tzinfo=UTC),
        model="model.onnx",
        claims=claims or Claim(),
        lines=LINES,
    )
    return Submission("digits/small", Path("small"), replace(manifest, **changes), "cd" * 32, files)


def track(**knobs: Any) -> Track:
    """The digits track, priced by the 2019 edition with other knobs."""
    return replace(TRACK, rules=CountingRules(**knobs))


def small_net() -> tuple[Net, Value]:
    """A convolution of 4·9 weights without a zero, and a relu, on 8×8."""
    net = Net.new()
    weight, bias = net.constant(dense((4, 1, 3, 3)), "conv.weight"), net.constant(dense((4,), 1), "conv.bias")
    return net, net.b.elementwise("relu", net.conv(net.input(1, 1, 8, 8), weight, bias, pad=1))


def evaluation(net: Net, *outputs: Value, priced: Track | None = None, shares: dict[str, Fraction] | None = None) -> Evaluation:
    """All stages passed: ``net`` counted, its answers 490 of 500 right."""
    priced = priced or TRACK
    graph = net.finish(*outputs)
    count = count_graph(graph, ConstantStore(net.folder, net.folder), priced.rules, shares)
    ledger = count.cheapest(priced.baseline.parameters, priced.baseline.operations)
    return Evaluation(
        id="digits/small",
        submission=submission(),
        track=priced,
        artifact=Artifact(Path("small"), "model.onnx", (MODEL,)),
        graph=graph,
        count=count,
        ledger=ledger,
        predictions=Predictions(MODEL.sha256, Path("outputs.npy"), "ef" * 32, 500, 64),
        quality=Quality("top1", 490, 500, 475),
        score=Score.of(ledger, priced.baseline),
        shares=shares or {},
        proof=PROOF,
    )


def small(**changes: Any) -> Evaluation:
    """The evaluation of ``small_net``, with fields replaced."""
    net, output = small_net()
    return replace(evaluation(net, output), **changes)


def faulty(stage: str, *problems: Problem, acts: str = "entrant", missing: bool = False, **changes: Any) -> Evaluation:
    """``small`` without results from ``stage`` on, which failed."""
    fault = Fault(acts, problems or (Problem("one thing", "be another", "somewhere"),), missing)  # type: ignore[arg-type]
    gone: dict[str, tuple[str, ...]] = {
        "manifest": ("submission", "track", "artifact", "graph", "count", "ledger", "predictions", "quality", "score", "proof"),
        "track": ("track", "artifact", "graph", "count", "ledger", "predictions", "quality", "score", "proof"),
        "export": ("artifact", "graph", "count", "ledger", "predictions", "quality", "score", "proof"),
        "translate": ("graph", "count", "ledger", "score", "proof"),
        "count": ("count", "ledger", "score", "proof"),
        "predict": ("predictions", "quality", "proof"),
        "prove": ("proof",),
        "quality": ("quality",),
    }
    return small(faults={stage: fault}, **dict.fromkeys(gone[stage]), **changes)


def with_lines(found: Evaluation, change: Callable[[LedgerLine], LedgerLine | None], *more: LedgerLine) -> Evaluation:
    """The evaluation with another ledger: ``change`` each line (``None`` drops it), then ``more`` lines."""
    assert found.ledger is not None
    lines = tuple(new for new in map(change, found.ledger.lines) if new is not None) + more
    return replace(found, ledger=Ledger(found.ledger.edition, found.ledger.regime, lines))


def line(axis: str, rule: str, quantity: int | Fraction, bits: int, subject: str = "forged", operation: str = "") -> LedgerLine:
    return LedgerLine(axis, rule, subject, "", Fraction(quantity), bits, "", operation=operation)  # type: ignore[arg-type]
