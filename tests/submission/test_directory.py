"""Entries are found by their manifest's name alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from micronet_verify.errors import BenchFault, SubmissionFault
from micronet_verify.submission.directory import EntryPath, find_entries, misnamed
from micronet_verify.submission.load import load_submission
from micronet_verify.submission.manifest import MANIFEST


def make(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / MANIFEST).touch()
    return folder


def test_entries_in_order_of_id_and_none_inside_an_entry(tmp_path: Path):
    made = [make(tmp_path / name) for name in ("b/two", "a", "b/one", "B", "c-1/x", "c/x")]
    make(tmp_path / "a" / "inner")
    (tmp_path / "empty" / "folder").mkdir(parents=True)
    found = find_entries(tmp_path)
    assert [entry.id for entry in found] == ["B", "a", "b/one", "b/two", "c-1/x", "c/x"]
    assert {entry.path for entry in found} == set(made)


def test_a_manifest_by_nearly_the_right_name_is_found_and_makes_no_entry(tmp_path: Path):
    make(tmp_path / "a")
    for name in ("a/submission.yml", "b/submission.yml", "c/Submission.yaml", "d/notes.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = find_entries(tmp_path)
    assert [entry.id for entry in found] == ["a"]
    assert misnamed(tmp_path, found) == [tmp_path / "b" / "submission.yml", tmp_path / "c" / "Submission.yaml"]
    assert misnamed(tmp_path / "a", find_entries(tmp_path / "a")) == []


def test_the_root_may_be_an_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root = make(tmp_path / "mine")
    make(root / "inner")
    assert find_entries(root) == [EntryPath("mine", root)]
    monkeypatch.chdir(root)
    assert find_entries(Path()) == [EntryPath("mine", root)]


def test_links_to_directories_are_not_followed(tmp_path: Path):
    make(tmp_path / "outside")
    root = tmp_path / "root"
    make(root / "real")
    (root / "link").symlink_to(tmp_path / "outside")
    (root / "loop").symlink_to(root)
    assert [entry.id for entry in find_entries(root)] == ["real"]


def test_a_manifest_that_is_a_link_is_an_entry_so_that_loading_it_says_why_not(tmp_path: Path):
    (tmp_path / "sly").mkdir()
    (tmp_path / "sly" / MANIFEST).symlink_to("/etc/passwd")
    (entry,) = find_entries(tmp_path)
    with pytest.raises(SubmissionFault, match=r"the symbolic link 'submission\.yaml'"):
        load_submission(entry.path, entry.id)


def test_names_that_cannot_be_printed_are_escaped(tmp_path: Path):
    make(tmp_path / "a\nb")
    os.mkdir(os.fsencode(tmp_path) + b"/\xff")
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")) / MANIFEST).touch()
    assert [entry.id for entry in find_entries(tmp_path)] == ["\\xff", "a\\x0ab"]


def test_no_file_of_an_entry_is_opened(tmp_path: Path):
    entry = make(tmp_path / "a")
    (entry / MANIFEST).unlink()
    os.mkfifo(entry / MANIFEST)  # opening it would wait for ever
    (entry / "conftest.py").write_text("raise SystemExit", encoding="utf-8")
    assert [found.id for found in find_entries(tmp_path)] == ["a"]


def test_a_directory_that_cannot_be_listed_is_an_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    make(tmp_path / "good")
    (tmp_path / "locked").mkdir()
    scandir = os.scandir

    def denied(path: str):  # root may list anything, so permissions alone would not show it
        if os.fspath(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", denied)
    assert [entry.id for entry in find_entries(tmp_path)] == ["good", "locked"]


def test_a_folder_that_is_not_there(tmp_path: Path):
    with pytest.raises(BenchFault) as caught:
        find_entries(tmp_path / "nowhere")
    assert str(caught.value) == f"got the folder of submissions {str(tmp_path / 'nowhere')!r} but should be a directory that exists"
