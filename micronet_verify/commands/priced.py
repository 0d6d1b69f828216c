"""What a user names on the command line, priced: an entry's directory, or a bare model file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from micronet_verify.commands import inputs
from micronet_verify.commands.exits import Mistake
from micronet_verify.errors import BenchFault, Problem, SpecError, SubmissionFault

if TYPE_CHECKING:
    from micronet_verify.counting.analysed import Analysed
    from micronet_verify.counting.count import Count
    from micronet_verify.counting.ledger import Ledger
    from micronet_verify.evaluation import Branches
    from micronet_verify.track.rules import CountingRules
    from micronet_verify.track.track import Track


@dataclass(frozen=True)
class NamedCount:
    """A count with what it was counted under; ``recount`` counts the same graph under other rules, from what was ``analysed``."""

    title: str
    count: Count
    track: Track | None
    rules: CountingRules
    recount: Callable[[CountingRules], Count]
    analysed: Analysed
    branches: Branches | None = None

    @property
    def ledger(self) -> Ledger:
        """The cheaper ledger under the track's baseline; without one the first (freebie, where it is open)."""
        if self.track is None:
            return next(iter(self.count.ledgers.values()))
        return self.count.cheapest(self.track.baseline.parameters, self.track.baseline.operations)


@contextmanager
def priced(path: Path, edition: str | None, track_name: str | None, folders: tuple[Path, ...]) -> Iterator[NamedCount]:
    """``path`` priced; its files live as long as the ``with`` block."""
    if path.is_dir():
        if track_name or edition:
            raise Mistake(Problem(f"{'--track' if track_name else '--rules'} for an entry", "be left out: its manifest names the track"))
        with _entry(path, folders) as found:
            yield found
        return
    if not path.exists():
        raise Mistake(Problem(f"{str(path)!r}", "be an entry's directory or a model file that exists"))
    path = inputs.model_file(path)
    track, rules = inputs.pricing(edition, track_name, folders)
    from micronet_verify.stages.model_file import opened_file

    with opened_file(path) as model:
        yield NamedCount(title=path.name, count=model.count(rules), track=track, rules=rules, recount=model.count, analysed=model.analysed)


@contextmanager
def _entry(path: Path, folders: tuple[Path, ...]) -> Iterator[NamedCount]:
    from micronet_verify.commands.judging import evaluated

    with evaluated(inputs.one_entry(path), folders) as found:
        if found.count is None or found.submission is None or found.track is None or found.analysed is None:
            fault = next(iter(found.faults.values()))
            kinds = {"entrant": SubmissionFault, "organizer": SpecError, "operator": BenchFault}
            raise kinds[fault.acts](fault.problems)
        title = f"{found.submission.manifest.title} ({found.id})"
        yield NamedCount(
            title=title,
            count=found.count,
            track=found.track,
            rules=found.track.rules,
            recount=found.recount,
            analysed=found.analysed,
            branches=found.branches,
        )
