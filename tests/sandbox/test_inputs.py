"""Inputs kept as bytes come out as the float32 numbers that a loop over the file would make."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from micronet_verify.facts.data import Scaling
from micronet_verify.framework.protocols import as_batches
from micronet_verify.sandbox.inputs import open_inputs
from micronet_verify.sandbox.jobs import PredictJob, job_from_data, job_to_data

SCALING = Scaling("255.0", ("0.485", "0.456", "0.406"), ("0.229", "0.224", "0.225"))
PIXELS = np.random.default_rng(0).integers(0, 256, (37, 3, 8, 8), np.uint8)


def loop(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    mean, deviation = (np.array(numbers, np.float32)[:, None, None] for numbers in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    return (pixels.astype(np.float32) / np.float32(255) - mean) / deviation


@pytest.fixture
def inputs(tmp_path: Path) -> NDArray[Any]:
    np.save(tmp_path / "inputs.npy", PIXELS)
    return open_inputs(tmp_path / "inputs.npy", SCALING)


def test_it_looks_like_the_array(inputs: NDArray[Any]) -> None:
    assert (len(inputs), inputs.shape, inputs.ndim, inputs.dtype) == (37, (37, 3, 8, 8), 4, np.float32)
    assert np.array_equal(np.asarray(inputs), loop(PIXELS))
    assert np.array_equal(np.asarray(inputs, np.float64), loop(PIXELS).astype(np.float64))


@pytest.mark.parametrize("size", [1, 5, 16, 37, 100])
def test_batches(inputs: NDArray[Any], size: int) -> None:
    batches = list(as_batches(inputs, size))
    assert [len(batch) for batch in batches] == [min(size, 37 - start) for start in range(0, 37, size)]
    assert all(batch.dtype == np.float32 and batch.flags.c_contiguous and batch.flags.writeable for batch in batches)
    assert np.array_equal(np.concatenate(batches), loop(PIXELS))


def test_other_ways_of_asking(inputs: NDArray[Any]) -> None:
    assert np.array_equal(inputs[3], loop(PIXELS)[3])
    assert np.array_equal(inputs[-1], loop(PIXELS)[-1])
    assert np.array_equal(inputs[30:1000], loop(PIXELS)[30:])
    assert inputs[20:10].shape == inputs[[]].shape == (0, 3, 8, 8)
    assert np.array_equal(inputs[[5, 36, 0, 5, -2]], loop(PIXELS)[[5, 36, 0, 5, -2]])
    with pytest.raises(IndexError):
        inputs[37]
    with pytest.raises(IndexError, match="no steps"):
        inputs[::2]


def test_channels_last(tmp_path: Path) -> None:
    np.save(tmp_path / "inputs.npy", PIXELS.transpose(0, 2, 3, 1))
    scaling = Scaling(SCALING.scale, SCALING.mean, SCALING.deviation, channel_axis=2)
    assert np.array_equal(open_inputs(tmp_path / "inputs.npy", scaling)[:], loop(PIXELS).transpose(0, 2, 3, 1))


def test_a_short_file_is_no_input(tmp_path: Path) -> None:
    np.save(tmp_path / "inputs.npy", PIXELS)
    opened = open_inputs(tmp_path / "inputs.npy", SCALING)
    os.truncate(tmp_path / "inputs.npy", 2000)
    with pytest.raises(EOFError):
        opened[30:]
    np.save(tmp_path / "floats.npy", loop(PIXELS))
    with pytest.raises(ValueError, match="float32"):
        open_inputs(tmp_path / "floats.npy", SCALING)


def test_without_a_scaling_the_file_is_mapped(tmp_path: Path) -> None:
    np.save(tmp_path / "inputs.npy", loop(PIXELS))
    opened = open_inputs(tmp_path / "inputs.npy", None)
    assert isinstance(opened, np.memmap)
    assert not opened.flags.writeable


def test_no_file_stays_open(tmp_path: Path) -> None:
    np.save(tmp_path / "inputs.npy", PIXELS)
    gc.collect()  # what other tests left is closed now, and not while this one counts
    before = len(os.listdir("/proc/self/fd"))
    opened = open_inputs(tmp_path / "inputs.npy", SCALING)
    assert len(opened[:]) == 37
    del opened
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_scaling_crosses_the_wall() -> None:
    job = PredictJob(
        framework="onnx",
        root=Path("/entry"),
        primary="model.onnx",
        inputs=Path("/data/inputs.npy"),
        out=Path("/out"),
        batch_size=8,
        threads=2,
        scaling=SCALING,
    )
    assert job_from_data(job_to_data(job)) == job
