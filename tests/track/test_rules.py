"""The knobs: closed, explained, and the same in code, in the edition file and in the docs."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields, replace

import pytest

from micronet_verify.track.library import load_rules, spec_folder
from micronet_verify.track.rules import KNOBS, CountingRules
from micronet_verify.track.spec import RulesSpec


def test_no_arguments_are_the_2019_edition():
    assert CountingRules() == load_rules("micronet-2019")


@pytest.mark.parametrize("edition", ["micronet-2019", "micronet-2026"])
def test_the_edition_file_spells_every_knob(edition: str):
    text = (spec_folder() / "rules" / f"{edition}.yaml").read_text(encoding="utf-8")
    keys = [line.partition(":")[0] for line in text.splitlines() if line and not line.startswith("#")]
    assert keys == ["schema", *(field.name for field in fields(CountingRules))]


def test_the_model_of_the_file_has_the_knobs_of_the_facts():
    model = {name.rstrip("_") for name in RulesSpec.model_fields}
    assert model == {"schema", *(field.name for field in fields(CountingRules))}


def test_the_edition_of_2026_takes_the_hardened_reading_of_every_knob():
    """B18 and the structure of issue 9: what 2019 leaves free is charged; where 2019 charges already, nothing changes."""
    found, published = load_rules("micronet-2026"), CountingRules()
    changed = {name: getattr(found, name) for name in KNOBS if getattr(found, name) != getattr(published, name)}
    assert changed == {"saturation": "charged", "structure": "charged"}


def test_every_knob_names_the_2019_value_first():
    assert {name: values[0] for name, values in KNOBS.items()} == {name: getattr(CountingRules(), name) for name in KNOBS}


def test_knobs_are_the_readings_that_explain_prices():
    assert dict(KNOBS) == {
        "representation": ("cheapest", "dense", "masked"),
        "mask": ("element_or_block", "element", "absent"),
        "batch_norm": ("folded", "shift_only", "charged"),
        "permutation": ("sparse_matmul", "free"),
        "accumulator": ("full", "proved", "tree"),
        "regimes": ("both", "freebie", "quantized"),
        "dot_adds": ("n_minus_1", "n"),
        "activation_bits": ("measured", 16, 32),
        "attention_mask": ("skipped", "counted"),
        "saturation": ("free", "charged"),
        "structure": ("free", "charged"),
    }


def test_every_knob_and_value_is_explained_in_its_docstring():
    # Name, and what stands below it; the docstring begins with its summary and the edition.
    parts = re.split(r"\n``(\w+)``(?: \(\w.*\))?\n", inspect.getdoc(CountingRules) or "")[1:]
    told = dict(zip(parts[::2], parts[1::2], strict=True))
    assert told.keys() == {"edition", *KNOBS}
    for knob, values in KNOBS.items():
        for value in values:
            spelled = rf"\b{value}\b" if isinstance(value, int) else f"``{value}``"
            assert re.search(spelled, told[knob]), (knob, value)


def test_another_reading_is_another_set_of_rules():
    assert replace(CountingRules(), dot_adds="n") != CountingRules()
