"""What is printed on terminals: nothing of an entrant's can colour, mark up, or forge a line; nothing is wider than the screen."""

from __future__ import annotations

import io
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from micronet_verify.counting.ledger import Ledger, LedgerLine
from micronet_verify.reports.advice import largest_charges, left_on_the_table
from micronet_verify.reports.entry import Asked, EntryRecord, Stopped
from micronet_verify.reports.explanation import explanation
from micronet_verify.reports.explanation_data import explanation_data
from micronet_verify.reports.outcomes import exit_code
from micronet_verify.reports.summary import summary
from micronet_verify.reports.texts import broken
from micronet_verify.track.track import Baseline
from tests.reports.records import entry, price

EVIL = "[red]x[/red]\x1b[31m\r\n\x9b2J[link=file:///etc]y[/link]"
SHOWN = "[red]x[/red] [31m 2J[link=file:///etc]y[/link]"
BASELINE = Baseline(Fraction(1000), Fraction(10000))


def printed(parts, width=140) -> str:
    screen = Console(file=io.StringIO(), width=width, force_terminal=True, markup=False, highlight=False, emoji=False, no_color=True)
    for part in parts:
        screen.print(part)
    return screen.file.getvalue()


def plain(text: str) -> str:
    """Without the bold and dim that the tool itself writes."""
    for code in ("\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[1;2m"):
        text = text.replace(code, "")
    return text


def test_a_ledgers_labels_are_printed_as_they_are_without_codes():
    line = LedgerLine("storage", "S1", EVIL, EVIL, Fraction(10), 8, EVIL, EVIL)
    told = plain(printed(explanation(Ledger("e", "quantized", (line,)), BASELINE, None, 200), 200))
    assert "\x1b" not in told
    assert "\x9b" not in told
    assert SHOWN in told


def test_a_records_texts_are_printed_as_they_are_without_codes():
    record = entry(EVIL, EVIL, title=EVIL, members=((EVIL, EVIL),), verdicts=(Asked("quality", "failed", f"got {EVIL} but should not"),))
    told = plain(printed(summary([record], 140)))
    assert "\x1b" not in told
    assert "\x9b" not in told
    assert "[red]x[/red]" in told


def test_wide_summaries_name_the_failed_checks_and_narrow_ones_fit():
    failed = (Asked("operators", "failed", "got Det but should be priced"), Asked("quality", "failed", "got 1 but should be 2"))
    records = [entry("a/quite-long-name-of-an-entry_with.parts", "A"), entry("b", "B", verdicts=failed)]
    wide = printed(summary(records, 140))
    assert "operators, quality" in wide
    assert "488/500, 13 images above" in wide
    narrow = printed(summary(records, 80), 80)
    assert max(map(len, plain(narrow).splitlines())) <= 80
    assert "488/500 +13" in narrow


def test_a_disqualified_entry_is_told_with_its_reason():
    records = [entry(f"e{at}", "Red", day=at) for at in range(1, 5)]
    assert "e4: disqualified (R3): got one more entry of Red (red)" in printed(summary(records, 200), 200)


def test_long_lists_of_problems_are_cut_and_counted():
    verdicts = (Asked("manifest", "failed", "\n".join(f"got {at} but should not" for at in range(9))),)
    told = printed(summary([entry("a", verdicts=verdicts)], 80), 80)
    assert "got 2 but should not" in told
    assert "got 3 but should not" not in told
    assert "– and 6 more problems" in told


def test_counts_name_every_outcome():
    records = [
        entry("a"),
        entry("b", verdicts=(Asked("x", "failed", "m"),)),
        entry("c", verdicts=(Asked("x", "error", "m"),)),
        entry("d", quality=None),
    ]
    told = printed(summary(records, 80), 80)
    assert "4 entries: 1 passed, 1 failed, 1 could not be judged, 1 not judged to the end" in told
    assert "1 entry: 1 passed" in printed(summary(records[:1], 80), 80)


@pytest.mark.parametrize(("id", "lines"), [
    ("digits/pruned-source-pytorch", ["digits/pruned-", "source-pytorch"]),
    ("short", ["short"]),
    ("x" * 20, ["x" * 14, "x" * 6]),
    ("a-b-c-d-e-f-g-h-i", ["a-b-c-d-e-f-g-", "h-i"]),
])  # fmt: skip
def test_ids_are_broken_after_separators(id, lines):
    assert broken(id, 14) == lines


