"""Runs the suite inside this process, shut off from whatever lies among the submissions and in the current folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from micronet_verify.stages.bench import DEFAULTS, Settings
from micronet_verify.suite.guard import forget_modules
from micronet_verify.suite.progress import PROGRESS, Progress

SUITE = Path(__file__).parent
CACHE = ".pytest_cache"
# No plugin but ours (autoload), no current folder on a worker's module path (safe path), no options for other projects.
_ENVIRONMENT = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONSAFEPATH": "1", "PYTEST_ADDOPTS": None, "PYTEST_PLUGINS": None}


def run_suite(
    submissions: Path,
    report: Path | None = None,
    tracks: Sequence[Path] = (),
    entries: Sequence[str] = (),
    judges: int | None = None,
    extra: Sequence[str] = (),
    progress: Progress | None = None,
    settings: Settings = DEFAULTS,
) -> int:
    """Judge the entries below ``submissions`` and return pytest's exit code: 0, 1 (something failed), 4 (a broken track file,
    no entries), or another of pytest's.

    ``entries``: globs of ids. ``extra``: further pytest arguments, such as ``-x``, ``-k EXPRESSION``, ``--lf``, ``-n 2``
    or an organizer's own test file. ``--lf`` remembers in the ``report`` folder, and needs one.
    """
    arguments = [str(SUITE), "-c", str(SUITE / "pytest.ini"), "--rootdir", str(SUITE), "--noconftest"]
    # Nothing is captured: the suite prints nothing, and whoever follows the progress prints while cases wait.
    arguments += ["--import-mode", "importlib", "--capture", "no"]
    arguments += ["-p", "micronet_verify.pytest_plugin", "-p", "xdist", "--submissions", str(submissions.absolute())]
    arguments += ["-p", "no:cacheprovider"] if report is None else ["--report", str(report.absolute())]
    arguments += [] if report is None else ["-o", f"cache_dir={report.absolute() / CACHE}"]
    for option, values in (("--tracks", [str(path.absolute()) for path in tracks]), ("--entry", entries)):
        arguments += [text for value in values for text in (option, value)]
    arguments += [] if settings.data is None else ["--data", str(settings.data.absolute())]
    arguments += [] if settings.limit is None else ["--limit", str(settings.limit)]
    arguments += [] if settings.batch_size is None else ["--judge-batch-size", str(settings.batch_size)]
    arguments += [] if settings.seed is None else ["--seed", settings.seed]
    arguments += ["--judge-device", settings.device]
    arguments += [] if judges is None else ["--judges", str(judges)]
    with _environment():
        forget_modules(submissions)
        return int(pytest.main([*arguments, *extra], plugins=[_Stash(progress)]))


class _Stash:
    """Hands ``progress`` to the run."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        if self._progress is not None:
            config.stash[PROGRESS] = self._progress


@contextmanager
def _environment() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    _set(_ENVIRONMENT)
    try:
        yield
    finally:
        _set(before)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
