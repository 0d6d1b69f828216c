"""The run's side of the suite: one case per check and entry, evaluations under way from the start, reports at the end."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from micronet_verify.checks.judge import CHECKS
from micronet_verify.errors import BenchFault, Problem
from micronet_verify.reports.entry import EntryRecord
from micronet_verify.reports.files import entry_folder
from micronet_verify.reports.organizers import write_all
from micronet_verify.reports.record import read_records, write_reports
from micronet_verify.reports.texts import one_line
from micronet_verify.sandbox.sampling import draw_seed
from micronet_verify.stages.bench import Settings, wrong_settings
from micronet_verify.submission.directory import EntryPath, find_entries
from micronet_verify.suite.guard import inside
from micronet_verify.suite.judging import Judge
from micronet_verify.suite.progress import DONE, PROGRESS
from micronet_verify.suite.stash import CASES
from micronet_verify.track.library import track_problems

SUITE = "micronet_verify.suite."
WORKER_OUTPUT = "micronet_entries"
WORKER_SEED = "micronet_seed"
OPTIONS = {"limit": "--limit", "batch_size": "--judge-batch-size", "device": "--judge-device", "seed": "--seed"}
_RANKS = {name: rank for rank, name in enumerate(CHECKS)}


def activate(config: pytest.Config) -> None:
    """Register the cases for this run. Raises ``pytest.UsageError`` where there is nothing to judge, or a track file is broken."""
    from micronet_verify.suite import fixtures

    submissions, tracks = Path(config.getoption("micronet_submissions")), [Path(path) for path in config.getoption("micronet_tracks")]
    report = Path(config.getoption("micronet_report")).absolute() if config.getoption("micronet_report") else None
    try:
        entries = find_entries(submissions)
    except BenchFault as fault:
        raise pytest.UsageError(str(fault)) from None
    if report is not None:
        written = [report, *(entry_folder(report, entry.id) for entry in entries)]
        if any(inside(folder, [entry.path for entry in entries]) for folder in written):
            raise pytest.UsageError(str(Problem(f"the report folder {str(report)!r}", "lie outside of the entries")))
    wanted: Sequence[str] = config.getoption("micronet_entries")
    chosen = [entry for entry in entries if not wanted or any(fnmatchcase(entry.id, glob) for glob in wanted)]
    if not chosen:
        what = f"no entry that matches {' or '.join(wanted)}" if entries else "no entry"
        raise pytest.UsageError(str(Problem(f"{what} in {submissions}", "be at least one folder with a submission.yaml")))
    _check_tracks(tracks)
    cases = Cases(config, chosen, tracks, report, len(entries), _settings(config))
    config.stash[CASES] = cases
    config.pluginmanager.register(cases, "micronet_cases")
    config.pluginmanager.register(fixtures, "micronet_fixtures")


def _check_tracks(folders: Sequence[Path]) -> None:
    """Organizers' faults end the run before any entry is judged by a broken track."""
    problems = [Problem(f"the folder of tracks {str(path)!r}", "be a directory that exists") for path in folders if not path.is_dir()]
    problems += track_problems(folders)
    if problems:
        raise pytest.UsageError("\n".join(map(str, problems)))


def _settings(config: pytest.Config) -> Settings:
    data, limit, device, size, seed = (config.getoption(f"micronet_{name}") for name in ("data", "limit", "device", "batch_size", "seed"))
    settings = Settings(Path(data) if data else None, limit, device, size, seed)
    try:
        problems: Sequence[Problem] = wrong_settings(settings, OPTIONS)
    except BenchFault as fault:  # plugins that contradict each other
        problems = fault.problems
    if problems:
        raise pytest.UsageError("\n".join(map(str, problems)))
    # A worker samples by the seed of the run that started it.
    return settings if seed else replace(settings, seed=getattr(config, "workerinput", {}).get(WORKER_SEED) or draw_seed())


