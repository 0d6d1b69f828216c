"""The leaderboard in Markdown: a table of ranked entries per track, and below it the others with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from micronet_verify.reports.entry import Answered, Board, EntryRecord, Price
from micronet_verify.reports.ranking import Ranked, Standing, Unranked, rank, why_unranked
from micronet_verify.reports.texts import markdown
from micronet_verify.wording.numbers import grouped, rounded

PLACES = 6
RULES_PAGE = "Rules (S1, O4, R2 …) are explained in `docs/rules.md` of micronet_verify, the proof in `docs/proof.md`."
_HEAD = ("rank", "team", "entry", "score", "storage", "operations", "quality", "regime", "trust", "marks")
_ALIGN = ("---:", "---", "---", "---:", "---:", "---:", "---:", "---", "---", "---")


def leaderboard(records: Sequence[EntryRecord], entries: int | None = None) -> str:
    """The whole file. Entries of one track stand in one table only where target, baseline and rules are the same.

    ``entries``: how many there are; where fewer were judged, the first line says so.
    """
    lines = [f"# Leaderboard{_partly(records, entries)}", ""]
    found = boards(records)
    for board in found:
        lines += _track(rank(board, [record for record in records if home(record, found) == board]))
    homeless = sorted((record for record in records if home(record, found) is None), key=lambda record: record.id)
    if homeless:
        lines += ["## Without a track", "", *_unranked(Unranked(record, why_unranked(record)) for record in homeless)]
    seeds = sorted({record.seed for record in records if record.seed})
    if seeds:
        lines += [f"Seed of this run: {' or '.join(seeds)} (`--seed` repeats it). {RULES_PAGE}", ""]
    return "\n".join(lines)


def _partly(records: Sequence[EntryRecord], entries: int | None) -> str:
    judged = f"{len(records)} of {entries} entries" if entries is not None and len(records) < entries else ""
    first = "the first examples of a test set" if any(record.partial for record in records) else ""
    return f" (partial: {', '.join(filter(None, (judged, first)))})" if judged or first else ""


def boards(records: Sequence[EntryRecord]) -> list[Board]:
    """Every board that occurs, in order of track."""
    found = {record.board for record in records if record.board is not None}
    return sorted(found, key=lambda board: (board.track, repr(board)))


def home(record: EntryRecord, found: Sequence[Board]) -> Board | None:
    """The board on which an entry stands. One whose choices the track refused has none of its own: it stands on its track's."""
    named = [board for board in found if board.track == record.track]
    return record.board or (named[0] if len(named) == 1 else None)


def _track(ranked: Ranked) -> list[str]:
    board = ranked.board
    words, work = (grouped(figure.value, 0) for figure in (board.baseline_parameters, board.baseline_operations))
    lines = [
        f"## {markdown(board.title)} ({markdown(board.track)})",
        "",
        f"Target: {markdown(board.target)}. Baseline: {words} words of storage, {work} operations. Rules: {markdown(board.edition)}.",
        "",
    ]
    if ranked.standings:
        lines += [_row(_HEAD), _row(_ALIGN), *(_row(_standing(standing)) for standing in ranked.standings), "", *_legend(board), ""]
        claimed = [f"- {_name(one.record)}: {markdown(one.note)}" for one in ranked.standings if one.note]
        lines += ["† ranks by what was measured, and not by what it claims:", "", *claimed, ""] if claimed else []
    else:
        lines += ["No entry ranks.", ""]
    if ranked.unranked:
        lines += ["### Not ranked", "", *_unranked(ranked.unranked)]
    return lines


def _legend(board: Board) -> list[str]:
    population = "the ranked entries" if board.population == "ranked" else "all entries that reached the target"
    return [
        f"Lower scores are better: score = storage + operations, each as a share of the baseline's. A team ranks by its best entry; "
        f"its others have no rank. **S**: among the best {board.top_percent} % of {population} by storage; **C**: by operations."
    ]


def _standing(standing: Standing) -> tuple[str, ...]:
    record, price = standing.record, standing.price
    return (
        str(standing.rank) if standing.rank is not None else "–",
        markdown(record.team),
        _name(record) + (" †" if standing.note else ""),
        rounded(price.score.value, PLACES),
        rounded(price.storage_ratio.value, PLACES),
        rounded(price.operations_ratio.value, PLACES),
        quality_text(record.quality) if record.quality else "–",
        price.regime,
        record.trust,
        ", ".join(standing.marks),
    )


def quality_text(quality: Answered) -> str:
    return f"{quality.level or f'{quality.correct:,} of {quality.of:,}'} ({quality.margin})"


def _unranked(entries: Iterable[Unranked]) -> list[str]:
    rows = [
        (markdown(entry.record.team) or "–", _name(entry.record), _score(entry.record.price), markdown(entry.reason)) for entry in entries
    ]
    head, align = ("team", "entry", "score", "why"), ("---", "---", "---:", "---")
    return [_row(head), _row(align), *map(_row, rows), ""]


def _score(price: Price | None) -> str:
    return rounded(price.score.value, PLACES) if price else "–"


def _name(record: EntryRecord) -> str:
    title = markdown(record.title)
    return f"{title} ({markdown(record.id)})" if title else markdown(record.id)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
