"""Prices that readings share are those of each reading alone: every line, under every value of every knob."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from micronet_verify.counting.analysed import analyse
from micronet_verify.counting.price import price
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.registry import framework_of
from micronet_verify.framework.requests import TranslateRequest
from micronet_verify.track.rules import KNOBS, CountingRules

SAMPLES = Path(__file__).parents[2] / "sample_submissions" / "digits"


@pytest.mark.parametrize(
    "name", ["pruned-onnx/model.onnx", "int8-qdq-onnx/model.onnx", "int4-weights-onnx/model.onnx", "dense-pytorch/model.pt2"]
)
def test_each_reading_gives_the_lines_that_it_gives_alone(name: str, tmp_path: Path) -> None:
    file = SAMPLES / name
    graph = framework_of(file.name).counter().translate(TranslateRequest(file), GraphBuilder(tmp_path))
    store = ConstantStore(file.parent, tmp_path)
    shared = analyse(graph, store)
    rules = CountingRules()
    readings = [rules, *(replace(rules, **{knob: value}) for knob, values in KNOBS.items() for value in values)]  # type: ignore[arg-type]
    for reading in readings:
        if reading.regimes == "freebie" and shared.forfeited:
            continue
        together, alone = price(shared, reading), price(analyse(graph, store), reading)
        assert {regime: ledger.lines for regime, ledger in together.ledgers.items()} == {
            regime: ledger.lines for regime, ledger in alone.ledgers.items()
        }, reading
