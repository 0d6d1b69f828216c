"""The organizers' own checks and reports, from an installed plugin: on the board, in junit, in pytest's cases and in the evidence."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.framework.plugin_site import ROOT, install, python_with, run

SAMPLES = ROOT / "sample_submissions" / "digits"
HEAD = """
from micronet_verify.plugin import Check, CheckResult, Problem, Report, SubmissionFault, hookimpl

MICRONET_INTERFACE = (1, 0)
"""
CODE = (
    HEAD
    + """
def no_four_bits(request):
    if any(charge.bits == 4 for charge in request.charges):
        raise SubmissionFault(Problem("weights of 4 bits", "have 8 at least", "the model"))
    return CheckResult("passed", f"{len(request.graph.nodes)} nodes", {"nodes": len(request.graph.nodes)})


def team(request):
    passed = dict((verdict.check, verdict.outcome) for verdict in request.entry.verdicts)
    assert passed["quality"] == "passed" and request.entry.met is True
    assert request.entry.storage == sum(charge.amount for charge in request.charges if charge.axis == "storage")
    return None if request.entry.team else CheckResult("failed", "no team")


@hookimpl
def micronet_check():
    return Check("no four bits", no_four_bits), Check("team", team)


def board(request):
    lines = [f"{entry.id} {entry.score} {[v.outcome for v in entry.verdicts if v.check == 'no four bits']}" for entry in request.entries]
    (request.folder / "board.txt").write_text("\\n".join(lines))


@hookimpl
def micronet_report():
    return Report("board", board)
