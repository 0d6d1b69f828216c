"""A model runs on the device that was asked for, or not at all; and in batches that suit the machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from micronet_verify.errors import BenchFault
from micronet_verify.framework.guarded import loader_on
from micronet_verify.framework.protocols import Answer, Framework
from micronet_verify.framework.registry import devices, framework_named
from micronet_verify.framework.requests import PredictRequest
from micronet_verify.sandbox.batch_size import batch_size_for
from micronet_verify.sandbox.jobs import job_from_data, job_to_data
from micronet_verify.stages.bench import Bench, Settings, wrong_settings

NAMES = {"limit": "--limit", "batch_size": "--batch-size", "device": "--device"}


@pytest.mark.parametrize(("device", "there"), [("cpu", (0, 0)), ("fpga", (1, 1))])
def test_the_loader_of_the_device_runs_and_finds_it(launcher, predict_job, tmp_path, monkeypatch, device, there) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    job = replace(predict_job("device"), device=device)
    assert job_from_data(job_to_data(job)) == job
    launcher.run(job)
    assert np.array_equal(np.load(tmp_path / "out" / "outputs.npy"), [there] * 5)


@pytest.mark.parametrize(
    ("device", "sentence"),
    [
        ("npu", "got a machine without an NPU but should have one [stage predict]"),
        ("cuda", "got the device 'cuda' for the framework 'fake' but should be cpu or fpga or npu [stage predict]"),
    ],
)
def test_without_the_device_the_operator_is_told_and_nothing_runs(launcher, predict_job, tmp_path, device, sentence) -> None:
    with pytest.raises(BenchFault) as caught:
        launcher.run(replace(predict_job(""), device=device))
    assert str(caught.value) == sentence
    assert not list((tmp_path / "out").iterdir())


def test_onnxruntime_of_the_processor_says_so() -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime was built for CUDA")
    with pytest.raises(BenchFault) as caught:
        loader_on(framework_named("onnx"), "cuda")
    assert str(caught.value) == (
        f"got onnxruntime {onnxruntime.__version__} without CUDAExecutionProvider "
        f"(it has {', '.join(onnxruntime.get_available_providers())}) but should have it to predict on cuda [stage predict] "
        "(install onnxruntime-gpu in place of onnxruntime)"
    )


def test_settings_that_cannot_be_are_told_together() -> None:
    assert wrong_settings(Settings(limit=1, batch_size=1), NAMES) == []
    assert [str(problem) for problem in wrong_settings(Settings(limit=0, batch_size=-3, device="cudo"), NAMES)] == [
        "got --limit 0 but should be 1 example or more",
        "got --batch-size -3 but should be 1 example or more",
        f"got --device cudo but should be {' or '.join(devices())} (did you mean 'cuda'?)",
    ]


def test_a_framework_without_other_devices_has_the_processor() -> None:
    class Loader:
        def predict(self, request: PredictRequest) -> Iterator[Answer]:
            raise NotImplementedError

    framework = Framework("plain", (), Loader, lambda: None, dict)  # type: ignore[arg-type, return-value]
    assert not loader_on(framework, "cpu").exports
    with pytest.raises(BenchFault, match=r"^got the device 'cuda' for the framework 'plain' but should be cpu \[stage predict\]$"):
        loader_on(framework, "cuda")


@pytest.mark.parametrize(
    ("example", "threads", "size"),
    [
        ((1, 8, 8), 1, 64),  # 256 bytes: the most
        ((3, 32, 32), 1, 32),  # 2**19 / (4*3*32*32) = 42.7
        ((3, 64, 64), 1, 8),  # 10.7
        ((3, 224, 224), 1, 8),  # 0.9: the least
        ((3, 224, 224), 4, 4 * 8),
        ((), 1, 64),
    ],
)
def test_batches_suit_the_machine(example, threads, size) -> None:
    assert batch_size_for(example, threads, "cpu") == size
    assert Bench(Path("work"), threads=threads).batch(example) == size
    assert Bench(Path("work"), threads=threads, batch_size=7).batch(example) == 7


def test_a_graphics_processor_gets_larger_ones() -> None:
    """2**26 / (4*3*224*224) = 111.5; 2**26 / (4*3*32*32) is more than the most."""
    assert [batch_size_for((3, side, side), 2, "cuda") for side in (224, 32, 1000)] == [64, 512, 32]
