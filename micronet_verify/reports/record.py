"""The door of this room: what was found about an entry goes to disk, is read back, and becomes reports.

    report/<entry>/evidence.json   the record, and what it rests on
    report/<entry>/ledger.csv      every charge
    report/junit.xml               one suite per entry, one case per verdict
    report/leaderboard.md          one table per track

Same input, same bytes: no time of day, no duration, no path of this machine.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from micronet_verify.checks.verdict import Verdict
from micronet_verify.errors import BenchFault, Problem
from micronet_verify.evaluation import Evaluation
from micronet_verify.reports.entry import EntryRecord
from micronet_verify.reports.evidence import evidence
from micronet_verify.reports.files import EVIDENCE, JUNIT, LEADERBOARD, LEDGER, entry_folder, write_atomically
from micronet_verify.reports.junit import junit
from micronet_verify.reports.leaderboard import leaderboard
from micronet_verify.reports.ledger import ledger_csv

__all__ = ["EntryRecord", "read_records", "write_entry", "write_reports"]

SCHEMA = 1
_RECORD: TypeAdapter[EntryRecord] = TypeAdapter(EntryRecord)


def write_entry(report_dir: Path, evaluation: Evaluation, verdicts: Sequence[Verdict]) -> EntryRecord:
    """Write ``evidence.json`` and, where the entry was counted, ``ledger.csv``; the record that was written.

    Safe to call from several processes at once, for different entries.
    """
    folder = entry_folder(report_dir, evaluation.id)
    record = EntryRecord.of(evaluation, verdicts)
    if evaluation.ledger is not None:
        write_atomically(folder / LEDGER, ledger_csv(evaluation.ledger))
    else:
        (folder / LEDGER).unlink(missing_ok=True)  # of an earlier run, when it could still be counted
    data = {"schema": SCHEMA, "record": _RECORD.dump_python(record, mode="json"), **evidence(evaluation)}
    write_atomically(folder / EVIDENCE, json.dumps(data, indent=1, sort_keys=True, allow_nan=False) + "\n")
    return record


def read_records(report_dir: Path, ids: Collection[str] | None = None) -> list[EntryRecord]:
    """The records below ``report_dir`` in order of id: all of them, or those of ``ids`` (a folder may hold older runs).

    Raises ``BenchFault`` for a file that is not such a record.
    """
    paths = report_dir.glob(f"**/{EVIDENCE}") if ids is None else (entry_folder(report_dir, id) / EVIDENCE for id in ids)
    return sorted((_read(path) for path in paths if path.is_file()), key=lambda record: record.id)


def write_reports(report_dir: Path, records: Sequence[EntryRecord], entries: int | None = None) -> None:
    """Write ``junit.xml`` and ``leaderboard.md`` of ``records``, in order of id whatever their order here.

    ``entries``: how many entries were handed in. Of a run that judged only some, the leaderboard's first line says so.
    """
    ordered = sorted(records, key=lambda record: record.id)
    write_atomically(report_dir / JUNIT, junit(ordered))
    write_atomically(report_dir / LEADERBOARD, leaderboard(ordered, entries))


def _read(path: Path) -> EntryRecord:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["schema"] != SCHEMA:
            raise ValueError(f"schema {data['schema']}")
        return _RECORD.validate_json(json.dumps(data["record"]), strict=True)
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        got = f"evidence that cannot be read ({type(error).__name__})"
        raise BenchFault(Problem(got, f"be a record of schema {SCHEMA}", str(path), "delete the file and judge the entry again")) from None
