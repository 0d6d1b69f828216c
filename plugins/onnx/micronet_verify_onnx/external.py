"""External tensor data: which file, and whether it may be read.

onnxruntime refuses ``..`` and symlinks but follows hard links, and believes offsets (measured); here only ordinary
files of the model's own folder pass, with every byte range inside the file.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath

import onnx

from micronet_verify.plugin import Problem, SubmissionFault


def external_range(folder: Path, tensor: onnx.TensorProto, needed: int, where: str) -> tuple[str, int]:
    """(path relative to ``folder``, offset) of a tensor's ``needed`` external bytes.

    Raises ``SubmissionFault`` unless the file lies in the folder, is an ordinary file with one name, and holds them.
    """
    # Text that is no UTF-8 comes as bytes; it names no file that may be read.
    entries = {entry.key: entry.value if isinstance(entry.value, str) else "\0" for entry in tensor.external_data}
    location = entries.get("location", "")
    size = _checked_size(folder, location, where)
    offset = _number(entries.get("offset", "0"), "offset", where)
    length = _number(entries.get("length", str(needed)), "length", where)
    if length != needed:
        raise SubmissionFault(Problem(f"external data of {length:,} bytes", f"be {needed:,} bytes, as its shape and type say", where))
    if offset + length > size:
        raise SubmissionFault(
            Problem(f"external data that ends at byte {offset + length:,}", f"end within {location}'s {size:,} bytes", where)
        )
    return location, offset


def _checked_size(folder: Path, location: str, where: str) -> int:
    path = PurePosixPath(location)
    if not location or path.is_absolute() or ".." in path.parts or "\\" in location or "\0" in location:
        raise SubmissionFault(Problem(f"external data in {location!r}", "be a file in the model's own folder", where))
    status = None
    for index in range(len(path.parts)):
        try:
            status = os.lstat(folder.joinpath(*path.parts[: index + 1]))
        except OSError:
            raise SubmissionFault(
                Problem(f"external data in {location!r}, which is missing", "be a file in the model's own folder", where)
            ) from None
        if stat.S_ISLNK(status.st_mode):
            raise SubmissionFault(Problem(f"external data in {location!r}, a symbolic link", "be an ordinary file", where))
    if status is None or not stat.S_ISREG(status.st_mode):
        raise SubmissionFault(Problem(f"external data in {location!r}", "be an ordinary file", where))
    if status.st_nlink > 1:
        raise SubmissionFault(
            Problem(f"external data in {location!r}, a file with {status.st_nlink} names (hard links)", "have one name", where)
        )
    return status.st_size


def _number(text: str, name: str, where: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise SubmissionFault(Problem(f"external data with {name} {text[:40]!r}", "be a whole number of bytes", where))
    return int(text)
