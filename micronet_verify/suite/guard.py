"""Entries are data: no ini file, conftest or module of an entry may have a say in the run that judges it.

``suite/run.py`` shuts all of them out. A plain ``pytest`` reads its settings from where it is started, so here it is
refused, or its conftest files are left out, where that place lies inside an entry.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from micronet_verify.errors import MicronetError, Problem
from micronet_verify.submission.directory import find_entries


def keep_entries_out(config: pytest.Config) -> None:
    """Raise ``pytest.UsageError`` for settings or tests inside an entry; load no conftest and import no module from one."""
    namespace = config.known_args_namespace
    folders = entry_folders(Path(namespace.micronet_submissions))
    here = config.invocation_params.dir
    if config.inipath is not None and inside(config.inipath, folders):
        raise pytest.UsageError(str(Problem(f"settings from {config.inipath}", "come from outside of the entries", advice="use -c FILE")))
    for argument in namespace.file_or_dir:
        if inside(here / str(argument).partition("::")[0], folders):
            raise pytest.UsageError(str(Problem(f"tests in {argument}", "lie outside of the entries")))
    # Without a path among its arguments, pytest loads the conftest of the current folder and of its folders test*.
    if any(inside(folder, folders) for folder in (here, *here.glob("test*"))):
        namespace.noconftest = True
    forget_modules(folders)


def entry_folders(submissions: Path) -> list[Path]:
    """The folders of all entries, links resolved. Raises ``pytest.UsageError`` if there is no such folder of submissions."""
    try:
        return [entry.path.resolve() for entry in find_entries(submissions)]
    except MicronetError as error:
        raise pytest.UsageError(str(error)) from None


def inside(path: Path, folders: Sequence[Path]) -> bool:
    """Whether ``path`` is one of ``folders`` or lies in one."""
    resolved = path.resolve()
    return any(resolved.is_relative_to(folder) for folder in folders)


def forget_modules(folders: Sequence[Path]) -> None:
    """Take the entries' folders off the module path: ``python -m`` puts the current folder there."""
    sys.path[:] = [path for path in sys.path if not inside(Path(path), folders)]


def check_report(report: Path, targets: Iterable[Path], folders: Sequence[Path]) -> None:
    """Raise ``pytest.UsageError`` if reports would be written into an entry."""
    if any(inside(target, folders) for target in targets):
        raise pytest.UsageError(str(Problem(f"the report folder {str(report)!r}", "lie outside of the entries")))
