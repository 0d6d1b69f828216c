"""The end of a run on a terminal: a table per track in order of rank, then every check that did not pass, then the counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from micronet_verify.reports.entry import Answered, EntryRecord
from micronet_verify.reports.leaderboard import boards, home
from micronet_verify.reports.outcomes import STYLES, verdict_grid
from micronet_verify.reports.ranking import rank
from micronet_verify.reports.tables import safe, table
from micronet_verify.reports.texts import broken
from micronet_verify.wording.numbers import rounded

# From this width on there is room for what failed, and for the margin in words.
WIDE = 132
_NARROW = 80
# Columns taken by everything but the entry's id.
_TAKEN = 2 + 7 + 3 * 6 + 13 + 9 + 7
_TAKEN_WIDE = 2 + 7 + 3 * 10 + 22 + 9 + 13 + 8 * 2
_PROBLEMS = 3
_WORDS = {
    "passed": "passed",
    "failed": "failed",
    "error": "could not be judged",
    "skipped": "not judged to the end",
    "partial": "partial: judged on the first examples only, and not ranked",
}


def summary(records: Sequence[EntryRecord], width: int) -> Iterator[RenderableType]:
    """What to print, part by part."""
    found = boards(records)
    for board in found:
        ranked = rank(board, [record for record in records if home(record, found) == board])
        rows = [(str(one.rank or "–"), one.record) for one in ranked.standings] + [("", one.record) for one in ranked.unranked]
        yield Text.assemble((safe(f"{board.title} ({board.track})").plain, "bold"), f": {safe(board.target).plain}")
        yield _table(rows, width)
        yield Text()
        out = [one for one in ranked.unranked if one.kept_out]
        for one in out:
            yield safe(f"{one.record.id}: {one.reason}", "yellow")
        if out:
            yield Text()
    homeless = [("", record) for record in records if home(record, found) is None]
    if homeless:
        yield Text("Without a track", "bold")
        yield _table(homeless, width)
        yield Text()
    yield from _blamed(records)
    yield counts(records)


def counts(records: Sequence[EntryRecord]) -> Text:
    """``24 entries: 8 passed, 16 failed``."""
    tally = Counter(record.said for record in records)
    said = ", ".join(f"{tally[outcome]} {words}" for outcome, words in _WORDS.items() if tally[outcome])
    return Text(f"{len(records)} {'entry' if len(records) == 1 else 'entries'}: {said}", "bold")


def _table(rows: Sequence[tuple[str, EntryRecord]], width: int) -> Table:
    wide = width >= WIDE
    figures = ["score", "storage", "operations"] if wide else ["score", "stor.", "oper."]
    made = table(
        ["#", "entry", "verdict", *figures, "quality", "regime", *(["failed checks"] if wide else [])], ["#", *figures], 2 if wide else 1
    )
    longest = max(width, _NARROW) - (_TAKEN_WIDE if wide else _TAKEN)
    for place, record in rows:
        price = record.price
        numbers = [price.score, price.storage_ratio, price.operations_ratio] if price else []
        made.add_row(
            Text(place),
            Text("\n".join(broken(record.id, longest))),
            Text(record.said, STYLES[record.outcome]),
            *([rounded(one.value, 6 if wide else 4) for one in numbers] or ["–"] * 3),
            record.partial.words if record.partial else _quality(record.quality, wide),
            price.regime if price else "–",
            *([", ".join(verdict.check for verdict in record.verdicts_that("failed", "error"))] if wide else []),
        )
    return made


def _quality(quality: Answered | None, wide: bool) -> str:
    if quality is None:
        return "–"
    if quality.level:
        return f"{quality.level}, {quality.margin}"
    ratio = f"{quality.correct}/{quality.of}"
    return f"{ratio}, {quality.margin}" if wide else f"{ratio} {quality.correct - quality.target:+,}"


def _blamed(records: Sequence[EntryRecord]) -> Iterator[RenderableType]:
    for record in records:
        found = record.verdicts_that("failed", "error") or (record.verdicts_that("skipped") if record.outcome == "skipped" else ())
        told = [
            verdict
            for verdict in found
            if record.outcome != "skipped" or "stage" in dict(verdict.evidence) or "acts" in dict(verdict.evidence)
        ]
        if told:
            yield safe(record.id, "bold")
            yield verdict_grid(told, _PROBLEMS)
            yield Text()
