"""Fragments of the changelog: those that lie there are well formed, what is not is told, and a release gathers them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "changelog.d"
spec = importlib.util.spec_from_file_location("collect", FOLDER / "collect.py")
assert spec is not None
assert spec.loader is not None
collect = importlib.util.module_from_spec(spec)
spec.loader.exec_module(collect)


@pytest.mark.parametrize("path", [path for path in sorted(FOLDER.glob("*.md")) if path.name != "README.md"], ids=lambda path: path.name)
def test_every_fragment_is_well_formed(path: Path) -> None:
    assert collect.parsed(path.name, path.read_text(encoding="utf-8"))


def test_nothing_else_lies_there() -> None:
    assert [path.name for path in FOLDER.iterdir() if path.suffix != ".md" and path.name not in ("collect.py", "__pycache__")] == []


def test_the_page_names_every_section() -> None:
    rows = [line.split("|")[1].strip() for line in (FOLDER / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert rows[1:] == list(collect.SECTIONS)


def test_the_newest_release_has_only_these_sections() -> None:
    newest = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").split("\n## ")[1]
    assert {line.removeprefix("### ") for line in newest.splitlines() if line.startswith("### ")} <= set(collect.SECTIONS)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no section on the first line"),
        ("- a\n", "no section on the first line"),
        ("### New: juggling\n\n- a\n", "'New: juggling'"),
        ("### New: judging\n\n- a\n\n### New: judging\n\n- b\n", "each once"),
        ("### New: judging\n\na\n", "should be one list"),
        ("### New: judging\n\n- a\n\n- b\n", "should be one list"),
        ("### New: judging\n\n", "should be one list"),
    ],
)
def test_what_is_no_fragment_is_told(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        collect.parsed("a.md", text)


def test_what_no_fragment_is_called_is_told() -> None:
    with pytest.raises(ValueError, match="lower-case words joined by -"):
        collect.parsed("Onnx resize.md", "### New: judging\n\n- a\n")


def test_a_release_gathers_them_in_the_order_of_the_sections() -> None:
    older = "## 0.1.0\n\n### New: judging\n\n- old\n"
    before = f"# Changelog\n\nWords.\n\n## 0.2.0 (unreleased)\n\nMore words.\n\n### New: speed\n\n- fast\n\n{older}"
    fragments = {"b.md": "### New: speed\n\n- faster\n  still\n", "a.md": "### New: speed\n- quick\n\n### New: judging\n\n- new\n"}
    assert collect.collected(before, fragments) == (
        "# Changelog\n\nWords.\n\n## 0.2.0 (unreleased)\n\nMore words.\n\n### New: judging\n\n- new\n\n"
        f"### New: speed\n\n- fast\n- quick\n- faster\n  still\n\n{older}"
    )


def test_without_fragments_nothing_moves() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert collect.collected(text, {}) == text
