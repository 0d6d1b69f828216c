"""Whatever the text, the strict reader answers with data or sentences, never with a traceback."""

from __future__ import annotations

from decimal import Decimal

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from micronet_verify.errors import SpecError
from micronet_verify.strict_yaml.load import load
from micronet_verify.strict_yaml.model import parse
from micronet_verify.track.spec import TrackSpec

LAWS = settings(deadline=None, derandomize=True, database=None, max_examples=300)
YAML_SIGNS = "a§b: §name§: §:§- §\n§\n  §\n    §[§]§{§}§, §'§\"§&x §*x§!t §? §|\n§>-\n§#§%§@§---\n§...\n§<<: §=§`§~§\t§\\§\r"
SURPRISES = "0§7§1_0§NO§2019-01-01§\\U00110000§\\x§\x00§\x85§\ufeff§\ud800§é§😀"
SIGNS = st.sampled_from(f"{YAML_SIGNS}§{SURPRISES}".split("§"))
DATA = st.recursive(
    st.booleans() | st.integers(-(10**30), 10**30) | st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn", "Zl", "Zp", "Cf", "Co"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.from_regex("[a-z_]{2,9}", fullmatch=True), inner, max_size=4),
    max_leaves=12,
)


@LAWS
@given(st.text(st.characters(), max_size=200) | st.lists(SIGNS, max_size=60).map("".join) | st.binary(max_size=200))
def test_any_text_gives_data_or_problems(text: str | bytes):
    located = load(text, "f.yaml")
    assert (located.data is not None) or located.problems
    for _, problem in located.problems:
        assert problem.where.startswith("f.yaml")
        str(problem).encode()


@LAWS
@given(st.lists(SIGNS, max_size=60).map("".join))
def test_any_text_is_a_track_or_a_spec_error(text: str):
    try:
        parse(TrackSpec, load(text, "f.yaml"), SpecError)
    except SpecError as error:
        str(error).encode()  # the sentence can be printed
    else:
        raise AssertionError("random signs made a whole track")


@LAWS
@given(DATA)
def test_quoted_yaml_reads_back_what_was_written(data: object):
    # Another writer's text: every text quoted, everything else plain.
    text = yaml.dump({"key": data}, Dumper=_Quoting, allow_unicode=True, width=10_000)
    located = load(text, "f.yaml")
    assert located.problems == ()
    assert located.data == {"key": data}


@LAWS
@given(st.decimals(allow_nan=False, allow_infinity=False, places=12, min_value=-(10**20), max_value=10**20))
def test_decimals_are_exact(number: Decimal):
    assert load(f"a: {number:f}").data == {"a": number}


class _Quoting(yaml.SafeDumper):
    """Quotes text, never refers back, keeps ``true`` and numbers plain."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _quoted(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')


_Quoting.add_representer(str, _quoted)
