"""One network in two formats has one price, to the last integer, with its weights carried across."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from fractions import Fraction

import pytest

from micronet_verify.counting.ledger import Ledger, Regime
from micronet_verify.track.rules import BatchNorm
from tests.reference.counts import UNFUSED, Counts
from tests.reference.networks.registry import NETWORKS


def grouped(names: tuple[str, ...]) -> list[object]:
    """Tests of one network stay in one worker under ``--dist loadgroup``."""
    return [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in names]


def by_module(ledger: Ledger) -> dict[tuple[str, str, str], Fraction]:
    """Amounts by (axis, module, operation). A swish is one operator in one format and two in the other, so rules are not compared."""
    found: dict[tuple[str, str, str], Fraction] = defaultdict(Fraction)
    for line in ledger.lines:
        # An ONNX node outside of every module stands under its own name: /Gemm.
        found[line.axis, "" if line.scope.startswith("/") else line.scope, line.operation] += line.amount
    return {key: amount for key, amount in found.items() if amount}


@pytest.mark.parametrize("name", grouped(tuple(NETWORKS)))
def test_every_operator_has_a_price_and_floats_have_both_regimes(counts: Callable[[str], Counts], name: str) -> None:
    """An operator without a price would have failed the count (O17)."""
    for count in counts(name).by.values():
        assert (count.forfeited, list(count.ledgers)) == ("", ["freebie", "quantized"])


@pytest.mark.parametrize("regime", ["freebie", "quantized"])
@pytest.mark.parametrize("name", grouped(tuple(NETWORKS)))
def test_both_formats_cost_the_same_in_every_module(counts: Callable[[str], Counts], name: str, regime: Regime) -> None:
    pt2, onnx = (counts(name).ledger(file_format, regime) for file_format in ("pt2", "onnx"))
    assert by_module(pt2) == by_module(onnx)
    assert (pt2.storage, pt2.operations) == (onnx.storage, onnx.operations)
    for operation in ("multiply", "add"):
        assert pt2.quantity("operations", operation) == onnx.quantity("operations", operation)


@pytest.mark.parametrize("regime", ["freebie", "quantized"])
@pytest.mark.parametrize("name", grouped(tuple(NETWORKS)))
def test_shift_only_costs_the_same_whether_or_not_the_exporter_has_folded(
    counts: Callable[[str], Counts], name: str, regime: Regime
) -> None:
    """A folded norm is a bias in the file, and a bias is what this reading charges for a norm."""
    pt2, onnx = (counts(name).ledger(file_format, regime, "shift_only") for file_format in ("pt2", "onnx"))
    assert (pt2.storage, pt2.operations) == (onnx.storage, onnx.operations)


@pytest.mark.parametrize("reading", ["folded", "shift_only", "charged"])
@pytest.mark.parametrize("name", grouped(UNFUSED))
def test_norms_left_in_the_file_cost_the_same_in_every_module(counts: Callable[[str], Counts], name: str, reading: BatchNorm) -> None:
    regimes: tuple[Regime, ...] = ("freebie", "quantized")
    for regime in regimes:
        pt2, onnx = (counts(name).ledger(file_format, regime, reading) for file_format in ("pt2", "unfused"))
        assert by_module(pt2) == by_module(onnx)
        assert (pt2.storage, pt2.operations) == (onnx.storage, onnx.operations)
