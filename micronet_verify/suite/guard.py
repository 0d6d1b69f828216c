"""Submissions are data: no ini file, conftest or module among them may have a say in the run that judges them.

``suite/run.py`` shuts all of them out. A plain ``pytest`` reads its settings from where it is started, and even looks for
them beside the value of ``--submissions``; where that leads into the submissions it is refused, or their conftest files
are left out. This is as early as a plugin can: pytest has obeyed ``pythonpath`` and ``addopts = -p …`` of such an ini file before
it loads any plugin, so a plain ``pytest`` belongs into a folder of the organizer's own, or gets ``-c FILE``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from micronet_verify.errors import Problem


def keep_submissions_out(config: pytest.Config) -> None:
    """Raise ``pytest.UsageError`` for settings or tests among the submissions; load no conftest and import no module from there."""
    namespace = config.known_args_namespace
    submissions, here = Path(namespace.micronet_submissions), config.invocation_params.dir
    if config.inipath is not None and inside(config.inipath, [submissions]):
        got = f"settings from {config.inipath}"
        raise pytest.UsageError(str(Problem(got, "come from outside of the submissions", advice="name a file of your own: -c FILE")))
    for argument in namespace.file_or_dir:
        path = here / str(argument).partition("::")[0]
        if path.exists() and inside(path, [submissions]):
            raise pytest.UsageError(str(Problem(f"tests in {argument}", "lie outside of the submissions")))
    # Without a path among its arguments, pytest loads the conftest of the current folder and of its folders test*.
    if any(inside(folder, [submissions]) for folder in (here, *here.glob("test*"))):
        namespace.noconftest = True
    forget_modules(submissions)


def inside(path: Path, folders: Iterable[Path]) -> bool:
    """Whether ``path`` is one of ``folders`` or lies in one, links resolved."""
    resolved = path.resolve()
    return any(resolved.is_relative_to(folder.resolve()) for folder in folders)


def forget_modules(submissions: Path) -> None:
    """Take folders of submissions off the module path: ``python -m`` puts the current folder there."""
    sys.path[:] = [path for path in sys.path if not inside(Path(path), [submissions])]
