"""The alternative readings of the rules for a terminal and as data: what each does to the score, and which moves it most."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import RenderableType

from micronet_verify.counting.alternatives import Readings
from micronet_verify.reports.tables import safe, table
from micronet_verify.wording.numbers import number, percent, rounded

# The knob's rule, for the reader who looks it up.
RULES = {
    "representation": "S3",
    "mask": "S3",
    "batch_norm": "S7",
    "permutation": "O9",
    "accumulator": "O12",
    "regimes": "S5, O7",
    "dot_adds": "O1",
    "activation_bits": "O2",
    "attention_mask": "O15",
    "saturation": "O19",
    "structure": "S9",
}


def readings_table(found: Readings) -> Iterator[RenderableType]:
    """The interval in a sentence, the reading that moves the score most, then every reading that changes it."""
    yield safe(
        f"Score {rounded(found.score, 6)} as the edition reads; {rounded(found.low, 6)} to {rounded(found.high, 6)} over all readings "
        "of its knobs together."
    )
    most = found.moves_most
    if most is None:
        yield safe("No reading changes it: the score does not depend on the rules' wording.")
        return
    yield safe(f"What moves it most: {most.knob} = {most.value} ({RULES[most.knob]}), by {_signed(most.change)}.")
    rows = table(["reading", "rule", "score", "change", "%"], ["score", "change", "%"])
    for reading in sorted(found.single, key=lambda item: (-abs(item.change), item.knob, str(item.value))):
        if reading.change:
            share = percent(reading.change, found.score).removesuffix(" %")
            cells = rounded(reading.score, 6), _signed(reading.change), share
            rows.add_row(safe(f"{reading.knob} = {reading.value}"), RULES[reading.knob], *cells)
    yield rows
    same = [f"{reading.knob} = {reading.value}" for reading in found.single if not reading.change]
    if same:
        yield safe(f"Without effect: {', '.join(same)}.")


def readings_data(found: Readings) -> dict[str, Any]:
    """For JSON, exact."""
    return {
        "score": number(found.score),
        "low": number(found.low),
        "high": number(found.high),
        "readings": [
            {"knob": item.knob, "value": item.value, "rule": RULES[item.knob], "score": number(item.score), "change": number(item.change)}
            for item in found.single
        ],
    }


def _signed(change: Any) -> str:
    return ("+" if change > 0 else "") + rounded(change, 6)
