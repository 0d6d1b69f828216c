"""Names what a file is that a plugin cannot read: common mistakes, told by their first bytes, and what to hand in instead."""

from __future__ import annotations

import zipfile
from pathlib import Path

from micronet_verify.errors import Problem

_ALONE = "weights alone are not a model: torch.export.export(model, …) and torch.export.save, or source with safetensors weights"
_PICKLES = "pickles can run code and are never opened: "
_UNPACK = "unpack it, and hand in the file that was in it"
_EXPORT = "export the nn.Module itself: torch.export.export(model, …), then torch.export.save"
PT2 = "a .pt2 archive of torch.export"
# First bytes, where they stand, what such a file is, and what to do.
_MAGIC: tuple[tuple[bytes, int, str, str], ...] = (
    (b"\x1f\x8b", 0, "a gzip file", _UNPACK),
    (b"BZh", 0, "a bzip2 file", _UNPACK),
    (b"\xfd7zXZ\x00", 0, "an xz file", _UNPACK),
    (b"\x28\xb5\x2f\xfd", 0, "a zstandard file", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", 0, "a 7z file", _UNPACK),
    (b"ustar", 257, "a tar file", _UNPACK),
    (b"TFL3", 4, "a TensorFlow Lite model", "its name must end in .tflite"),
    (b"\x89HDF\r\n\x1a\n", 0, "an HDF5 file", "save the Keras model in it again as .keras"),
    (b"\x93NUMPY", 0, "an array of numpy", "an array is not a model"),
    (b"version https://git-lfs", 0, "a pointer of Git LFS", "download the file itself: git lfs pull"),
    (b"<!DOCTYPE", 0, "a web page", "download the file itself"),
    (b"<html", 0, "a web page", "download the file itself"),
    (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9", 0, "an old checkpoint of torch.save", _PICKLES + _ALONE),
)


def instead(path: Path, wanted: str) -> Problem | None:
    """The problem of a file that is known to be something else than ``wanted``; ``None`` where its bytes say nothing."""
    try:
        found = _named(path)
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError):
        return None
    return Problem(found[0], f"be {wanted}", path.name, found[1]) if found else None


def _named(path: Path) -> tuple[str, str] | None:
    with path.open("rb") as handle:
        head = handle.read(512)
    if not head:
        return "an empty file", "save the model again"
    for magic, place, what, advice in _MAGIC:
        if head[place : place + len(magic)] == magic:
            return what, advice
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "a pickle", _PICKLES + _ALONE
    if head[8:10] in (b'{"', b"{}") and 0 < int.from_bytes(head[:8], "little") < path.stat().st_size:
        return "weights in safetensors", "they belong to source: name them under source.weights, together with source.entry_point"
    return _of_zip(path) if head[:4] == b"PK\x03\x04" else None


def _of_zip(path: Path) -> tuple[str, str] | None:
    with zipfile.ZipFile(path) as archive:
        if min((entry.header_offset for entry in archive.infolist()), default=1):
            return None  # the end of a zip inside a zip that was cut off
        names = archive.namelist()
    ends = {name.partition("/")[2] for name in names}
    if "archive_format" in ends or "serialized_exported_program.json" in names:
        return PT2, "its name must end in .pt2, and its framework must be pytorch"
    if "constants.pkl" in ends or any(end.startswith("code/") for end in ends):
        return "a TorchScript archive (torch.jit.save)", _EXPORT
    if "data.pkl" in ends:
        return "a checkpoint of torch.save", _PICKLES + _ALONE
    if "config.json" in names and any(name.endswith(".h5") for name in names):
        return "a Keras model", "its name must end in .keras, and its framework must be tensorflow"
    if names and all(name.endswith(".npy") for name in names):
        return "arrays of numpy (.npz)", "arrays are not a model"
    return None
