"""A ledger explained as JSON: layers, every line of each, and the totals, all exact."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from micronet_verify.counting.ledger import Ledger, LedgerLine
from micronet_verify.reports.layers import Layer, Scale, dearest_layers, layers
from micronet_verify.reports.scores import score_data
from micronet_verify.track.track import Baseline
from micronet_verify.wording.numbers import number


def explanation_data(ledger: Ledger, baseline: Baseline | None, top: int | None = None, depth: int | None = None) -> dict[str, Any]:
    """JSON data. ``share_of_score`` stands where a baseline makes a score of both axes; ``top``: only the dearest layers;
    ``depth``: see ``layers``."""
    found, scale = layers(ledger, depth), Scale.of(ledger, baseline)
    shown = found if top is None else dearest_layers(found, scale, top)
    totals: dict[str, Any] = {"storage": number(ledger.storage), "operations": number(ledger.operations)}
    if baseline is not None:
        totals |= score_data(ledger, baseline)
        totals["baseline"] = {"storage": number(Fraction(baseline.parameters)), "operations": number(Fraction(baseline.operations))}
    return {
        "edition": ledger.edition,
        "regime": ledger.regime,
        "totals": totals,
        "layers": [_layer(layer, scale) for layer in shown],
        "layers_left_out": len(found) - len(shown),
    }


def _layer(layer: Layer, scale: Scale) -> dict[str, Any]:
    data: dict[str, Any] = {"layer": layer.name, "storage": number(layer.storage), "operations": number(layer.operations)}
    if scale.baseline is not None:
        data["share_of_score"] = number(scale.share(layer.storage, layer.operations))
    return data | {"lines": [_line(line) for line in layer.lines]}


def _line(line: LedgerLine) -> dict[str, Any]:
    return {
        "axis": line.axis,
        "rule": line.rule,
        "subject": line.subject,
        "class": line.operation,
        "formula": line.formula,
        "quantity": number(line.quantity),
        "bits": line.bits,
        "amount": number(line.amount),
        "note": line.note,
    }
