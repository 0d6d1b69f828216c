"""What users get wrong is one sentence and exit code 2, and never a traceback."""

from __future__ import annotations

import os

import pytest


def sentence(result) -> str:
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: got ")
    assert " but should " in line
    return line


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_folder_that_does_not_exist(cli, command, tmp_path):
    line = sentence(cli(command, tmp_path / "none"))
    assert line == f"Error: got the folder '{tmp_path}/none' but should be a directory that exists"


def test_a_folder_without_entries(cli, tmp_path):
    line = sentence(cli("run", tmp_path))
    assert line == f"Error: got '{tmp_path}' without any submission.yaml but should be a folder of entries, each with a submission.yaml"


def test_a_manifest_by_nearly_the_right_name(cli, tmp_path):
    entry = tmp_path / "mine"
    entry.mkdir()
    (entry / "submission.yml").touch()
    rename = f"(rename {entry}/submission.yml to submission.yaml)"
    assert sentence(cli("check", entry)) == f"Error: got '{entry}' without a submission.yaml but should be an entry, which has one {rename}"
    assert sentence(cli("run", tmp_path)).endswith(f"but should be a folder of entries, each with a submission.yaml {rename}")


def test_a_file_instead_of_a_folder(cli, samples):
    file = samples / "digits/dense-onnx/model.onnx"
    assert sentence(cli("run", file)) == f"Error: got the folder '{file}' but should be a directory"
    assert sentence(cli("check", file)).endswith(f"(micronet-verify count {file} counts a model file)")


def test_a_folder_of_entries_instead_of_one(cli, samples):
    line = sentence(cli("check", samples / "digits"))
    assert line.endswith(f"be an entry, which has one (micronet-verify run {samples / 'digits'} judges every entry below it)")


def test_a_model_file_that_is_not_there(cli, tmp_path):
    assert sentence(cli("count", tmp_path / "x.pt2")) == f"Error: got the model file '{tmp_path}/x.pt2' but should be a file that exists"
    line = sentence(cli("explain", tmp_path / "x.pt2"))
    assert line == f"Error: got '{tmp_path}/x.pt2' but should be an entry's directory or a model file that exists"


def test_a_directory_instead_of_a_model_file(cli, samples):
    line = sentence(cli("count", samples / "digits/dense-onnx"))
    advice = f"(micronet-verify explain {samples / 'digits/dense-onnx'} prices an entry)"
    assert line.endswith(f"but should be a model file, or a SavedModel's directory {advice}")


def test_a_model_file_that_cannot_be_read(cli):
    line = sentence(cli("count", "/proc/self/mem"))  # a regular file, by its mode, whose first byte nobody can read
    assert line == "Error: got '/proc/self/mem', which cannot be read (Input/output error), but should be readable"


def test_a_pipe_instead_of_a_model_file_does_not_hang(cli, tmp_path):
    os.mkfifo(tmp_path / "model.onnx")
    assert sentence(cli("count", tmp_path / "model.onnx")).endswith("but should be a regular file")


def test_an_edition_that_does_not_exist(cli, samples):
    line = sentence(cli("count", samples / "digits/dense-onnx/model.onnx", "--rules", "micronet-2091"))
    assert line.endswith(
        "got an edition of the counting rules named 'micronet-2091' but should be one that exists (did you mean 'micronet-2019'?)"
    )


def test_a_track_that_does_not_exist(cli, samples):
    line = sentence(cli("count", samples / "digits/dense-onnx/model.onnx", "--track", "digit"))
    assert line == "Error: got a track named 'digit' but should be one that exists (did you mean 'digits'?)"


def test_a_folder_of_tracks_that_does_not_exist(cli, samples, tmp_path):
    line = sentence(cli("run", samples / "digits", "--tracks", tmp_path / "none"))
    assert line == f"Error: got the folder of track files '{tmp_path}/none' but should be a directory that exists"


def test_a_report_folder_that_is_a_file(cli, samples, tmp_path):
    (tmp_path / "report").write_text("x")
    line = sentence(cli("run", samples / "digits", "--report", tmp_path / "report"))
    assert line == f"Error: got the report folder '{tmp_path}/report', which cannot be made (File exists), but should be a folder"


@pytest.mark.parametrize("command", ["digits", "digits/dense-onnx"])
def test_a_report_folder_inside_an_entry_is_not_made(cli, samples, command):
    report = samples / "digits/dense-onnx/report"
    line = sentence(cli("run", samples / command, "--report", report))
    assert line == f"Error: got the report folder '{report}' but should lie outside of the entries"
    assert not report.exists()


def test_a_glob_that_fits_no_entry(cli, samples, tmp_path):
    line = sentence(cli("run", samples, "--report", tmp_path / "r", "--entry", "digits/dense-onn"))
    assert line == "Error: got --entry digits/dense-onn but should match the id of an entry (did you mean 'digits/dense-onnx'?)"


@pytest.mark.parametrize(("options", "told"), [
    (["--csv", "--json"], "got --csv with --json but should be alone: it prints every line of the ledger"),
    (["--csv", "--top", "3"], "got --csv with --top but should be alone: it prints every line of the ledger"),
    (["--rules", "micronet-2019"], "got --rules for an entry but should be left out: its manifest names the track"),
    (["--track", "digits"], "got --track for an entry but should be left out: its manifest names the track"),
])  # fmt: skip
def test_options_that_contradict(cli, samples, options, told):
    assert sentence(cli("explain", samples / "digits/dense-onnx", *options)) == f"Error: {told}"
