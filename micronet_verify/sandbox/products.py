"""What a step leaves in its folder, looked at before any of it is opened."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from micronet_verify.errors import PluginFault, Problem, SubmissionFault
from micronet_verify.facts.graph import Graph
from micronet_verify.facts.serde import load_graph
from micronet_verify.facts.validate import validate
from micronet_verify.sandbox.answers import readable
from micronet_verify.wording.numbers import MB, size_words

LARGEST_JSON = 64 * MB


def check_products(folder: Path, named: tuple[str, ...], most_bytes: int, stage: str) -> None:
    """Raise ``SubmissionFault`` unless ``folder`` holds plain files and folders only, with the ``named`` files among them.

    No links of either kind, no pipes or devices, and no more than ``most_bytes`` in all: a later step may bind or read
    any of it.
    """
    where, problems, total = f"stage {stage}", [], 0
    present: set[str] = set()
    for path, state in _walk(folder):
        name = path.relative_to(folder).as_posix()
        if stat.S_ISREG(state.st_mode) and state.st_nlink == 1:
            present.add(name)
            total += state.st_size
        elif not stat.S_ISDIR(state.st_mode):
            kind = "a hard link" if stat.S_ISREG(state.st_mode) else "a symbolic link" if stat.S_ISLNK(state.st_mode) else "a special file"
            problems.append(Problem(f"{kind} {readable(name)!r} as a result file", "be a plain file", where))
    if total > most_bytes:
        problems.append(Problem(f"result files of more than {size_words(most_bytes)}", "be smaller", where))
    for name in named:
        if name not in present or PurePosixPath(name).is_absolute():
            problems.append(Problem(f"no file {readable(name)!r} among the result files", "be the file that the result names", where))
    if problems:
        raise SubmissionFault(problems)


def size_of(folder: Path) -> int:
    """Bytes of the plain files under ``folder``, as far as they can be seen; links are not followed."""
    return sum(state.st_size for _, state in _walk(folder) if stat.S_ISREG(state.st_mode))


def read_graph(path: Path) -> Graph:
    """The neutral graph that a translate step wrote, validated.

    Raises ``SubmissionFault`` for a file that is too large, or no graph; ``PluginFault`` for a graph that the builder would not have
    made: only its plugin, or what overcame it, can have written that.
    """
    graph = load_graph(_json_text(path))
    try:
        validate(graph)
    except SubmissionFault as fault:
        raise PluginFault(fault.problems) from None
    return graph


def read_taken(path: Path, examples: int) -> Mapping[str, tuple[int, ...]]:
    """The branch record: branch id → index of the branch each example took, −1 where it never came to that branch.

    Raises ``SubmissionFault`` for a file that is not such a record for ``examples`` examples.
    """
    text, where = _json_text(path), path.name
    try:
        record = {str(branch): tuple(indices) for branch, indices in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise SubmissionFault(Problem(f"a branch record that cannot be read ({error})", "be branch id → indices", where)) from None
    for branch, indices in record.items():
        if len(indices) != examples or not all(type(index) is int and index >= -1 for index in indices):
            got = f"{len(indices):,} entries for branch {readable(branch)!r}"
            raise SubmissionFault(Problem(got, f"be {examples:,} branch numbers", where))
    return record


def _json_text(path: Path) -> str:
    with path.open("rb") as handle:
        data = handle.read(LARGEST_JSON + 1)
    if len(data) > LARGEST_JSON:
        raise SubmissionFault(Problem(f"a file of more than {size_words(LARGEST_JSON)}", "be smaller", path.name))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise SubmissionFault(Problem("bytes that are not UTF-8 text", "be JSON", path.name)) from None


def _walk(folder: Path) -> list[tuple[Path, os.stat_result]]:
    found: list[tuple[Path, os.stat_result]] = []
    pending = [folder]
    while pending:
        try:
            entries = sorted(os.scandir(pending.pop()), key=lambda entry: entry.name)
        except OSError:  # gone, or closed to us, while the step runs
            continue
        for entry in entries:
            try:
                state = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            found.append((Path(entry.path), state))
            if stat.S_ISDIR(state.st_mode):
                pending.append(Path(entry.path))
    return found
