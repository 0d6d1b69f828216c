"""Answers and products that an entrant's export code shaped itself: read as data, believed in nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from micronet_verify.errors import BenchFault, PluginFault, SubmissionFault
from micronet_verify.sandbox import products
from micronet_verify.sandbox.answers import read_answer
from micronet_verify.sandbox.jobs import ExportJob, ExportResult, PredictResult
from micronet_verify.sandbox.launcher import ProcessLauncher
from micronet_verify.sandbox.products import check_products, read_graph, read_taken
from micronet_verify.wording.numbers import MB
from tests.sandbox.conftest import LIMITS

PLAIN = "but should be a plain file [stage export]"
RECORD = "but should be branch id → indices [taken.json]"
FORGE = "import os, sys, pathlib\nfolder = pathlib.Path(sys.argv[1]).parent\n"


def forged(answer: str) -> str:
    """Source of an entry that writes its own result and ends the worker."""
    return FORGE + f"def model():\n    (folder / 'result.json').write_text({answer!r})\n    os._exit(0)"


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (forged("not json"), "got a result that cannot be read (JSONDecodeError: Expecting value: line 1 column 1 (char 0)) but should be "
         "the result that the step wrote [stage export]"),
        (forged("[1]"), "got a result that cannot be read (TypeError: list indices must be integers or slices, not str) but should be "
         "the result that the step wrote [stage export]"),
        (forged('{"status": "ok", "result": {"file": 3}}'), "got a result that cannot be read (TypeError: int in place of a text) but "
         "should be the result that the step wrote [stage export]"),
        (forged('{"status": "ok", "result": {"file": "../entry/model.py"}}'), "got no file '../entry/model.py' among the "
         "result files but should be the file that the result names [stage export]"),
        (forged('{"status": "ok", "result": {"file": "/etc/hostname"}}'), "got no file '/etc/hostname' among the result files but "
         "should be the file that the result names [stage export]"),
        (forged('{"status": "ok", "result": {"file": "model.fake"}}'), "got no file 'model.fake' among the result files but "
         "should be the file that the result names [stage export]"),
        (FORGE + "def model():\n    (folder / 'result.json').write_bytes(bytes(2 << 20))\n    os._exit(0)",
         "got a result of more than 1,048,576 bytes but should be smaller [stage export]"),
        (FORGE + "def model():\n    (folder / 'result.json').symlink_to('/etc/hostname')\n    os._exit(0)",
         "got no result but should be a file result.json that the step wrote [stage export]"),
        (FORGE + "def model():\n    os.mkfifo(folder / 'result.json')\n    os._exit(0)",
         "got no result but should be a file result.json that the step wrote [stage export]"),
    ],
)  # fmt: skip
def test_forged_results(launcher: ProcessLauncher, export_job: Callable[[str], ExportJob], source: str, sentence: str) -> None:
    with pytest.raises(SubmissionFault) as caught:
        launcher.run(export_job(source), LIMITS)
    assert str(caught.value) == sentence


def test_an_entry_cannot_call_out_the_operators(launcher: ProcessLauncher, export_job: Callable[[str], ExportJob]) -> None:
    problem = {"got": "a broken\nbench \x1b[31m", "should": "be mended", "where": "", "advice": ""}
    answer = json.dumps({"status": "fault", "kind": "BenchFault", "problems": [problem]})
    with pytest.raises(SubmissionFault) as caught:
        launcher.run(export_job(forged(answer)), LIMITS)
    assert str(caught.value) == "got a broken bench  [31m but should be mended"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("(folder / 'data').symlink_to('/etc/hostname')", f"got a symbolic link 'data' as a result file {PLAIN}"),
        ("(folder / 'data').hardlink_to(__file__)", f"got a hard link 'data' as a result file {PLAIN}"),
        ("__import__('os').mkfifo(folder / 'data')", f"got a special file 'data' as a result file {PLAIN}"),
    ],
)  # fmt: skip
def test_products_that_are_no_plain_files(
    launcher: ProcessLauncher, export_job: Callable[[str], ExportJob], line: str, sentence: str
) -> None:
    with pytest.raises(SubmissionFault) as caught:
        launcher.run(export_job(f"def model(folder):\n    {line}\n    return {{}}"), LIMITS)
    assert str(caught.value) == sentence


def test_products_that_are_too_large_together(tmp_path: Path) -> None:
    """Without a step: a launcher that looks while the files grow says that the step wrote more than it may."""
    for name in "ab":
        (tmp_path / name).write_bytes(b"")
        os.truncate(tmp_path / name, 30_000_000)
    with pytest.raises(SubmissionFault, match=r"^got result files of more than 50 MB but should be smaller \[stage export\]$"):
        check_products(tmp_path, ("a", "b"), 50 * MB, "export")
    check_products(tmp_path, ("a", "b"), 60 * MB, "export")


def test_all_faults_of_products_together(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "link").symlink_to(tmp_path)
    with pytest.raises(SubmissionFault) as caught:
        check_products(tmp_path, ("a.onnx", "sub"), 10, "export")
    assert [problem.got for problem in caught.value.problems] == [
        "a symbolic link 'sub/link' as a result file",
        "no file 'a.onnx' among the result files",
        "no file 'sub' among the result files",
    ]


def test_files_in_subfolders_are_products(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "a.bin").write_bytes(b"1234")
    check_products(tmp_path, ("weights/a.bin",), 4, "export")


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "maybe"},
        {"status": "fault", "kind": "SubmissionFault", "problems": []},
        {"status": "fault", "kind": "KeyboardInterrupt", "problems": []},
        {"status": "fault", "kind": "SubmissionFault", "problems": [{"got": "x"}]},
        {"status": "ok", "result": {"outputs": "o.npy", "shape": [-1, 10], "taken": ""}},
        {"status": "ok", "result": {"outputs": "o.npy", "shape": [True], "taken": ""}},
        {"status": "ok"},
    ],
)
def test_answers_of_another_form(tmp_path: Path, answer: object) -> None:
    (tmp_path / "result.json").write_text(json.dumps(answer))
    with pytest.raises(SubmissionFault, match=r"^got a result that cannot be read \(.*\) but should be the result that the step wrote \[stage predict\]$"):  # fmt: skip  # noqa: E501
        read_answer(tmp_path, PredictResult, "predict")


def test_a_deeply_nested_answer(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text("[" * 100_000)
    with pytest.raises(SubmissionFault, match=r"RecursionError"):
        read_answer(tmp_path, ExportResult, "export")


def test_a_fault_from_our_own_steps_keeps_its_kind(tmp_path: Path) -> None:
    problem = {"got": "a", "should": "b", "where": "c", "advice": "d" * 900}
    (tmp_path / "result.json").write_text(json.dumps({"status": "fault", "kind": "BenchFault", "problems": [problem]}))
    with pytest.raises(BenchFault) as caught:
        read_answer(tmp_path, ExportResult, "translate")
    assert str(caught.value) == f"got a but should b [c] ({'d' * 499}…)"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[", f"got a branch record that cannot be read (Expecting value: line 1 column 2 (char 1)) {RECORD}"),
        ("[1]", f"got a branch record that cannot be read ('list' object has no attribute 'items') {RECORD}"),
        ('{"exit": [0, 1]}', "got 2 entries for branch 'exit' but should be 3 branch numbers [taken.json]"),
        ('{"exit": [0, 1, 0.5]}', "got 3 entries for branch 'exit' but should be 3 branch numbers [taken.json]"),
        ('{"exit": [0, 1, -2]}', "got 3 entries for branch 'exit' but should be 3 branch numbers [taken.json]"),
        ('{"exit": [0, 1, true]}', "got 3 entries for branch 'exit' but should be 3 branch numbers [taken.json]"),
    ],
)  # fmt: skip
def test_branch_records_of_another_form(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "taken.json").write_text(text)
    with pytest.raises(SubmissionFault) as caught:
        read_taken(tmp_path / "taken.json", 3)
    assert str(caught.value) == sentence


def test_a_json_product_is_capped_before_it_is_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "LARGEST_JSON", 1000)
    (tmp_path / "graph.json").write_text("[" * 1001)
    with pytest.raises(SubmissionFault, match=r"^got a file of more than 1 kB but should be smaller \[graph.json\]$"):
        read_graph(tmp_path / "graph.json")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\xff", "got bytes that are not UTF-8 text but should be JSON [graph.json]"),
        (b"{}", "got a graph that cannot be read ('schema') but should be graph JSON of schema 1"),
    ],
)  # fmt: skip
def test_graphs_of_another_form(tmp_path: Path, data: bytes, sentence: str) -> None:
    (tmp_path / "graph.json").write_bytes(data)
    with pytest.raises(SubmissionFault) as caught:
        read_graph(tmp_path / "graph.json")
    assert str(caught.value) == sentence


def test_a_graph_that_no_builder_made_is_the_plugins_defect(tmp_path: Path) -> None:
    """F10: translate runs no code of the entrant's, so what its graph says against the interface is its plugin's."""
    (tmp_path / "graph.json").write_text('{"schema": 1, "graph": {"inputs": [], "outputs": ["y"], "values": [], "nodes": []}}')
    with pytest.raises(PluginFault, match=r"^got the output 'y' but should be computed by the graph$"):
        read_graph(tmp_path / "graph.json")
