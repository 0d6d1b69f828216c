"""Files of an entry lie in the entry: tried with real links, pipes, sockets and devices."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.submission import load as loading
from micronet_verify.submission.containment import MAX_FILE_BYTES, examine
from micronet_verify.submission.load import load_submission
from micronet_verify.submission.manifest import MANIFEST


def said(root: Path, name: str) -> str:
    found = examine(root, name)
    assert isinstance(found, Problem)
    return str(found)


def test_a_regular_file_has_its_size(entry: Path):
    assert examine(entry, "weights/b.bin") == 20


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "got an empty file name but should name a file of the entry"),
        ("/etc/passwd", "got the absolute path '/etc/passwd' but should be relative to the entry"),
        ("../secret", "got the path '../secret' but should stay inside the entry, without '..'"),
        ("weights/../model.onnx", "got the path 'weights/../model.onnx' but should stay inside the entry, without '..'"),
        ("./model.onnx", "got the path './model.onnx' but should be written without '.', '//' or '/' at its end"),
        ("weights//a.bin", "got the path 'weights//a.bin' but should be written without '.', '//' or '/' at its end"),
        ("weights/", "got the path 'weights/' but should be written without '.', '//' or '/' at its end"),
        (".", "got the path '.' but should be written without '.', '//' or '/' at its end"),
        ("a\\b", "got the path 'a\\\\b' but should have neither '\\' nor ':' (write '/' between directories)"),
        ("C:x", "got the path 'C:x' but should have neither '\\' nor ':' (write '/' between directories)"),
        ("a\x00b", "got the path 'a\\x00b' but should have no control characters, and no spaces at the ends of its names"),
        ("model.onnx ", "got the path 'model.onnx ' but should have no control characters, and no spaces at the ends of its names"),
        ("Model.onnx", "got no file 'Model.onnx' but should be in the entry (did you mean 'model.onnx'?)"),
        ("weight/a.bin", "got no file 'weight' but should be in the entry (did you mean 'weights'?)"),
        ("nothing-like-it", "got no file 'nothing-like-it' but should be in the entry"),
        ("weights", "got 'weights', a directory, but should be a regular file"),
        ("model.onnx/x", "got 'model.onnx' on the way to 'model.onnx/x' but should be a directory"),
    ],
)
def test_names_that_lead_nowhere_or_out(entry: Path, name: str, sentence: str):
    assert said(entry, name) == sentence


def test_the_directory_of_a_saved_model_is_told_which_files_to_name(entry: Path):
    (entry / "saved").mkdir()
    (entry / "saved" / "saved_model.pb").touch()
    assert said(entry, "saved") == (
        "got 'saved', the directory of a SavedModel, but should be a regular file "
        "(name saved/saved_model.pb, and every file of saved/variables under external_data)"
    )
    assert examine(entry, "saved/saved_model.pb") == 0


def test_symbolic_links_are_refused_on_every_step(entry: Path, tmp_path: Path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x").write_text("x", encoding="utf-8")
    (entry / "out").symlink_to(tmp_path / "outside" / "x")
    (entry / "inside").symlink_to("model.onnx")
    (entry / "folder").symlink_to(tmp_path / "outside")
    (entry / "broken").symlink_to("nowhere")
    advice = "but should be the file itself (copy the file into the entry)"
    for name, link in (("out", "out"), ("inside", "inside"), ("folder/x", "folder"), ("broken", "broken")):
        assert said(entry, name) == f"got the symbolic link {link!r} {advice}"


def test_hard_links_are_refused(entry: Path, tmp_path: Path):
    (tmp_path / "secret").write_text("x", encoding="utf-8")
    os.link(tmp_path / "secret", entry / "hard")
    assert said(entry, "hard") == "got 'hard', a file with 2 hard links, but should have one name only (copy the file into the entry)"


def test_what_could_stall_a_reader_is_refused_without_opening_it(entry: Path, monkeypatch: pytest.MonkeyPatch):
    os.mkfifo(entry / "pipe")
    monkeypatch.chdir(entry)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert said(entry, "socket") == "got 'socket', a socket, but should be a regular file"
    assert said(entry, "pipe") == "got 'pipe', a pipe, but should be a regular file"
    assert said(Path("/dev"), "null") == "got 'null', a device, but should be a regular file"


def test_sizes_are_bounded(entry: Path, faults, monkeypatch: pytest.MonkeyPatch):
    with (entry / "big").open("wb") as handle:
        handle.truncate(MAX_FILE_BYTES + 1)  # sparse: takes no space
    assert said(entry, "big") == f"got 'big' of {MAX_FILE_BYTES + 1:,} bytes but should have at most {MAX_FILE_BYTES:,} bytes"
    monkeypatch.setattr(loading, "MAX_ENTRY_BYTES", 40)
    assert faults() == [f"got files of {5 + 10 + 20 + 15} bytes together but should have at most 40 [submission.yaml]"]


def test_a_file_is_named_once(faults):
    should = "but should be named once, and differ from other names in more than upper and lower case [submission.yaml:10]"
    assert faults(("weights/b.bin", "weights/a.bin")) == [f"got external_data: 'weights/a.bin' a second time {should}"]
    assert faults(("weights/b.bin", "Weights/A.bin")) == [f"got external_data: 'Weights/A.bin' and 'weights/a.bin' {should}"]


def test_the_manifest_itself_is_contained(entry: Path, tmp_path: Path):
    manifest = (entry / MANIFEST).rename(tmp_path / "elsewhere.yaml")
    cases = {
        "got the symbolic link 'submission.yaml' but should be the file itself [submission.yaml] (copy the file into the entry)": (
            lambda path: path.symlink_to(manifest)
        ),
        "got 'submission.yaml', a pipe, but should be a regular file [submission.yaml]": os.mkfifo,
        "got 'submission.yaml', a directory, but should be a regular file [submission.yaml]": os.mkdir,
        "got 'submission.yaml' of 65,537 bytes but should have at most 65,536 bytes [submission.yaml]": (
            lambda path: path.write_bytes(b"#" * 65537)
        ),
        "got no file 'submission.yaml' but should be in the entry [submission.yaml]": lambda path: None,
    }
    for sentence, make in cases.items():
        make(entry / MANIFEST)
        with pytest.raises(SubmissionFault) as caught:
            load_submission(entry, "entry")
        assert str(caught.value) == sentence
        path = entry / MANIFEST
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def test_an_entry_that_is_not_there(tmp_path: Path):
    with pytest.raises(SubmissionFault) as caught:
        load_submission(tmp_path / "gone", "gone")
    assert str(caught.value) == (
        "got 'submission.yaml', which cannot be read (No such file or directory), but should be readable [submission.yaml]"
    )


def test_a_name_that_reports_cannot_carry_is_refused(faults):
    should = "but should be letters, digits, spaces and . _ - + ( ), at most 100"
    assert faults(id="team/a\\x0ab[1]") == [rf"got a directory named 'a\\x0ab[1]' {should} [team/a\\x0ab[1]]"]
