"""The organizers' own reports, which plugins bring (``micronet_report``): each gets a folder, and cannot end a run."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from micronet_verify.errors import BenchFault, Problem
from micronet_verify.framework.guarded import check_signature, plugin_code
from micronet_verify.framework.installed import remembered
from micronet_verify.framework.offers import Kind, Offer, Offers, collect, told
from micronet_verify.framework.organizing import EntryFacts, Report, ReportRequest, VerdictFacts
from micronet_verify.reports.entry import EntryRecord
from micronet_verify.reports.files import PLUGINS, is_safe

# Of an entry's record, what its facts have under the same name.
_SAME = "id title team members track framework submitted artifact_sha256 artifact_size seed".split()


@remembered
def offers() -> Offers[Report]:
    """Every report of a plugin that can be written, and every plugin that was to bring one and does not."""
    return collect(Kind("micronet_report", "a Report", _wrong, lambda report: (report.name,)))


def write_all(report_dir: Path, records: Sequence[EntryRecord]) -> tuple[Problem, ...]:
    """Write every organizers' report of ``records`` below ``report_dir``; what went wrong, plugin by plugin."""
    entries = tuple(facts_of(record) for record in sorted(records, key=lambda record: record.id))
    problems = [each.problem for each in offers().broken if each.hook]
    for offer in offers().usable.values():
        folder = report_dir / PLUGINS / offer.item.name
        before = _stamps(report_dir, folder)
        problems += _written(offer, entries, folder)
        problems += _strayed(offer, report_dir, folder, before)
    return tuple(problems)


def facts_of(record: EntryRecord) -> EntryFacts:
    """What an organizer's report is told of an entry."""
    price, answered = record.price, record.quality
    return EntryFacts(
        **{name: getattr(record, name) for name in _SAME},
        regime=price.regime if price else "",
        storage=price.storage.value if price else None,
        operations=price.operations.value if price else None,
        score=price.score.value if price else None,
        metric=answered.metric if answered else "",
        quality=(answered.level or f"{answered.correct:,} of {answered.of:,} correct") if answered else "",
        met=answered.met if answered else None,
        claims=dict(record.claims),
        verdicts=tuple(VerdictFacts(verdict.check, verdict.outcome, verdict.message) for verdict in record.verdicts),
        partial=record.partial is not None,
    )


def _written(offer: Offer[Report], entries: tuple[EntryFacts, ...], folder: Path) -> tuple[Problem, ...]:
    shutil.rmtree(folder, ignore_errors=True)  # of an earlier run
    try:
        folder.mkdir(parents=True)
        check_signature(offer.item.write, "write", offer.origin, "request")
        with plugin_code(offer.origin, f"the report {offer.item.name!r}", (BenchFault,)):
            offer.item.write(ReportRequest(entries, folder))
    except BenchFault as fault:
        return fault.problems
    except OSError as error:
        return (offer.origin.problem(f"{error.strerror or error} in the report {offer.item.name!r}", "have room and rights to write"),)
    return ()


def _stamps(report_dir: Path, without: Path) -> dict[Path, tuple[int, int, int]]:
    """Size, time and number of every file of the report folder that is not below ``without``."""
    found = {}
    for path in report_dir.rglob("*"):
        if path.is_file() and without not in path.parents:
            stat = path.stat()
            found[path] = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
    return found


def _strayed(offer: Offer[Report], report_dir: Path, folder: Path, before: dict[Path, tuple[int, int, int]]) -> tuple[Problem, ...]:
    """Files of the judge or of another report that a report has changed or removed."""
    after = _stamps(report_dir, folder)
    strayed = sorted(str(path.relative_to(report_dir)) for path, stamp in before.items() if after.get(path) != stamp)
    if not strayed:
        return ()
    named = ", ".join(strayed[:3]) + (" …" if len(strayed) > 3 else "")
    got = f"the report {offer.item.name!r} that changed or removed {len(strayed)} files of others ({named})"
    return (offer.origin.problem(got, "write into request.folder alone", f"judge again without it; {offer.origin.remedy}"),)


def _wrong(report: object) -> tuple[str, str] | None:
    if not isinstance(report, Report):
        return told(report), "be a Report, or a tuple of them"
    if not isinstance(report.name, str) or not is_safe(report.name):
        return f"a report of the name {report.name!r}", "be a word that can name a folder"
    if not callable(report.write):
        return f"a report with write={report.write!r}", "write by a function"
    return None
