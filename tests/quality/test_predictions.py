from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from micronet_verify.errors import BenchFault, SubmissionFault
from micronet_verify.quality.sealed_predictions import open_predictions, seal_predictions

ARTIFACT, OTHER = "abc0" * 16, "def0" * 16


def saved(folder: Path, array: object, name: str = "outputs.npy") -> Path:
    np.save(folder / name, array, allow_pickle=True)  # type: ignore[arg-type]
    return folder / name


def test_predictions_of_the_counted_artifact_open(tmp_path: Path) -> None:
    outputs = np.arange(20, dtype=np.float32).reshape(2, 10)
    predictions = seal_predictions(saved(tmp_path, outputs), ARTIFACT, 2, 64)
    found = open_predictions(predictions, ARTIFACT, 1000)
    assert np.array_equal(found, outputs)
    assert isinstance(found, np.memmap)
    assert not found.flags.writeable


def test_predictions_of_another_artifact_are_refused(tmp_path: Path) -> None:
    predictions = seal_predictions(saved(tmp_path, np.zeros((2, 10), np.float32)), ARTIFACT, 2, 64)
    with pytest.raises(SubmissionFault) as caught:
        open_predictions(predictions, OTHER, 1000)
    assert str(caught.value) == (
        "got predictions of artifact abc0abc0abc0… but should be of def0def0def0…, which was counted [outputs.npy]"
    )


def test_predictions_that_changed_after_sealing_are_refused(tmp_path: Path) -> None:
    predictions = seal_predictions(saved(tmp_path, np.zeros((2, 10), np.float32)), ARTIFACT, 2, 64)
    saved(tmp_path, np.ones((2, 10), np.float32))
    with pytest.raises(BenchFault, match=r"^got predictions of SHA-256 \w{12}… but should be \w{12}… as sealed \[outputs.npy\]$"):
        open_predictions(predictions, ARTIFACT, 1000)
    predictions.path.unlink()
    with pytest.raises(BenchFault) as caught:
        open_predictions(predictions, ARTIFACT, 1000)
    assert str(caught.value) == (
        "got predictions that cannot be read (No such file or directory) but should be where they were sealed [outputs.npy]"
    )


@pytest.mark.parametrize(
    ("array", "most", "sentence"),
    [
        (np.zeros((2, 10), np.float32), 128 + 79, "got predictions of 208 bytes but should be at most 207"),  # header 128, 2·10·4 data
        (np.zeros((2, 10), np.int64), 1000, "got predictions of type int64 but should be float32 or float64"),
        (np.zeros((2, 10), ">f4"), 1000, "got predictions of type >f4 but should be float32 or float64"),
        (np.zeros((3, 10), np.float32), 1000, "got predictions of shape (3, 10) but should be of 2 examples along the first axis"),
        (np.float32(1), 1000, "got predictions of shape () but should be of 2 examples along the first axis"),
        (np.array([[print]]), 1000, "got predictions that cannot be read (Array can't be memory-mapped: Python objects in dtype.) but "
         "should be a .npy file"),
    ],
)  # fmt: skip
def test_arrays_that_are_no_predictions(tmp_path: Path, array: object, most: int, sentence: str) -> None:
    predictions = seal_predictions(saved(tmp_path, array), ARTIFACT, 2, 64)
    with pytest.raises(SubmissionFault) as caught:
        open_predictions(predictions, ARTIFACT, most)
    assert str(caught.value) == f"{sentence} [outputs.npy]"


def header(text: bytes) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04N.",  # a pickle of None
        b"PK\x03\x04",
        header(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 10)}\n"),
        header(b"{'descr': '<f4', 'fortran_order': False, 'shape': (" + b"9" * 400 + b",)}\n"),
        header(b"{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 10)}\n"),
        header(b"[" * 5000),
        header(b"__import__('os').abort()\n"),
        header(b"'\n"),
    ],
)
def test_hostile_bytes_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "outputs.npy"
    path.write_bytes(data)
    with pytest.raises(SubmissionFault, match=r"but should be a .npy file \[outputs.npy\]$"):
        open_predictions(seal_predictions(path, ARTIFACT, 2, 64), ARTIFACT, 10_000)


def test_the_binding_is_part_of_the_record(tmp_path: Path) -> None:
    predictions = seal_predictions(saved(tmp_path, np.zeros((2, 10), np.float64)), ARTIFACT, 2, 64)
    with pytest.raises(SubmissionFault, match="got predictions of artifact def0def0def0…"):
        open_predictions(replace(predictions, artifact_sha256=OTHER), ARTIFACT, 1000)
