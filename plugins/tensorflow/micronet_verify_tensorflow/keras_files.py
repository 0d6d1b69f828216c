"""Checks a ``.keras`` or ``.h5`` file as data, before Keras opens it: sizes, names, classes, and where its tensors lie.

A ``.keras`` file is a zip of ``metadata.json``, ``config.json`` and ``model.weights.h5``; an ``.h5`` file holds the configuration
in an attribute. HDF5 can keep a tensor's bytes in any other file, link to other files, and claim sizes that it does not have.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from micronet_verify.plugin import Problem, SubmissionFault
from micronet_verify_tensorflow.keras_classes import class_problems
from micronet_verify_tensorflow.messages import bad

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_MOST_TEXT = 1 << 25
_MOST_WEIGHTS = 1 << 32
# Weights hardly shrink; more than this is a file made to swell.
_MOST_RATIO = 100
_MOST_OBJECTS = 200_000
_SAVE = "save it with model.save('model.keras')"


def check_keras(path: Path) -> None:
    """A ``.keras`` file. Raises ``SubmissionFault`` for anything but a model of built-in layers and its plain weights."""
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, path.name)
            config = _json(_read(archive, CONFIG, path.name), f"{CONFIG} of {path.name}")
            _json(_read(archive, METADATA, path.name), f"{METADATA} of {path.name}")
            _check_classes(config, f"{CONFIG} of {path.name}")
            weights = _read(archive, WEIGHTS, path.name)
    except zlib.error as error:
        raise bad(f"a member whose compressed bytes are damaged ({_first(error)})", "be as Keras writes it", path.name, _SAVE) from None
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError, RuntimeError) as error:
        raise bad(f"a file that is not a zip archive ({_first(error)})", "be a .keras file", path.name, _SAVE) from None
    _check_hdf5(io.BytesIO(weights), f"{WEIGHTS} of {path.name}", len(weights))


def check_h5(path: Path) -> None:
    """An ``.h5`` file of a whole model; as ``check_keras``."""
    text = _check_hdf5(path, path.name, path.stat().st_size, attribute="model_config")
    if text is None:
        raise bad("an .h5 file without a model", "hold a whole model, not weights alone", path.name, _SAVE)
    _check_classes(_json(text, f"the configuration in {path.name}"), f"the configuration in {path.name}")


def _check_members(archive: zipfile.ZipFile, name: str) -> None:
    problems = []
    found: set[str] = set()
    for info in archive.infolist():
        size = f"{info.file_size:,} bytes from {info.compress_size:,}"
        if info.filename not in (CONFIG, METADATA, WEIGHTS):
            problems.append(Problem(f"a member {info.filename[:80]!r}", f"be {METADATA}, {CONFIG} or {WEIGHTS}", name, _SAVE))
        elif info.filename in found:
            problems.append(Problem(f"a second member {info.filename!r}", "be there once", name))
        elif info.flag_bits & 1:
            problems.append(Problem(f"an encrypted member {info.filename!r}", "be readable", name))
        elif info.file_size > (_MOST_WEIGHTS if info.filename == WEIGHTS else _MOST_TEXT):
            problems.append(Problem(f"{info.filename} of {info.file_size:,} bytes", "be smaller", name))
        elif info.file_size > 1 << 20 and info.file_size > _MOST_RATIO * max(info.compress_size, 1):
            problems.append(Problem(f"{info.filename} that swells ({size})", f"be compressed at most {_MOST_RATIO} times", name))
        found.add(info.filename)
        if len(problems) > 20:
            break
    problems += [Problem(f"no member {member!r}", "be there", name, _SAVE) for member in (CONFIG, METADATA, WEIGHTS) if member not in found]
    if problems:
        raise SubmissionFault(problems)


def _read(archive: zipfile.ZipFile, member: str, name: str) -> bytes:
    """A member's bytes, never more than it declares."""
    declared = archive.getinfo(member).file_size
    with archive.open(member) as handle:
        data = handle.read(declared + 1)
    if len(data) != declared:
        raise bad(f"{member} of {len(data):,} bytes", f"be {declared:,}, as the archive says", name)
    return data


def _json(text: bytes | str, where: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a key given twice")
        return found

    try:
        return json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise bad(f"text that is not JSON ({_first(error)})", "be as Keras writes it", where) from None


def _check_classes(config: Any, where: str) -> None:
    if not isinstance(config, dict) or "class_name" not in config:
        raise bad("a configuration without a model", "be as Keras writes it", where, _SAVE)
    problems = dict.fromkeys(class_problems(config, where))
    if problems:
        raise SubmissionFault(problems)


def _check_hdf5(source: Path | io.BytesIO, where: str, size: int, attribute: str = "") -> str | bytes | None:
    """Every object of an HDF5 file: plain groups and plain tensors that are inside it. The value of one attribute, if asked for."""
    import h5py

    try:
        with h5py.File(source, "r") as file:
            problems = list(_object_problems(file, h5py, where, size))
            if problems:
                raise SubmissionFault(problems[:20])
            value = file.attrs.get(attribute) if attribute else None
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise bad(f"weights that are not an HDF5 file ({_first(error)})", "be as Keras writes them", where, _SAVE) from None
    if value is not None and not isinstance(value, str | bytes):
        raise bad(f"an attribute {attribute!r} of type {type(value).__name__}", "be text", where)
    return value


def _object_problems(file: Any, h5py: Any, where: str, size: int) -> Iterator[Problem]:
    pending, total = [file], 0
    seen: set[int] = set()
    while pending:
        group = pending.pop()
        for name in group:
            place = f"{group.name.rstrip('/')}/{name}"
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                yield Problem(f"a link {place!r} to somewhere else", "be a tensor inside the file", where)
                continue
            found = group[name]
            address = h5py.h5o.get_info(found.id).addr
            if address in seen or len(seen) > _MOST_OBJECTS:
                yield Problem(f"{place!r}, which appears in two places", "be a tensor of its own", where)
                return
            seen.add(address)
            if isinstance(found, h5py.Group):
                pending.append(found)
            elif not isinstance(found, h5py.Dataset):
                yield Problem(f"{place!r}, which is not a tensor", "be a tensor", where)
            else:
                total += found.nbytes
                yield from _tensor_problems(found, place, where, size)
    if total > _MOST_RATIO * max(size, 1 << 16):
        yield Problem(f"tensors of {total:,} bytes in a file of {size:,}", f"be at most {_MOST_RATIO} times as large", where)


def _tensor_problems(tensor: Any, place: str, where: str, size: int) -> Iterator[Problem]:
    if tensor.external or tensor.is_virtual:
        yield Problem(f"the tensor {place!r} in another file", "lie inside the file", where)
    elif tensor.dtype.kind not in "fiub":
        yield Problem(f"the tensor {place!r} of type {tensor.dtype}", "be of numbers", where)
    elif tensor.nbytes > _MOST_RATIO * max(tensor.id.get_storage_size(), 64):
        stored = tensor.id.get_storage_size()
        yield Problem(f"the tensor {place!r} of {tensor.nbytes:,} bytes, of which {stored:,} are there", "be stored in full", where)


def _first(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:160] if text else type(error).__name__