class Cases:
    """Hooks of one run. With xdist, workers judge the entries whose cases they are given; the controller reports."""

    def __init__(
        self,
        config: pytest.Config,
        entries: Sequence[EntryPath],
        tracks: Sequence[Path],
        report: Path | None,
        handed_in: int,
        settings: Settings,
    ) -> None:
        self._config, self._entries, self._report = config, entries, report
        self._handed_in, self._settings = handed_in, settings
        self._worker = hasattr(config, "workerinput")
        self._judges = config.getoption("micronet_judges") or len(os.sched_getaffinity(0))
        self._tracks = tracks
        self._judge: Judge | None = None
        self._told: set[str] = set()

    @property
    def judge(self) -> Judge:
        if self._judge is None:
            progress = self._config.stash.get(PROGRESS, None)
            self._judge = Judge(self._entries, self._tracks, self._report, self._judges, progress, self._settings)
        return self._judge

    def pytest_report_header(self) -> list[str]:
        report = f", report: {self._report}" if self._report else ""
        return [
            f"submissions: {self._config.getoption('micronet_submissions')}, entries: {len(self._entries)}{report}",
            f"seed: {self._settings.seed}",
        ]

    @pytest.hookimpl(tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "entry" in metafunc.fixturenames:
            ids = [entry.id for entry in self._entries]
            metafunc.parametrize("entry", ids, ids=ids, scope="session")

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """In the order in which a reader asks; organizers' own cases come last. pytest then puts each entry's together."""
        items.sort(key=_order)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Start what the selected cases need, and nothing that was deselected. A worker learns only later what it will get."""
        if not self._worker and not session.config.option.collectonly:
            needed = [item.callspec.params["entry"] for item in session.items if _asks(item)]  # type: ignore[attr-defined]
            if needed:
                self.judge.start(dict.fromkeys(needed))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        if config.getoption("dist") == "each":
            return None
        from micronet_verify.suite.schedule import EntryScheduling

        return EntryScheduling(config, log, [entry.id for entry in self._entries])

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[WORKER_SEED] = self._settings.seed

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self._told.update(getattr(node, "workeroutput", {}).get(WORKER_OUTPUT, ()))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """The controller learns from the first report of a case that a worker has judged the case's entry."""
        progress = self._config.stash.get(PROGRESS, None)
        entry = dict(report.user_properties).get("entry")
        if progress is not None and self._judge is None and isinstance(entry, str) and entry not in self._told:
            self._told.add(entry)
            found = self._recorded([entry])
            progress(entry, DONE, found[0] if found else None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        records: Sequence[EntryRecord] = ()
        if self._judge is not None:
            self._judge.stop()
            records = list(self._judge.records.values())
        if self._worker:
            session.config.workeroutput[WORKER_OUTPUT] = [record.id for record in records]  # type: ignore[attr-defined]
        elif self._report is not None:
            records = records or self._recorded(sorted(self._told))
            if records:
                write_reports(self._report, records, self._handed_in)
                if problems := write_all(self._report, records):
                    write_reports(self._report, records, self._handed_in)  # one of them may have touched these
                for problem in problems:
                    print(f"Report of a plugin: {one_line(str(problem))}", file=sys.stderr)

    def pytest_unconfigure(self) -> None:
        if self._judge is not None:
            self._judge.stop()

    def _recorded(self, ids: Sequence[str]) -> list[EntryRecord]:
        return read_records(self._report, ids) if self._report is not None and ids else []


def _asks(item: pytest.Item) -> bool:
    return "judged" in getattr(item, "fixturenames", ()) and "entry" in getattr(getattr(item, "callspec", None), "params", {})


def _order(item: pytest.Item) -> int:
    mark = item.get_closest_marker("verdict")
    if mark is None or not getattr(getattr(item, "module", None), "__name__", "").startswith(SUITE):
        return len(_RANKS)
    return _RANKS.get(mark.args[0].format_map(item.callspec.params), len(_RANKS))  # type: ignore[attr-defined]