"""
)


def entries(folder: Path, *names: str) -> Path:
    for name in names:
        shutil.copytree(SAMPLES / name, folder / name)
    return folder


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return tmp_path / "site"


def test_a_check_of_the_organizers_is_a_verdict_everywhere(tmp_path: Path, site: Path) -> None:
    install(site, "organizers", CODE)
    python, report = python_with(tmp_path / "env", site), tmp_path / "report"
    done = run(python, "run", entries(tmp_path / "entries", "pruned-onnx", "int4-weights-onnx"), "--report", report)
    assert done.returncode == 1, done.stdout + done.stderr
    verdicts, nodes = {}, {}
    for name in ("pruned-onnx", "int4-weights-onnx"):
        evidence = json.loads((report / name / "evidence.json").read_text())
        record, nodes[name] = evidence["record"], sum(evidence["graph"]["nodes"].values())
        verdicts[name] = {verdict["check"]: verdict for verdict in record["verdicts"]}
        assert list(verdicts[name])[-2:] == ["no four bits", "team"]
        assert verdicts[name]["team"]["outcome"] == "passed"
    assert verdicts["pruned-onnx"]["no four bits"]["outcome"] == "passed"
    assert dict(verdicts["pruned-onnx"]["no four bits"]["evidence"]) == {"nodes": nodes["pruned-onnx"], "plugin": "micronet-organizers 1.0"}
    failed = verdicts["int4-weights-onnx"]["no four bits"]
    assert (failed["outcome"], failed["message"]) == ("failed", "got weights of 4 bits but should have 8 at least [the model]")
    board = (report / "leaderboard.md").read_text()
    assert "no four bits: got weights of 4 bits but should have 8 at least" in board
    cases = ElementTree.parse(report / "junit.xml").getroot().iter("testcase")
    told = {(case.get("classname"), case.get("name")): [child.tag for child in case] for case in cases}
    assert told["int4-weights-onnx", "no four bits"] == ["failure"]
    assert told["pruned-onnx", "no four bits"] == ["system-out"]
    assert (report / "plugin-reports" / "board" / "board.txt").read_text().splitlines()[1].endswith("['passed']")


def test_it_is_a_case_of_pytest_and_is_shown(tmp_path: Path, site: Path) -> None:
    install(site, "organizers", CODE)
    python = python_with(tmp_path / "env", site)
    folder = entries(tmp_path / "entries", "pruned-onnx")
    command = [str(python), "-m", "pytest", "--pyargs", "micronet_verify.suite", f"--submissions={folder}", "-v", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, "-k", "organizers"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "test_organizers_check[pruned-onnx-no four bits] PASSED" in done.stdout, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    shown = run(python, "plugins").stdout
    assert "checks  no four bits, team\n" in shown.replace(" \n", "\n")
    assert "reports  board\n" in shown.replace(" \n", "\n")
    checked = run(python, "check", folder / "pruned-onnx")
    assert "passed  no four bits" in checked.stdout


BAD = {
    "raises": ("return {}['no']", "got KeyError: 'no' in the check 'odd' but should end with an answer or a named fault"),
    "exits": ("raise SystemExit(0)", "got SystemExit: 0 in the check 'odd' but should end with an answer or a named fault"),
    "a truth": ("return True", "got a bool in place of an answer but should be a CheckResult, or None for passed"),
    "another outcome": ("return CheckResult('fine')", "got a CheckResult of 'fine' and '' but should be one of passed, failed, skipped"),
    "an error of its own": ("return CheckResult('error', 'x')", "got a CheckResult of 'error' and 'x' but should be one of passed,"),
    "nothing said": ("return CheckResult('failed')", "got a failure without a message but should say what was found"),
    "evidence of lists": ("return CheckResult('passed', '', {'a': [1]})", "got evidence={'a': [1]} but should map names to texts and"),
}


@pytest.mark.parametrize("name", BAD)
def test_F9_a_check_that_fails_to_answer_is_its_plugins_error(tmp_path: Path, site: Path, name: str) -> None:
    body, words = BAD[name]
    install(site, "odd", f"{HEAD}\n\ndef odd(request):\n    {body}\n\n\n@hookimpl\ndef micronet_check():\n    return Check('odd', odd)\n")
    done = run(python_with(tmp_path / "env", site), "check", SAMPLES / "pruned-onnx")
    assert done.returncode == 3, done.stdout + done.stderr
    told = " ".join(done.stdout.split())
    assert f"error odd {words}" in told
    assert "a defect of plugin 'odd' of micronet-odd 1.0" in told


def test_F9_checks_that_a_broken_hook_would_have_brought_are_not_passed_by(tmp_path: Path, site: Path) -> None:
    install(site, "odd", f"{HEAD}\n\n@hookimpl\ndef micronet_check():\n    raise ValueError('no')\n")
    done = run(python_with(tmp_path / "env", site), "check", SAMPLES / "pruned-onnx")
    assert done.returncode == 3
    assert "error checks of micronet-odd got ValueError: no in micronet_check but should return without an error" in " ".join(
        done.stdout.split()
    )


def test_a_check_may_not_take_a_name_of_the_judges(tmp_path: Path, site: Path) -> None:
    install(site, "odd", f"{HEAD}\n\n@hookimpl\ndef micronet_check():\n    return Check('quality', len)\n")
    shown = run(python_with(tmp_path / "env", site), "plugins").stdout
    assert "got the name 'quality' from micronet_check but should be none of the judge's own checks" in shown


def test_F9_a_report_that_fails_ends_nothing(tmp_path: Path, site: Path) -> None:
    body = "def write(request):\n    (request.folder / 'part').write_text('x')\n    1 / 0\n"
    hook = "@hookimpl\ndef micronet_report():\n    return [Report('torn', write), Report('whole', lambda request: None)]\n"
    install(site, "odd", f"{HEAD}\n\n{body}\n\n{hook}")
    report = tmp_path / "report"
    done = run(python_with(tmp_path / "env", site), "run", entries(tmp_path / "entries", "pruned-onnx"), "--report", report)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Report of a plugin: got ZeroDivisionError: division by zero in the report 'torn'" in done.stderr
    assert (report / "leaderboard.md").exists()
    assert sorted(path.name for path in (report / "plugin-reports").iterdir()) == ["torn", "whole"]


def test_the_page_about_them_shows_a_plugin_that_works(tmp_path: Path, site: Path) -> None:
    page = (ROOT / "docs" / "plugin.md").read_text(encoding="utf-8").partition("## 6.")[2]
    code = "\n".join(line[4:] if line.startswith("    ") else "" for line in page.splitlines() if line.startswith("    ") or not line)
    install(site, "page", code)
    report = tmp_path / "report"
    done = run(python_with(tmp_path / "env", site), "run", entries(tmp_path / "entries", "pruned-onnx"), "--report", report)
    record = json.loads((report / "pruned-onnx" / "evidence.json").read_text())["record"]
    verdict = record["verdicts"][-1]
    assert (verdict["check"], verdict["outcome"]) == ("convolutions", "passed"), done.stdout + done.stderr
    assert verdict["message"].endswith(" convolutions")
    assert (report / "plugin-reports" / "table" / "scores.csv").read_text().startswith("pruned-onnx,")


STRAY = """
def write(request):
    judged = request.folder.parent.parent
    (judged / "leaderboard.md").write_text("all mine")
    (judged / "pruned-onnx" / "ledger.csv").unlink()
"""


def test_F9_a_report_that_writes_over_others_is_told_and_the_board_is_written_again(tmp_path: Path, site: Path) -> None:
    hook = "@hookimpl\ndef micronet_report():\n    return Report('stray', write)\n"
    head = "from micronet_verify.plugin import Report, hookimpl\nMICRONET_INTERFACE = (1, 0)\n"
    install(site, "strays", head + STRAY + hook)
    report = tmp_path / "report"
    done = run(python_with(tmp_path / "env", site), "run", entries(tmp_path / "entries", "pruned-onnx"), "--report", report)
    told = "got the report 'stray' that changed or removed 2 files of others (leaderboard.md, pruned-onnx/ledger.csv)"
    assert told in done.stderr
    assert "micronet-strays" in done.stderr
    assert "pruned-onnx" in (report / "leaderboard.md").read_text()
