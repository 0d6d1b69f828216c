"""Evaluations on a pool of supervising threads: each runs its entry's steps in child processes, and no entry meets another."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from micronet_verify.checks.organizers import all_verdicts
from micronet_verify.checks.verdict import Verdict
from micronet_verify.evaluation import Evaluation, evaluate, prepare_for
from micronet_verify.reports.entry import EntryRecord
from micronet_verify.reports.record import write_entry
from micronet_verify.sandbox.launcher import ProcessLauncher
from micronet_verify.stages.bench import DEFAULTS, Bench, Settings
from micronet_verify.submission.directory import EntryPath
from micronet_verify.suite.progress import DONE, Progress


@dataclass(frozen=True)
class Judged:
    """One entry, judged."""

    evaluation: Evaluation
    verdicts: Mapping[str, Verdict]
    record: EntryRecord


class Judge:
    """Judges entries when told to, or at the latest when asked for one.

    ``at_once`` entries are in work at any time. ``report``: the folder that evidence and ledgers are written to, if any.
    ``settings``: what the operator says about predictions.
    """

    def __init__(
        self,
        entries: Sequence[EntryPath],
        tracks: Sequence[Path],
        report: Path | None,
        at_once: int,
        progress: Progress | None = None,
        settings: Settings = DEFAULTS,
    ) -> None:
        self._paths = {entry.id: entry.path for entry in entries}
        self._report = report
        self._progress: Progress = progress or (lambda entry, stage, record: None)
        self._work = Path(tempfile.mkdtemp(prefix="micronet-judge-"))
        self._launcher = ProcessLauncher()
        self._bench = Bench.of(self._work, tuple(tracks), self._launcher, settings)
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="judge")
        self._ahead = ThreadPoolExecutor(1, thread_name_prefix="look-ahead")
        self._futures: dict[str, Future[Judged]] = {}
        self._stopped = threading.Event()
        self.records: dict[str, EntryRecord] = {}

    def start(self, ids: Iterable[str]) -> None:
        """Put entries to work, in this order, and prepare all their inputs meanwhile; those already started are left alone."""
        waiting = [id for id in ids if id not in self._futures]
        for id in waiting:
            self._futures[id] = self._pool.submit(self._judge, id)
        if len(waiting) > 1:
            self._ahead.submit(self._look_ahead, waiting)

    def result(self, id: str) -> Judged:
        """Waits for the entry. Raises what judging raised: ``OSError`` where a report cannot be written, or a defect of ours."""
        self.start([id])
        return self._futures[id].result()

    def release(self, id: str) -> None:
        """The entry's cases are over: its evaluation and its working files may go. Asked again, it is judged again."""
        self._futures.pop(id, None)
        shutil.rmtree(self._bench.folder(id), ignore_errors=True)

    def stop(self) -> None:
        """Waiting entries are dropped, running steps ended, threads joined, working files removed. May be called twice."""
        self._stopped.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._launcher.stop()
        self._ahead.shutdown(wait=True, cancel_futures=True)
        self._bench.preparing.stop()
        self._pool.shutdown(wait=True)
        shutil.rmtree(self._work, ignore_errors=True)

    def _look_ahead(self, ids: Sequence[str]) -> None:
        for id in ids:
            if self._stopped.is_set():
                return
            prepare_for(self._paths[id], self._bench)

    def _judge(self, id: str) -> Judged:
        evaluation = evaluate(self._paths[id], id, self._bench, lambda entry, stage: self._progress(entry, stage, None))
        verdicts = all_verdicts(evaluation)
        if self._stopped.is_set():  # its steps may have been ended: that is no verdict
            return Judged(evaluation, {}, EntryRecord(id))
        record = write_entry(self._report, evaluation, verdicts) if self._report else EntryRecord.of(evaluation, verdicts)
        self.records[id] = record
        self._progress(id, DONE, record)
        return Judged(evaluation, {verdict.check: verdict for verdict in verdicts}, record)