@given(st.text(alphabet="ab/-_. ", max_size=60), st.integers(1, 20))
def test_law_breaking_an_id_loses_nothing_and_keeps_the_width(id, width):
    lines = broken(id, width)
    assert "".join(lines) == " ".join(id.split())
    assert all(len(line) <= width for line in lines)


ORGANIZER = (Stopped("track", "organizer", "got x but should y", False),)
PASSED, FAILED = entry("p"), entry("f", verdicts=(Asked("q", "failed", "m"),))
ERROR, UNJUDGED = entry("e", verdicts=(Asked("q", "error", "m"),)), entry("u", quality=None)
BROKEN_TRACK = entry("t", verdicts=(Asked("q", "error", "m"),), faults=ORGANIZER)


@pytest.mark.parametrize(("records", "code"), [
    ([], 0), ([PASSED], 0), ([PASSED, FAILED], 1), ([FAILED, ERROR], 3), ([PASSED, UNJUDGED], 3), ([FAILED, UNJUDGED], 3),
    ([ERROR, BROKEN_TRACK, FAILED], 4), ([EntryRecord("nothing asked")], 3),
])  # fmt: skip
def test_whoever_must_act_first_decides_the_exit_code(records, code):
    assert exit_code(records) == code


def test_the_largest_charges_are_exact_shares_in_words(evaluations):
    evaluation = evaluations["digits/dense-pytorch"]
    first, second = largest_charges(evaluation.ledger, evaluation.track.baseline, 2)
    # 2,048 outputs × 143 adds, of 466,176 / 623,104 + 1/2.
    share = Fraction(2048 * 143, 623104) / (Fraction(466176, 623104) + Fraction(1, 2))
    assert first == f"{float(100 * share):.1f} % of the score: aten.conv2d in body.conv, 292,864 adds at 32 bit = 292,864 operations [O1]"
    assert second == "20.7 % of the score: head.weight, 5,120 × 16 bit = 2,560 words [S5]"


def test_what_is_left_on_the_table(evaluations):
    said = left_on_the_table(evaluations["digits/dense-pytorch"])
    assert said[0] == "The quality is 21 images above the target: the model may be compressed further."
    assert any(text.startswith("39.8 % of the score is adds at 32 bits (O12)") for text in said)
    assert said[-1] == "No output depends on 2 constants of the file (S6): they cost nothing and may be left out."
    assert (
        any("multiply-class operations on 32-bit values (O2)" in text for text in left_on_the_table(evaluations["digits/int8-qdq-onnx"]))
        is False
    )
    assert left_on_the_table(evaluations["broken/truncated-onnx"]) == []


@pytest.mark.parametrize(("rule", "axis", "told"), [
    ("S7", "operations", "batch norms without a linear operator next to them to fold into (S7)"),
    ("O9", "storage", "permutations of elements (O9)"),
])  # fmt: skip
def test_charges_that_could_be_avoided_are_named(evaluations, rule, axis, told):
    from dataclasses import replace

    evaluation = evaluations["digits/dense-pytorch"]
    line = LedgerLine(axis, rule, "x", "y", Fraction(10**5), 32, "f")
    found = left_on_the_table(replace(evaluation, ledger=replace(evaluation.ledger, lines=(*evaluation.ledger.lines, line))))
    assert any(told in text for text in found)
    small = replace(line, quantity=Fraction(1))
    found = left_on_the_table(replace(evaluation, ledger=replace(evaluation.ledger, lines=(*evaluation.ledger.lines, small))))
    assert not any(told in text for text in found)


def test_an_explanation_without_a_baseline_shares_each_axis(evaluations):
    data = explanation_data(evaluations["digits/dense-pytorch"].ledger, None, None)
    assert data["totals"].keys() == {"storage", "operations"}
    assert all("share_of_score" not in layer for layer in data["layers"])


def test_a_price_is_shown_as_decimals_and_kept_exact():
    assert price("1/3", "1/3").score.exact == "2/3"
    assert "0.6667" in printed(summary([entry("a", storage="1/3", operations="1/3")], 80), 80)
