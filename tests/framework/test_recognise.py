"""A file that is something else is called by its name, with what to hand in instead."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from micronet_verify_onnx.counter import OnnxCounter
from micronet_verify_pytorch.counter import PyTorchCounter
from safetensors.torch import save_file
from torch import nn

from micronet_verify.errors import SubmissionFault
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.requests import TranslateRequest
from tests.plugins.pytorch.support import archive

LAYER = nn.Linear(3, 2)
PACKED = "(unpack it, and hand in the file that was in it)"
ALONE = "weights alone are not a model: torch.export.export(model, …) and torch.export.save, or source with safetensors weights)"
PICKLED = f"(pickles can run code and are never opened: {ALONE}"


def written(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def tarred(path: Path) -> None:
    with tarfile.open(path, "w") as archive_file:
        archive_file.addfile(tarfile.TarInfo("model"), io.BytesIO())


FILES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "gzip": (written(gzip.compress(b"model")), "a gzip file", PACKED),
    "bzip2": (written(bz2.compress(b"model")), "a bzip2 file", PACKED),
    "xz": (written(lzma.compress(b"model")), "an xz file", PACKED),
    "tar": (tarred, "a tar file", PACKED),
    "pickle": (written(pickle.dumps({"weight": 1})), "a pickle", PICKLED),
    "state dict": (lambda path: torch.save(LAYER.state_dict(), path), "a checkpoint of torch.save", PICKLED),
    "module": (lambda path: torch.save(LAYER, path), "a checkpoint of torch.save", PICKLED),
    "old state dict": (
        lambda path: torch.save(LAYER.state_dict(), path, _use_new_zipfile_serialization=False),
        "an old checkpoint of torch.save",
        PICKLED,
    ),
    "safetensors": (
        lambda path: save_file(LAYER.state_dict(), path),
        "weights in safetensors",
        "(they belong to source: name them under source.weights, together with source.entry_point)",
    ),
    "TorchScript": (
        lambda path: torch.jit.save(torch.jit.trace(LAYER, torch.zeros(1, 3)), path),
        "a TorchScript archive (torch.jit.save)",
        "(export the nn.Module itself: torch.export.export(model, …), then torch.export.save)",
    ),
    "npy": (lambda path: np.save(path.open("wb"), np.zeros(3)), "an array of numpy", "(an array is not a model)"),
    "npz": (lambda path: np.savez(path.open("wb"), a=np.zeros(3)), "arrays of numpy (.npz)", "(arrays are not a model)"),
    "TensorFlow Lite": (written(b"\x1c\0\0\0TFL3" + bytes(40)), "a TensorFlow Lite model", "(its name must end in .tflite)"),
    "HDF5": (written(b"\x89HDF\r\n\x1a\n" + bytes(40)), "an HDF5 file", "(save the Keras model in it again as .keras)"),
    "Git LFS": (
        written(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n"),
        "a pointer of Git LFS",
        "(download the file itself: git lfs pull)",
    ),
    "web page": (written(b"<!DOCTYPE html><title>Not found</title>"), "a web page", "(download the file itself)"),
}


def refused(path: Path) -> str:
    counter = OnnxCounter() if path.suffix == ".onnx" else PyTorchCounter()
    with pytest.raises(SubmissionFault) as caught:
        counter.translate(TranslateRequest(path), GraphBuilder(None))
    return str(caught.value)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("name", FILES)
def test_what_is_handed_in_by_mistake_is_named(name: str, tmp_path: Path) -> None:
    write, what, advice = FILES[name]
    for file, wanted in (("model.pt2", "a .pt2 archive"), ("model.onnx", "an ONNX model")):
        write(tmp_path / file)
        assert refused(tmp_path / file) == f"got {what} but should be {wanted} [{file}] {advice}"


def test_an_archive_of_pytorch_called_onnx(tmp_path: Path) -> None:
    path = archive(LAYER, torch.zeros(2, 3), tmp_path).rename(tmp_path / "model.onnx")
    assert refused(path) == (
        "got a .pt2 archive of torch.export but should be an ONNX model [model.onnx] "
        "(its name must end in .pt2, and its framework must be pytorch)"
    )


def test_bytes_that_say_nothing_are_told_as_before(tmp_path: Path) -> None:
    for file, begin in (
        ("model.pt2", "got a file that cannot be read as a .pt2 archive ("),
        ("model.onnx", "got bytes that are not protobuf"),
    ):
        (tmp_path / file).write_bytes(b"hello, world")
        assert refused(tmp_path / file).startswith(begin)
