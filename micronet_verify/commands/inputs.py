"""What a user names on the command line, looked up, and refused in one sentence where it is not there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from micronet_verify.commands.exits import Mistake
from micronet_verify.errors import Problem, SpecError

FIRST_EDITION = "micronet-2019"

if TYPE_CHECKING:
    from micronet_verify.submission.directory import EntryPath
    from micronet_verify.track.rules import CountingRules
    from micronet_verify.track.track import Track


def entries(folder: Path) -> list[EntryPath]:
    """Every entry at or below ``folder``; at least one."""
    from micronet_verify.submission.directory import find_entries, misnamed

    _directory(folder)
    found = find_entries(folder)
    if not found:
        advice = "; ".join(_rename(path) for path in misnamed(folder, found))
        got = f"{str(folder)!r} without any submission.yaml"
        raise Mistake(Problem(got, "be a folder of entries, each with a submission.yaml", advice=advice))
    return found


def _rename(path: Path) -> str:
    from micronet_verify.submission.manifest import MANIFEST

    return f"rename {path} to {MANIFEST}"


def chosen(found: Sequence[EntryPath], globs: Sequence[str]) -> list[EntryPath]:
    """The entries whose id fits one of ``globs``, or all; at least one."""
    fitting = [entry for entry in found if not globs or any(fnmatchcase(entry.id, glob) for glob in globs)]
    if not fitting:
        from micronet_verify.strict_yaml.sentences import did_you_mean

        advice = did_you_mean(globs[0], [entry.id for entry in found])
        raise Mistake(Problem(f"--entry {' --entry '.join(globs)}", "match the id of an entry", advice=advice))
    return fitting


def one_entry(folder: Path) -> EntryPath:
    """The entry in ``folder``; exactly one."""
    if folder.is_file():
        advice = f"micronet-verify count {folder} counts a model file"
        raise Mistake(Problem(f"the file {str(folder)!r}", "be an entry: a directory with a submission.yaml", advice=advice))
    _directory(folder)
    from micronet_verify.submission.manifest import MANIFEST

    if not os.path.lexists(folder / MANIFEST):
        from micronet_verify.submission.directory import misnamed

        below = any(folder.glob(f"*/{MANIFEST}")) or any(folder.glob(f"*/*/{MANIFEST}"))
        nearly = [path for path in misnamed(folder, ()) if path.parent == folder]
        advice = f"micronet-verify run {folder} judges every entry below it" if below else "".join(map(_rename, nearly[:1]))
        raise Mistake(Problem(f"{str(folder)!r} without a {MANIFEST}", "be an entry, which has one", advice=advice))
    return entries(folder)[0]


def model_file(path: Path) -> Path:
    """``path``, which is a file that can be read; of a SavedModel's directory its ``saved_model.pb``."""
    from micronet_verify.submission.containment import SAVED_MODEL

    if path.is_dir() and (path / SAVED_MODEL).is_file():
        path = path / SAVED_MODEL
    if path.is_dir():
        advice = f"micronet-verify explain {path} prices an entry"
        raise Mistake(Problem(f"the directory {str(path)!r}", "be a model file, or a SavedModel's directory", advice=advice))
    if not path.exists():
        raise Mistake(Problem(f"the model file {str(path)!r}", "be a file that exists"))
    if not path.is_file():
        raise Mistake(Problem(f"{str(path)!r}", "be a regular file"))
    try:
        with path.open("rb") as handle:
            handle.read(1)
    except OSError as error:
        raise Mistake(Problem(f"{str(path)!r}, which cannot be read ({error.strerror}),", "be readable")) from None
    return path


def track_folders(folders: Sequence[Path]) -> tuple[Path, ...]:
    """``folders``, each a directory."""
    for folder in folders:
        _directory(folder, "the folder of track files")
    return tuple(folders)


def data_folder(folder: Path | None) -> Path | None:
    """``folder``, a directory; ``None`` where none was named."""
    if folder is not None:
        _directory(folder, "the folder of data sets")
    return folder


def track_named(name: str, folders: Sequence[Path]) -> Track:
    """The track ``name``; a name that is not there is the user's mistake, a broken file the organizers' (``SpecError``)."""
    from micronet_verify.track.library import UnknownName, load_track

    try:
        return load_track(name, folders)
    except UnknownName as error:
        raise Mistake(error.problems[0]) from None


def rules_named(edition: str, folders: Sequence[Path]) -> CountingRules:
    """The edition of the counting rules; as ``track_named``."""
    from micronet_verify.track.library import UnknownName, load_rules

    try:
        return load_rules(edition, folders)
    except UnknownName as error:
        raise Mistake(error.problems[0]) from None


def pricing(edition: str | None, track: str | None, folders: Sequence[Path]) -> tuple[Track | None, CountingRules]:
    """The track, and the rules: the edition that is named, else the track's, else the first one."""
    found = track_named(track, folders) if track else None
    return found, found.rules if found and not edition else rules_named(edition or FIRST_EDITION, folders)


def check_tracks(folders: Sequence[Path]) -> None:
    """Read every track file now, rather than after an hour of judging. Raises ``SpecError`` with all problems."""
    from micronet_verify.track.library import track_problems

    if problems := track_problems(folders):
        raise SpecError(problems)


def report_folder(report: Path, found: Sequence[EntryPath]) -> None:
    """Make the folder of reports; it lies in no entry, and can be written to."""
    if any(report.resolve().is_relative_to(entry.path.resolve()) for entry in found):
        raise Mistake(Problem(f"the report folder {str(report)!r}", "lie outside of the entries"))
    try:
        report.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Mistake(Problem(f"the report folder {str(report)!r}, which cannot be made ({error.strerror}),", "be a folder")) from None
    if not os.access(report, os.W_OK | os.X_OK):
        raise Mistake(Problem(f"the report folder {str(report)!r}, which cannot be written to,", "be writable"))


def _directory(folder: Path, what: str = "the folder") -> None:
    if not folder.is_dir():
        got = f"{what} {str(folder)!r}"
        raise Mistake(Problem(got, "be a directory" if folder.exists() else "be a directory that exists"))
    if not os.access(folder, os.R_OK | os.X_OK):
        raise Mistake(Problem(f"{what} {str(folder)!r}, which cannot be listed,", "be readable"))
