"""Steps that crash, hang, flood or leave something running: one sentence each, and nothing survives."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from micronet_verify.errors import BenchFault, SubmissionFault
from micronet_verify.framework.requests import ExportRequest
from micronet_verify.sandbox.jobs import ExportJob, Job, PredictJob, TranslateJob
from micronet_verify.sandbox.launcher import ProcessLauncher
from micronet_verify.sandbox.limits import Limits
from micronet_verify.wording.numbers import MB
from tests.sandbox.conftest import LIMITS, ROOT

BRIEF = replace(LIMITS, seconds=2)
HANG = "import threading\ndef model(): threading.Event().wait()"


def ended(launcher: ProcessLauncher, job: Job[Any], limits: Limits = LIMITS) -> str:
    with pytest.raises(SubmissionFault) as caught:
        launcher.run(job, limits)
    return str(caught.value)


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_exit_in_the_middle(launcher: ProcessLauncher, export_job: Callable[[str], ExportJob]) -> None:
    job = export_job("import os, sys\ndef model():\n    print('so long', file=sys.stderr, flush=True)\n    os._exit(3)")
    assert ended(launcher, job) == (
        "got an export step that ended with exit code 3 and no result but should give a result [stage export] (its last output: so long)"
    )


def test_exit_with_code_0_and_no_result(launcher: ProcessLauncher, export_job: Callable[[str], ExportJob]) -> None:
    assert ended(launcher, export_job("import os\ndef model(): os._exit(0)")) == (
        "got an export step that ended with exit code 0 and no result but should give a result [stage export]"
    )


def test_segmentation_fault(launcher: ProcessLauncher, predict_job: Callable[..., PredictJob]) -> None:
    assert ended(launcher, predict_job("segfault")) == (
        "got a predict step that died of signal 11 (SIGSEGV) but should end by itself [stage predict]"
    )


def test_hang(launcher: ProcessLauncher, export_job: Callable[[str], ExportJob]) -> None:
    assert ended(launcher, export_job(HANG), BRIEF) == (
        "got an export step that was still running after 2 s but should end within that time [stage export]"
    )


def test_a_hang_that_ignores_polite_signals(launcher: ProcessLauncher, export_job: Callable[[str], ExportJob]) -> None:
    source = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n" + HANG
    assert "was still running after 2 s" in ended(launcher, export_job(source), BRIEF)


def test_memory_bomb(launcher: ProcessLauncher, export_job: Callable[[str], ExportJob]) -> None:
    source = (
        "hoard = []\ndef model():\n    block = bytearray(1 << 20)\n    while len(hoard) < 2000: hoard.append(bytes(block))\n    return {}"
    )
    # Either the watch or the kernel's own limit is first; both are the entry's fault and name the memory.
    assert ended(launcher, export_job(source), replace(LIMITS, memory_bytes=300 * MB)) in (
        "got an export step that held more than 300 MB of memory but should stay within that limit [stage export]",
        "got an export step that asked for more memory than it may have but should stay within 300 MB [stage export]",
    )


def test_memory_spread_over_children_is_summed(launcher: ProcessLauncher, export_job: Callable[[str], ExportJob]) -> None:
    source = """
import os, threading
def model():
    for _ in range(3):
        if os.fork() == 0:
            held = b"x" * 150_000_000
            threading.Event().wait()
    threading.Event().wait()
"""
    assert ended(launcher, export_job(source), replace(LIMITS, memory_bytes=400 * MB)) == (
        "got an export step that held more than 400 MB of memory but should stay within that limit [stage export]"
    )


def test_memory_error_in_our_code_is_the_entrys(launcher: ProcessLauncher, predict_job: Callable[..., PredictJob]) -> None:
    assert ended(launcher, predict_job("memory error")) == (
        "got a predict step that asked for more memory than it may have but should stay within 500 MB [stage predict]"
    )


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_flood_of_text(launcher: ProcessLauncher, export_job: Callable[[str], ExportJob], stream: str) -> None:
    source = f"import sys\ndef model():\n    while True: sys.{stream}.write('y' * 99999)"
    assert ended(launcher, export_job(source)).startswith(
        "got an export step that printed more than 1 MB but should print less [stage export]"
    )


def test_outputs_too_large_for_one_file(launcher: ProcessLauncher, predict_job: Callable[..., PredictJob]) -> None:
    # 20 examples of 2**20 float32 are 84 MB; 50 MB are allowed.
    assert ended(launcher, predict_job("large", examples=20)) == (
        "got a predict step that wrote a file of more than 50 MB but should write less [stage predict]"
    )


def test_many_files_are_summed_while_the_step_runs(launcher: ProcessLauncher, export_job: Callable[[str], ExportJob]) -> None:
    source = """
import threading
def model(folder):
    for name in "abc":
        (folder / name).write_bytes(bytes(20_000_000))
    threading.Event().wait()
"""
    assert ended(launcher, export_job(source)) == "got an export step that wrote more than 50 MB but should write less [stage export]"


DAEMON = """
import os, signal, threading
def model(folder):
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            (folder / "pid").write_text(str(os.getpid()))
            os.write(writing, b"x")
            threading.Event().wait()
        os._exit(0)
    os.wait()
    os.read(reading, 1)
    return {}
