"""Rules R1 to R4: who ranks where, who is marked, and who does not rank and why. Exact throughout.

R3 comes first, over every entry that was handed in, judged well or not: an entry is out where one of its members already
has as many as the track allows, in the order of submission. An entry that is out uses up nobody's share. Of the rest
rank those that were judged, met the target and broke no rule; a team's best one takes the place (R1), by the key of R4.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction

from micronet_verify.checks import claims, score
from micronet_verify.reports.entry import Board, EntryRecord, Price
from micronet_verify.reports.texts import first_sentence

R4Key = tuple[Fraction, Fraction, datetime]
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Standing:
    """An entry that reached the target and passed: ``rank`` is ``None`` where another entry of its team is better (R1).

    ``marks``: ``S`` storage-efficient, ``C`` compute-efficient, ``SC`` both (R2). ``note``: where a claim was wrong.
    """

    record: EntryRecord
    price: Price
    rank: int | None
    marks: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Unranked:
    """An entry that does not rank, and the sentence why."""

    record: EntryRecord
    reason: str

    @property
    def kept_out(self) -> bool:
        """Whether the other entries keep it out, and nothing of its own."""
        return self.reason != why_unranked(self.record)


@dataclass(frozen=True, slots=True)
class Ranked:
    """One track's result. ``standings`` in order of R4's key, best first; ``unranked`` in order of id."""

    board: Board
    standings: tuple[Standing, ...]
    unranked: tuple[Unranked, ...]


def rank(board: Board, records: Sequence[EntryRecord]) -> Ranked:
    """Rank the entries of one track."""
    out = disqualified(records, board.entries_per_person)
    reasons = {record.id: out.get(record.id) or why_unranked(record) for record in records}
    scored = sorted(
        ((record, record.price) for record in records if record.price is not None and not reasons[record.id]),
        key=lambda item: (_key(*item), item[0].id),
    )
    ranks = _ranks(scored)
    population = [item for item in scored if board.population == "scored" or item[0].id in ranks]
    stored = _marked(population, board, lambda price: price.storage_ratio.value)
    computed = _marked(population, board, lambda price: price.operations_ratio.value)
    return Ranked(
        board,
        tuple(
            Standing(record, price, ranks.get(record.id), "S" * (record.id in stored) + "C" * (record.id in computed), _note(record))
            for record, price in scored
        ),
        tuple(Unranked(record, reasons[record.id]) for record in sorted(records, key=lambda item: item.id) if reasons[record.id]),
    )


def disqualified(records: Sequence[EntryRecord], most: int) -> Mapping[str, str]:
    """R3: why an entry is out, by id; for every entry with a person who already has ``most`` in this track."""
    taken: dict[str, list[EntryRecord]] = defaultdict(list)
    out: dict[str, str] = {}
    for record in sorted(records, key=lambda item: (item.handed_in or _NEVER, item.id)):
        full = [(id, name) for id, name in record.members if len(taken[id]) >= most]
        if full:
            # Members with the same entries before this one are named together: it is one sentence for a team, however large.
            alike: dict[tuple[str, ...], list[tuple[str, str]]] = defaultdict(list)
            for id, name in full:
                alike[tuple(one.id for one in taken[id])].append((id, name))
            said = "; ".join(_too_many(record, people, taken[people[0][0]], most) for people in alike.values())
            out[record.id] = f"disqualified (R3): {said}"
            continue
        for id, _ in record.members:
            taken[id].append(record)
    return out


def _too_many(record: EntryRecord, people: Sequence[tuple[str, str]], earlier: Sequence[EntryRecord], most: int) -> str:
    teams: dict[str, list[str]] = defaultdict(list)
    for one in earlier:
        teams[one.team].append(one.id)
    through = ", ".join(f"{_listed(ids)} through team {team!r}" for team, ids in teams.items())
    limit = f"{most} {'entry' if most == 1 else 'entries'} per person"
    who = _listed([f"{name} ({id})" for id, name in people])
    return f"got one more entry of {who} through team {record.team!r} but should be at most {limit}: before it came {through}"


def _listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def why_unranked(record: EntryRecord) -> str:
    """R1: the sentence why an entry cannot rank, or an empty text for one that can.

    A claim that disagrees with the measurement fails its check and keeps nobody from ranking: the measurement counts.
    """
    blamed = [verdict for verdict in record.verdicts_that("error", "failed") if verdict.check != claims.NAME]
    blamed.sort(key=lambda verdict: verdict.outcome != "error")
    if blamed:
        others = f" (and {len(blamed) - 1} more check{'s' if len(blamed) > 2 else ''})" if len(blamed) > 1 else ""
        return f"{blamed[0].check}: {first_sentence(blamed[0].message) or 'no reason given'}{others}"
    for stopped in record.faults:
        return f"{stopped.stage}: {first_sentence(stopped.message)}"
    if record.partial is not None:
        return f"judged in part: {record.partial.words}"
    if record.price is None:
        return "it has no score"
    if record.quality is None:
        return "its quality was not measured"
    if not record.quality.met:
        quality = record.quality
        return f"misses the quality target: {quality.level or f'{quality.correct:,} of {quality.of:,} right'}, {quality.margin}"
    asked = [verdict for verdict in record.verdicts if verdict.check == score.NAME]
    return asked[0].message if asked and asked[0].outcome != "passed" else ""


def _note(record: EntryRecord) -> str:
    return next((first_sentence(verdict.message) for verdict in record.verdicts_that("failed")), "")


def team_key(team: str) -> str:
    """Teams are one where their names differ only in case, spaces or the way a character is composed."""
    return " ".join(unicodedata.normalize("NFKC", team).casefold().split())


def _key(record: EntryRecord, price: Price) -> R4Key:
    """R4: score, then storage ratio, then earlier submission."""
    return price.score.value, price.storage_ratio.value, record.handed_in or _NEVER


def _ranks(scored: Sequence[tuple[EntryRecord, Price]]) -> Mapping[str, int]:
    """R1: the place of each team's best entry. Entries equal in the whole key share a place, and the next is left out."""
    ranks: dict[str, int] = {}
    best: list[R4Key] = []
    teams: set[str] = set()
    for record, price in scored:
        team = team_key(record.team)
        if team not in teams:
            teams.add(team)
            best.append(_key(record, price))
            ranks[record.id] = best.index(best[-1]) + 1
    return ranks


def _marked(population: Sequence[tuple[EntryRecord, Price]], board: Board, ratio: Callable[[Price], Fraction]) -> frozenset[str]:
    """R2: ids of the best ``top_percent`` of the population; all that tie with the last of them share the mark."""
    places = cut(len(population), board)
    if not places:
        return frozenset()
    last = sorted(ratio(price) for _, price in population)[places - 1]
    return frozenset(record.id for record, price in population if ratio(price) <= last)


def cut(population: int, board: Board) -> int:
    """R2: how many of ``population`` entries are marked, rounded as the track says (``nearest``: a half goes up)."""
    share = population * board.top_percent
    if board.rounding == "ceiling":
        return -(-share // 100)
    return share // 100 if board.rounding == "floor" else (2 * share + 100) // 200
