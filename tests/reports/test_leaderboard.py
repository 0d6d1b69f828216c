"""The leaderboard against a golden file that was read line by line, and its escaping."""

from __future__ import annotations

from pathlib import Path

from markdown_it import MarkdownIt

from micronet_verify.reports.entry import Asked, EntryRecord, Stopped
from micronet_verify.reports.leaderboard import leaderboard
from tests.reports.records import PASSED, board, entry, price, quality

GOLDEN = Path(__file__).parent / "golden" / "leaderboard.md"


def field() -> list[EntryRecord]:
    """Two tracks; two entries of one team, a tie, a wrong claim, each way not to rank, and a manifest that was not read."""
    mira = (("mira-holm", "Mira Holm"),)
    other = board(track="cifar100", title="CIFAR-100", target="at least 8,000 of 10,000 correct")
    return [
        entry("digits/int8", "Eight | Levels *Down*", "1/4", "3/5", 2, price=price("1/4", "3/5", "quantized")),
        entry("digits/int4", "Eight | Levels *Down*", "1/8", "1/2", 3, price=price("1/8", "1/2", "quantized")),
        entry("digits/pruned", "Sparse Matters", "1/16", "1/32", 4),
        entry("digits/dense", "Plain Weights", "1/2", "3/4", 5, members=mira),
        entry("digits/twin", "Same Score", "1/2", "3/4", 6, quality=quality(475)),
        entry("digits/claims", "Loud", "3/4", "3/4", 7, verdicts=(
            *PASSED, Asked("claims", "failed", "got claims.score: 0.62 but should be 1.5"),
        )),
        entry("digits/second", "Weights Too", "1", "1", 8, members=mira),
        entry("digits/third", "Weights Too", "1", "1/2", 9, members=mira),
        entry("digits/fourth", "Weights & Co", "1/100", "1/100", 10, members=mira),
        entry("digits/short", "Nearly", "1/9", "1/9", 11, quality=quality(474), verdicts=(
            Asked("quality", "failed", "got 474 of 500 correct, 1 image short, but should be at least 475 of 500 correct [track digits]"),
        )),
        entry("digits/det", "Curious", price=None, trust="claimed", verdicts=(
            Asked("operators", "failed", "got the operator Det but should have a price [Det in determinant]\ngot Foo but should not"),
        )),
        entry("digits/lost", "Unlucky", price=None, quality=None, trust="claimed", board=None, verdicts=(
            Asked("manifest", "failed", "got preprocessing: 'none' but should be one of divide-by-16 [submission.yaml:9]"),
        )),
        entry("cifar/small", "Sparse Matters", "1/16", "1/32", 4, track="cifar100", board=other, quality=None, trust="claimed", verdicts=(
            Asked("quality", "skipped", "got the data set 'cifar100' but should be here", (("acts", "operator"),)),
        ), faults=(Stopped("predict", "operator", "got the data set 'cifar100' but should be here", True),)),
        EntryRecord("broken/<unread>", verdicts=(Asked("manifest", "failed", "got `NO` but should be text [submission.yaml:3]"),)),
    ]  # fmt: skip


def test_golden():
    assert leaderboard(field()) == GOLDEN.read_text(encoding="utf-8")


def test_one_team_may_not_write_a_row_or_a_link_or_a_tag():
    evil = "x |\n| 1 | [free](http://evil) | <img src=x> **0.000001** | `"
    text = leaderboard([entry("a", evil, title=evil, members=(("m", evil),))])
    html = MarkdownIt("commonmark").enable("table").render(text)
    assert html.count("<tr>") == 2
    assert "<a " not in html
    assert "<img" not in html
    assert "<code>" not in html
    assert html.count("<td") == len("rank team entry score storage operations quality regime trust marks".split())
    assert "x | | 1 | [free](http://evil) | &lt;img src=x&gt; **0.000001** | `" in html


def test_entries_under_different_rules_are_not_compared():
    old = board(edition="micronet-2018")
    text = leaderboard([entry("a", board=old), entry("b")])
    assert text.count("## Handwritten digits") == 2
    assert text.count("| 1 |") == 2


def test_an_empty_run_has_a_title_and_nothing_else():
    assert leaderboard([]) == "# Leaderboard\n"


def test_order_of_records_changes_no_byte():
    records = field()
    assert leaderboard(sorted(records, key=lambda one: one.id)) == leaderboard(sorted(records, key=lambda one: one.id, reverse=True))
