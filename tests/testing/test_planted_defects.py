"""Each defect that a plugin may have fails the contract: planted in the counter, in the loader, and in both alike."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from micronet_verify.testing.cases import CASES
from tests.testing.behaviours import BEHAVIOURS
from tests.testing.defects import CHANGES
from tests.testing.neutral.counter import NeutralCounter
from tests.testing.neutral.loader import NeutralLoader
from tests.testing.neutral.plugin import Neutral
from tests.testing.planted import affected, failing

PLACES = ("counter", "loader", "both")
LEAST = (
    "wrong axis",
    "dropped bias",
    "wrong stride",
    "ignored activation quantization",
    "transposed square weights",
    "constant not stored",
    "wrong type",
    "int8 read as uint8",
    "name collisions",
    "answers of another file",
    "BN eps",
    "mean and variance swapped",
    "scale and shift swapped",
    "transpose as reshape",
    "slice start",
    "scale of a fake quantizer",
    "Add for Sub",
    "Mul for Div",
    "concat order",
    "ignored batch",
)
"""Defects that were once planted in a plugin, of which the contract found ten."""


def test_the_defects_that_went_through_once_are_among_them() -> None:
    assert set(LEAST) <= {*CHANGES, *BEHAVIOURS}


def test_the_sound_plugin_fails_nothing(tmp_path: Path) -> None:
    assert failing(Neutral(), CASES, tmp_path) == []


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", CHANGES)
def test_a_planted_defect_fails_the_contract(name: str, place: str, tmp_path: Path) -> None:
    change = CHANGES[name]
    cases = list(affected(change))
    assert cases, "no program of the kit would show this defect"
    plugin = Neutral()
    if place != "loader":
        plugin = plugin.with_counter(partial(NeutralCounter, change))
    if place != "counter":
        plugin = plugin.with_loader(partial(NeutralLoader, change))
    assert failing(plugin, cases, tmp_path)
