"""The page of rules: every id that a ledger, a check or a knob names has its anchor, and every knob stands with its rule."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import numpy as np
import pytest

from micronet_verify.counting.ledger import Ledger
from micronet_verify.facts.graph import Value
from micronet_verify.reports.readings import RULES
from micronet_verify.track.rules import KNOBS, CountingRules
from tests.build import Net, dense

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
ANCHORS = re.findall(r'<a id="([SOR]\d+)"></a>', PAGE)
ID = re.compile(r"[SO][1-9]\d?")


def named_in_code() -> set[str]:
    """String literals of the counting room and the checks that are rule ids."""
    found = set()
    for folder in ("counting", "checks/rules", "analysis", "reports"):
        for path in (ROOT / "micronet_verify" / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and ID.fullmatch(node.value):
                    found.add(node.value)
    return found


def test_each_anchor_is_there_once() -> None:
    assert len(ANCHORS) == len(set(ANCHORS))
    assert {f"S{at}" for at in range(1, 10)} | {f"O{at}" for at in range(1, 21)} | {f"R{at}" for at in range(1, 5)} <= set(ANCHORS)


def test_every_rule_that_the_code_names_has_its_anchor() -> None:
    named = named_in_code()
    assert {"S1", "S9", "O1", "O19", "O20"} <= named
    assert sorted(named - set(ANCHORS)) == []


@pytest.mark.parametrize("knob", KNOBS)
def test_every_knob_stands_with_its_rule(knob: str) -> None:
    told = dict(re.findall(r'<a id="([SOR]\d+)"></a>(.*?)(?=<a id=|\n## |\Z)', PAGE, re.DOTALL))
    rules = RULES[knob].split(", ")
    assert set(rules) <= set(ANCHORS)
    assert knob == "regimes" or any(f"`{knob}`" in told[rule] for rule in rules), rules


def everything(net: Net) -> Value:
    """One network that is charged under as many rules as fit."""
    x = net.b.emit("permute", net.input(1, 4, 8, 8), net.b.constant(np.array([2, 0, 3, 1]), "order"), op="index", axis=1)
    y = net.b.elementwise("gelu", net.batch_norm(net.conv(x, net.constant(dense((6, 4, 3, 3))), pad=1), 6))
    y = net.b.emit("resize", net.b.elementwise("mul", y, net.b.elementwise("sin", y)), op="nearest", shape=(1, 6, 16, 16))
    mean = net.b.emit("reduce", y, op="mean", axes=(2, 3), keepdims=False)
    row = net.b.emit("select", mean, op="argmax", axis=1)
    return net.b.elementwise("add", mean, net.b.emit("lookup", net.constant(dense((6, 6))), row, op="gather", axis=0))


@pytest.mark.parametrize("regime", ["freebie", "quantized"])
def test_every_line_of_a_ledger_leads_to_its_rule(regime: str) -> None:
    net = Net.new()
    ledger: Ledger = net.count(everything(net), rules=CountingRules(structure="charged")).ledgers[regime]  # type: ignore[index]
    assert {"S9", "O1", "O4", "O5", "O8", "O9", "O10", "O20"} <= {line.rule for line in ledger.lines}
    assert sorted({line.rule for line in ledger.lines} - set(ANCHORS)) == []


def test_ids_in_the_docs_of_knobs_are_rules_of_the_page() -> None:
    schema = json.loads((ROOT / "docs" / "schema" / "rules.schema.json").read_text(encoding="utf-8"))
    named = {rule for item in schema["properties"].values() for rule in ID.findall(item.get("description", ""))}
    assert sorted(named - set(ANCHORS)) == []
