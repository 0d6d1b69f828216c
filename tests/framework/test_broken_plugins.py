"""F9: a broken plugin is one sentence that names its distribution; the others go on, here and in workers."""

from __future__ import annotations

import decimal
import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from micronet_verify.errors import BenchFault, SubmissionFault
from micronet_verify.framework.installed import WITHOUT, forget, installed
from micronet_verify.framework.registry import framework_named, framework_of, frameworks, incomplete, offers
from tests.framework.broken import BROKEN, framework, told
from tests.framework.plugin_site import ROOT, install, python_with, run, sound

OWN = ["onnx", "pytorch", "tensorflow", "tflite"]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages with one sound plugin in it; what is installed is looked at when it is first asked for."""
    folder = tmp_path / "site"
    install(folder, "sound", sound("sound"))
    monkeypatch.syspath_prepend(str(folder))
    forget()
    known = set(sys.modules)
    yield folder
    for name in set(sys.modules) - known:
        if name.startswith("micronet_") and not name.startswith("micronet_verify"):
            del sys.modules[name]
    forget()


@pytest.mark.parametrize("name", BROKEN)
def test_F9_a_broken_plugin_is_one_sentence_and_the_others_go_on(site: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    install(site, name, BROKEN[name].code)
    found = frameworks()
    assert sorted(found) == sorted([*OWN, "sound"])
    (broken,) = offers().broken
    assert str(broken.problem) == told(name)
    assert framework_named("sound").suffixes == (".sound",)
    assert framework_of("model.onnx").name == "onnx"
    with pytest.raises(BenchFault) as caught:
        framework_named(name)
    assert str(caught.value) == told(name)
    assert capfd.readouterr() == ("", "")


def test_F9_who_names_no_framework_is_told_of_the_plugin_that_may_bring_it(site: Path) -> None:
    with pytest.raises(SubmissionFault, match=r"^got the framework 'openvino' but should be an installed one"):
        framework_named("openvino")
    install(site, "raises", BROKEN["raises"].code)
    forget()
    for ask in (lambda: framework_named("openvino"), lambda: framework_of("model.xml")):
        with pytest.raises(BenchFault) as caught:
            ask()
        assert str(caught.value) == told("raises")


def test_a_plugin_of_this_project_that_is_missing_is_told_so_whatever_else_is_broken(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(site, "raises", BROKEN["raises"].code)
    monkeypatch.setenv(WITHOUT, "onnx")
    forget()
    with pytest.raises(
        BenchFault, match=r"^got framework 'onnx' without its plugin but should be installed: pip install micronet-verify-onnx"
    ):
        framework_named("onnx")


def test_two_strangers_that_claim_one_name_have_none_of_them(site: Path) -> None:
    """Whatever the order of installation: neither is used, and both are named."""
    for name in ("beta", "alpha"):
        install(site, name, sound("shared", f".{name}"))
    assert sorted(frameworks()) == sorted([*OWN, "sound"])
    with pytest.raises(BenchFault) as caught:
        framework_named("shared")
    for problem, (mine, other) in zip(caught.value.problems, (("alpha", "beta"), ("beta", "alpha")), strict=True):
        where, advice = (
            f"plugin '{mine}' of micronet-{mine} 1.0",
            f"give it another, or uninstall one of the two: pip uninstall micronet-{mine}",
        )
        got = f"got the name 'shared' from micronet_framework, which micronet-{other} 1.0 has, too,"
        assert str(problem) == f"{got} but should be its own [{where}] ({advice})"
    with pytest.raises(BenchFault, match=r"^got the name 'shared'"):
        framework_of("model.alpha")


def test_the_longest_ending_says_whose_a_file_is(site: Path) -> None:
    install(site, "wide", sound("wide", ".tensors"))
    install(site, "narrow", sound("narrow", ".mlp.tensors"))
    assert [framework_of(name).name for name in ("a.mlp.tensors", "a.tensors")] == ["narrow", "wide"]


@pytest.mark.parametrize("wrapped", ["({})", "[{}]"])
def test_a_plugin_brings_several_frameworks(site: Path, wrapped: str) -> None:
    both = wrapped.format("Framework('one', ('.one',), dict, dict, dict), Framework('two', ('.two',), dict, dict, dict)")
    install(site, "both", framework().replace("Framework(name='odd', suffixes=('.odd',), loader=dict, counter=dict, version=dict)", both))
    assert {"one", "two"} <= frameworks().keys()
    assert not offers().broken


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("lambda: 1 / 0", "ZeroDivisionError: division by zero in version()"),
        ("lambda: None", "AttributeError: 'NoneType' object has no attribute 'items' in version()"),
        ("lambda: {'a': 1}", "{'a': 1} from version()"),
        (
            "lambda package: {}",
            "TypeError: micronet_framework.<locals>.<lambda>() missing 1 required positional argument: 'package' in version()",
        ),
    ],
)
def test_F9_a_plugin_that_fails_to_say_its_versions(site: Path, version: str, words: str) -> None:
    install(site, "odd", framework(version=version))
    with pytest.raises(BenchFault) as caught:
        incomplete(frameworks()["odd"])
    should = "map each package to its version, or to None where it is missing"
    assert str(caught.value).startswith(f"got {words} but should {should} [plugin 'odd' of micronet-odd 1.0] (report it")
    assert incomplete(frameworks()["sound"]) is None


def test_what_a_plugin_prints_at_import_is_kept_apart(site: Path, capfd: pytest.CaptureFixture[str]) -> None:
    install(site, "loud", "import os, sys\nprint('one')\nsys.stderr.write('two')\nos.write(1, b'three')\n" + sound("loud"))
    assert "loud" in frameworks()
    assert [plugin.printed for plugin in installed().plugins if plugin.origin.entry == "loud"] == ["one two three"]
    assert capfd.readouterr() == ("", "")


def test_a_plugin_that_changes_the_folder_at_import_changes_it_for_nobody(site: Path, tmp_path: Path) -> None:
    before = Path.cwd()
    install(site, "moves", f"import os\nos.chdir({str(tmp_path)!r})\n" + sound("moves"))
    assert "moves" in frameworks()
    assert Path.cwd() == before


SETTINGS = """
import decimal, os, signal, sys
import numpy
os.environ["PATH"] = ""
os.umask(0o777)
sys.setrecursionlimit(300)
numpy.seterr(all="raise")
decimal.getcontext().prec = 2
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
"""


def test_F9_a_plugin_that_changes_the_process_at_import_changes_it_for_nobody(site: Path) -> None:
    def found() -> list[object]:
        os.umask(mask := os.umask(0o077))
        handler = signal.getsignal(signal.SIGCHLD)
        return [dict(os.environ), mask, sys.getrecursionlimit(), np.geterr(), decimal.getcontext().prec, handler]

    before = found()
    install(site, "settles", SETTINGS + sound("settles"))
    assert "settles" in frameworks()
    assert found() == before


def test_F9_a_plugin_whose_import_does_not_end_is_ended(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("micronet_verify.framework.guard.SECONDS", 4)
    install(site, "sleeps", "import time\nwhile True: time.sleep(1)\n")
    (broken,) = installed().broken
    assert str(broken.problem).startswith("got Ended: no end within 4 seconds at import but should import without that [plugin 'sleeps'")
    assert "sound" in frameworks()


def test_a_distribution_whose_entry_points_cannot_be_read(site: Path) -> None:
    install(site, "torn", sound("torn"))
    (site / "micronet_torn-1.0.dist-info" / "entry_points.txt").write_bytes(b"[micronet_verify]\ntorn = micronet_torn\n\xff\xfe")
    assert "sound" in frameworks()
    (broken,) = offers().broken
    assert "micronet_torn-1.0.dist-info" in str(broken.problem)


def test_F9_the_whole_tool_goes_on_beside_every_broken_plugin(tmp_path: Path) -> None:
    """In the judge and in its workers: counts, JSON, a run of entries, and what ``plugins`` shows."""
    site = tmp_path / "site"
    install(site, "sound", "print('loud')\n" + sound("sound"))
    for name, broken in BROKEN.items():
        install(site, name, broken.code)
    python = python_with(tmp_path / "env", site)

    shown = run(python, "plugins")
    assert shown.returncode == 0, shown.stderr
    for name in BROKEN:
        assert f"plugin '{name}' of micronet-{name} 1.0 does not work\n  {told(name)}" in shown.stdout.replace(" \n", "\n")
    assert "plugin 'sound' of micronet-sound 1.0 prints\n  got 'loud' printed at import but should print nothing" in shown.stdout

    model = tmp_path / "model.sound"
    model.write_text("anything")
    counted = run(python, "count", model, "--json")
    assert counted.returncode == 0, counted.stderr
    assert json.loads(counted.stdout)["framework"] == "sound"
    (tmp_path / "model.cs").write_text("anything")
    needed = run(python, "count", tmp_path / "model.cs")
    assert (needed.returncode, needed.stdout) == (3, "")
    assert needed.stderr == f"Error: {told('claims-a-suffix')}\n"

    entries = tmp_path / "entries"
    for name, framework_name in (("fine", "onnx"), ("lost", "raises")):
        shutil.copytree(ROOT / "sample_submissions" / "digits" / "pruned-onnx", entries / name)
        manifest = entries / name / "submission.yaml"
        manifest.write_text(manifest.read_text().replace("framework: onnx", f"framework: {framework_name}"))
    judged = run(python, "run", entries, "--report", tmp_path / "report")
    assert judged.returncode == 3, judged.stdout + judged.stderr
    found = {name: json.loads((tmp_path / "report" / name / "evidence.json").read_text())["record"] for name in ("fine", "lost")}
    assert not found["fine"]["faults"]
    assert [(fault["acts"], fault["message"]) for fault in found["lost"]["faults"]] == [("operator", told("raises"))]
