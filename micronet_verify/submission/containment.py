"""Whether a file that a manifest names really lies in the entry: looked up on the disk, step by step, without opening it.

A link, hard or symbolic, could show a file of the machine or of another entry; a pipe or device could stall or
flood the reader. All are refused, on every step of the path.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath

from micronet_verify.errors import Problem
from micronet_verify.strict_yaml.scalars import shown
from micronet_verify.strict_yaml.sentences import did_you_mean

MAX_FILE_BYTES = 4 << 30
# What TensorFlow calls the model file of a directory.
SAVED_MODEL = "saved_model.pb"
_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def examine(root: Path, name: str, limit: int = MAX_FILE_BYTES) -> int | Problem:
    """The size in bytes of the regular file ``name`` below ``root``, or what is wrong with it (``where`` is left to the caller)."""
    problem = _spelling(name)
    if problem:
        return problem
    folder = root
    parts = PurePosixPath(name).parts
    for step, part in enumerate(parts):
        so_far = "/".join(parts[: step + 1])
        try:
            listing = os.listdir(folder)
            # A listing spells names as they are; a file system that ignores case would find others too.
            if part not in listing:
                before = "".join(f"{earlier}/" for earlier in parts[:step])
                return Problem(
                    f"no file {shown(so_far)}", "be in the entry", advice=did_you_mean(so_far, [before + one for one in listing])
                )
            status = os.lstat(folder / part)
        except OSError as error:
            return Problem(f"{shown(so_far)}, which cannot be read ({error.strerror}),", "be readable")
        if stat.S_ISLNK(status.st_mode):
            return Problem(f"the symbolic link {shown(so_far)}", "be the file itself", advice="copy the file into the entry")
        if step < len(parts) - 1 and not stat.S_ISDIR(status.st_mode):
            return Problem(f"{shown(so_far)} on the way to {shown(name)}", "be a directory")
        folder = folder / part
    if os.path.lexists(folder / SAVED_MODEL):
        advice = f"name {name}/{SAVED_MODEL}, and every file of {name}/variables under external_data"
        return Problem(f"{shown(name)}, the directory of a SavedModel,", "be a regular file", advice=advice)
    return _regular(name, status, limit)


def _spelling(name: str) -> Problem | None:
    if not name:
        return Problem("an empty file name", "name a file of the entry")
    if "\\" in name or ":" in name:
        return Problem(f"the path {shown(name)}", "have neither '\\' nor ':'", advice="write '/' between directories")
    if name.startswith("/"):
        return Problem(f"the absolute path {shown(name)}", "be relative to the entry")
    parts = name.split("/")
    if ".." in parts:
        return Problem(f"the path {shown(name)}", "stay inside the entry, without '..'")
    if "" in parts or "." in parts:
        return Problem(f"the path {shown(name)}", "be written without '.', '//' or '/' at its end")
    if any(ord(char) < 32 or ord(char) == 127 for char in name) or any(part != part.strip() for part in parts):
        return Problem(f"the path {shown(name)}", "have no control characters, and no spaces at the ends of its names")
    return None


def _regular(name: str, status: os.stat_result, limit: int) -> int | Problem:
    if not stat.S_ISREG(status.st_mode):
        kind = next((word for test, word in _KINDS if test(status.st_mode)), "no file")
        return Problem(f"{shown(name)}, {kind},", "be a regular file")
    if status.st_nlink > 1:
        return Problem(
            f"{shown(name)}, a file with {status.st_nlink} hard links,", "have one name only", advice="copy the file into the entry"
        )
    if status.st_size > limit:
        return Problem(f"{shown(name)} of {status.st_size:,} bytes", f"have at most {limit:,} bytes")
    return int(status.st_size)