"""


def test_a_daemon_does_not_survive_its_step(launcher: ProcessLauncher, export_job: Callable[[str], ExportJob]) -> None:
    job = export_job(DAEMON)
    launcher.run(job, LIMITS)
    pid = int((job.out / "pid").read_text())
    assert gone(pid)


def test_a_child_with_an_environment_of_its_own_does_not_survive(launcher: ProcessLauncher, export_job: Callable[[str], ExportJob]) -> None:
    source = """
import subprocess
def model(folder):
    child = subprocess.Popen(["sleep", "1000"], env={"PATH": "/usr/bin:/bin"})
    (folder / "pid").write_text(str(child.pid))
    child.wait()
"""
    job = export_job(source)
    assert "was still running" in ended(launcher, job, BRIEF)
    assert gone(int((job.out / "pid").read_text()))


def test_an_exception_in_the_entry_names_its_line(launcher: ProcessLauncher, export_job: Callable[[str], ExportJob]) -> None:
    source = "def layers():\n    return [][3]\ndef model():\n    return layers()"
    assert ended(launcher, export_job(source)) == (
        "got IndexError: list index out of range but should export without an exception [model.py:2]"
    )


def test_sys_exit_in_the_entry(launcher: ProcessLauncher, export_job: Callable[[str], ExportJob]) -> None:
    assert ended(launcher, export_job("import sys\nsys.exit(0)")) == (
        "got SystemExit: 0 but should export without an exception [model.py:2]"
    )


def test_an_exception_in_a_plugins_code_names_the_plugin_and_tells_its_route(
    launcher: ProcessLauncher, predict_job: Callable[..., PredictJob]
) -> None:
    with pytest.raises(BenchFault) as caught:
        launcher.run(predict_job("defect"), LIMITS)
    (problem,) = caught.value.problems
    assert problem.got == "KeyError: 'weights' in predict"
    assert problem.should == "end with an answer or a named fault"
    assert "micronet_fake.py:" in problem.where
    assert problem.advice.startswith("a defect of plugin 'fake' of micronet-fake 1.0: report it to the authors of micronet-fake")


def test_a_worker_that_cannot_start_is_the_benchs_fault(translate_job: Callable[[str], TranslateJob], tmp_path: Path) -> None:
    class Elsewhere(ProcessLauncher):
        def command(self, job: Job[Any], folder: Path, job_file: Path) -> list[str]:
            return [str(tmp_path / "no-such-python"), "-m", "worker"]

    with pytest.raises(
        BenchFault, match=r"^got a worker that cannot be started \(.*no-such-python.*\) but should start \[stage translate\]$"
    ):
        Elsewhere().run(translate_job("sums"), LIMITS)


def test_an_end_before_the_entry_is_the_benchs_fault(launcher: ProcessLauncher, translate_job: Callable[[str], TranslateJob]) -> None:
    with pytest.raises(BenchFault) as caught:
        launcher.run(translate_job("sums"), replace(LIMITS, seconds=0))
    assert str(caught.value) == (
        "got a translate step that was still running after 0 s before it reached the entry but should start [stage translate]"
    )


def test_stop_ends_every_running_step(plugin_folder: Path, export_job: Callable[[str], ExportJob]) -> None:
    launcher = ProcessLauncher([plugin_folder, ROOT])
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(launcher.run, export_job(HANG), LIMITS)
        launcher.stop()
        with pytest.raises(BenchFault, match=r"^got a run that was stopped but should run to its end \[stage export\]$"):
            future.result()


def test_accidents_disturb_no_neighbour(launcher: ProcessLauncher, tmp_path: Path) -> None:
    def run(index: int, source: str) -> str:
        entry = tmp_path / str(index)
        entry.mkdir()
        (entry / "model.py").write_text(source)
        try:
            return launcher.run(ExportJob("fake", ExportRequest(entry, "model.py:model", "", (4,), tmp_path / f"out{index}")), LIMITS).file
        except SubmissionFault as fault:
            return fault.problems[0].got

    sources = ["import os\ndef model(): os._exit(3)", "import ctypes\ndef model(): ctypes.string_at(0)", "def model(): return {}"] * 2
    with ThreadPoolExecutor(3) as pool:
        endings = list(pool.map(run, range(6), sources))
    assert (
        endings
        == ["an export step that ended with exit code 3 and no result", "an export step that died of signal 11 (SIGSEGV)", "model.fake"] * 2
    )
    assert not [child for child in psutil.Process().children() if "micronet_verify.sandbox.worker" in " ".join(child.cmdline())]


def test_nothing_of_our_environment_reaches_a_step(
    launcher: ProcessLauncher, export_job: Callable[[str], ExportJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "hunter2")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    job = export_job(
        "import os, sys, resource\ndef model(): return {'environment': dict(os.environ), 'cwd': os.getcwd(), 'path': sys.path,"
        " 'stdin': sys.stdin.read(), 'core': resource.getrlimit(resource.RLIMIT_CORE), 'hash': hash('x')}"
    )
    launcher.run(job, LIMITS)
    seen = json.loads((job.out / "model.fake").read_text())
    assert set(seen["environment"]) - {"LC_CTYPE"} == {
        *("PATH", "HOME", "TMPDIR", "LANG", "PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "MICRONET_STEP"),
        *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ORT_DISABLE_TELEMETRY"),
    }
    assert seen["cwd"] == seen["environment"]["HOME"]
    assert not os.path.exists(seen["cwd"])
    assert seen["cwd"] not in seen["path"]
    assert str(job.request.entry) not in seen["path"]
    assert "" not in seen["path"]
    assert seen["stdin"] == ""
    assert seen["core"] == [0, 0]
