"""Entries are data: nothing that lies in them steers the run, whoever starts it and from wherever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.suite.conftest import SUITE, entry_like, refused, start

# As the command line does it: a script that is not in the current folder.
CALLER = """
import json, sys
from pathlib import Path
from micronet_verify.suite.run import run_suite

arguments = json.loads(sys.argv[1])
told = []
code = run_suite(
    Path(arguments["submissions"]),
    Path(arguments["report"]) if arguments["report"] else None,
    [Path(path) for path in arguments["tracks"]],
    entries=arguments["entries"],
    judges=1,
    extra=["--junitxml", arguments["junit"], *arguments["extra"]],
    progress=lambda entry, stage, record: told.append((entry, stage, record.id if record else None)),
)
print("TOLD", json.dumps(told))
raise SystemExit(code)
"""
# Whatever of it were executed would leave a file, and make every test pass.
CONFTEST = """
from pathlib import Path
Path(__file__).with_name("executed").write_text("")

def pytest_runtest_makereport(item, call):
    import pytest
    return pytest.TestReport(item.nodeid, item.location, {}, "passed", None, call.when)
"""
MODULE = """
from pathlib import Path
Path(__file__).with_name("executed").write_text("")
"""
HOSTILE = {
    "conftest.py": CONFTEST,
    "pytest.ini": "[pytest]\naddopts = --collect-only -p evil\npythonpath = .\npython_functions = nothing\n",
    "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "--collect-only"\n',
    "evil.py": MODULE,
    "sitecustomize.py": MODULE,
    "numpy.py": MODULE,
    "json.py": MODULE,
    "yaml.py": MODULE,
    "pydantic.py": MODULE,
    "test_extra.py": "def test_extra():\n    pass\n",
}


def arm(entry: Path) -> Path:
    for name, text in HOSTILE.items():
        (entry / name).write_text(text)
    return entry


def executed(root: Path) -> list[Path]:
    return list(root.rglob("executed"))


@pytest.fixture
def armed(tmp_path) -> Path:
    """A folder with one refused and one honest entry, both full of files that would like to be executed."""
    root = tmp_path / "entries"
    arm(refused(root / "test-refused"))
    arm(entry_like("digits/pruned-onnx", root / "test-honest"))
    return root


@pytest.fixture
def called(tmp_path):
    """``run_suite`` in a child process, started in ``folder``."""
    (tmp_path / "calls").mkdir()
    caller = tmp_path / "calls" / "caller.py"
    caller.write_text(CALLER)

    def call(submissions: Path | str, folder: Path, report: Path | str = "", extra=(), tracks=(), entries=(), **environment):
        junit = folder / "junit-by-pytest.xml"
        arguments = {"submissions": submissions, "report": report, "extra": extra, "tracks": tracks, "entries": entries, "junit": junit}
        return start(folder, [str(caller), json.dumps(arguments, default=str)], **environment)

    return call


def expected(run) -> None:
    assert run.named("failed") == {"test_manifest[test-refused]"}
    assert run.tests["test_final_score[test-honest]"][0] == "passed"
    assert not any("extra" in name for name in run.tests)


@pytest.mark.parametrize("extra", [[], ["-n", "2"]], ids=["alone", "workers"])
def test_run_suite_started_inside_an_entry(armed, called, extra) -> None:
    run = called(armed, armed / "test-honest", extra=extra)
    assert run.code == 1, run.text
    expected(run)
    assert executed(armed) == []


def test_run_suite_takes_no_settings_from_the_current_folder(armed, called, tmp_path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    run = called(armed, arm(here))
    expected(run)
    assert executed(tmp_path) == []


def test_pytest_started_above_entries_loads_no_conftest_of_theirs(armed) -> None:
    """pytest would load test*/conftest.py of the folder it is started in."""
    run = start(armed, ["-m", "pytest", *SUITE, "--submissions", ".", "--junitxml", "junit-by-pytest.xml", "-p", "no:cacheprovider"])
    assert run.code == 1, run.text
    expected(run)
    assert executed(armed) == []


def test_pytest_started_inside_an_entry_without_settings(armed) -> None:
    entry = armed / "test-honest"
    for name in HOSTILE.keys() - {"conftest.py"}:
        (entry / name).unlink()
    junit = ["--junitxml", str(entry / "junit-by-pytest.xml"), "-p", "no:cacheprovider"]
    run = start(entry, ["-P", "-m", "pytest", *SUITE, "--submissions", "..", *junit])
    expected(run)
    assert executed(armed) == []


@pytest.mark.parametrize(("place", "folder"), [("test-honest", "test-honest"), (".", "."), ("test-honest", "../elsewhere")])
def test_pytest_refuses_settings_from_among_the_submissions(armed, place, folder) -> None:
    """Started there, or elsewhere: pytest also looks for settings beside the values of options."""
    for entry in armed.iterdir():
        for name in ("pytest.ini", "pyproject.toml"):
            (entry / name).unlink()
    ini = (armed / place / "pytest.ini").resolve()
    ini.write_text("[pytest]\n")
    (armed.parent / "elsewhere").mkdir()
    run = start(armed / folder, ["-P", "-m", "pytest", *SUITE, "--submissions", str(armed / place)])
    assert run.code == 4
    assert f"got settings from {ini} but should come from outside of the submissions (name a file of your own: -c FILE)" in run.text
    assert executed(armed) == []


def test_pytest_refuses_tests_from_inside_an_entry(judged, armed) -> None:
    run = judged(armed, "-c", "own.ini", paths=[*SUITE, str(armed / "test-honest" / "test_extra.py") + "::test_extra"])
    assert run.code == 4
    assert "test_extra.py::test_extra but should lie outside of the submissions" in run.text
    assert run.notes == []


def test_run_suite_reports_and_tells_its_progress(armed, called, tmp_path) -> None:
    run = called(armed, tmp_path / "calls", report=tmp_path / "report", entries=["*honest"])
    told = json.loads(run.text.partition("TOLD ")[2].splitlines()[0])
    assert [stage for _, stage, _ in told] == ["manifest", "track", "export", "translate", "predict", "count", "quality", "prove", "done"]
    assert told[-1] == ["test-honest", "done", "test-honest"]
    assert (tmp_path / "report" / "leaderboard.md").exists()
    assert (tmp_path / "report" / "test-honest" / "ledger.csv").exists()
    assert run.code == 0


def test_run_suite_takes_no_options_meant_for_other_projects(armed, called, tmp_path) -> None:
    run = called(armed, tmp_path / "calls", extra=["-k", "manifest"], PYTEST_ADDOPTS="--option-of-another-project", PYTEST_PLUGINS="evil")
    assert run.code == 1, run.text
    assert set(run.tests) == {"test_manifest[test-honest]", "test_manifest[test-refused]"}


def test_run_suite_with_workers_tells_what_is_done(armed, called, tmp_path) -> None:
    run = called(armed, tmp_path / "calls", report=tmp_path / "report", extra=["-n", "2"])
    told = json.loads(run.text.partition("TOLD ")[2].splitlines()[0])
    assert sorted(told) == [["test-honest", "done", "test-honest"], ["test-refused", "done", "test-refused"]]


def test_run_suite_remembers_failures_in_the_report(armed, called, tmp_path) -> None:
    called(armed, tmp_path / "calls", report=tmp_path / "report", extra=["-k", "manifest"])
    again = called(armed, tmp_path / "calls", report=tmp_path / "report", extra=["--lf"])
    assert set(again.tests) == {"test_manifest[test-refused]"}
    assert not (tmp_path / "calls" / ".pytest_cache").exists()


def test_without_submissions_the_plugin_is_inert(tmp_path) -> None:
    (tmp_path / "test_other.py").write_text(
        """
import sys

def test_other(request):
    loaded = {name for name in sys.modules if name.startswith("micronet_verify")}
    assert loaded <= {"micronet_verify", "micronet_verify.pytest_plugin"}
    assert not {"numpy", "pydantic", "torch", "onnx"} & set(sys.modules)
    assert not any(request.config.pluginmanager.hasplugin(name) for name in ("micronet_cases", "micronet_fixtures"))
"""
    )
    run = start(tmp_path, ["-m", "pytest", "-q", "-p", "no:hypothesispytest", "test_other.py", "--junitxml", "junit-by-pytest.xml"])
    assert run.code == 0, run.text
    assert run.tests == {"test_other": ("passed", "")}
