"""Every decision has its number, its record, its line in ARCHITECTURE.md, and at least one test that exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECORDS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
ROWS = re.findall(
    r"^\| \[(\d{4})\]\(docs/decisions/(.*?)\) \| (.*?) \| (.*?) \|$", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"), re.M
)


def test_numbers_are_consecutive_and_each_is_listed_once() -> None:
    assert [path.name[:4] for path in RECORDS] == [f"{number:04}" for number in range(1, len(RECORDS) + 1)]
    assert len(RECORDS) >= 55, "a record is never removed"
    assert [(number, name) for number, name, _, _ in ROWS] == [(path.name[:4], path.name) for path in RECORDS]


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.name[:4])
def test_a_record_says_what_why_and_which_tests_hold_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    title = re.match(r"# (\d{4})\. (.*)\n", text)
    assert title is not None
    assert title[1] == path.name[:4]
    row = next(row for row in ROWS if row[1] == path.name)
    assert row[2] == title[2]
    rules = re.findall(r"rules\.md#([SOR]\d+)", text)
    assert row[3].replace("–", "").replace("two regimes", "") == ", ".join(rules)
    for part in ("Decision", "Why", "Consequence", "Tests"):
        assert text.count(f"**{part}.**") == 1, part
    tests = re.findall(r"^- `(.*?)::(\w+)`$", text.partition("**Tests.**")[2], re.M)
    assert tests
    missing = [
        f"{file}::{name}" for file, name in tests if not (ROOT / file).exists() or f"def {name}(" not in (ROOT / file).read_text("utf-8")
    ]
    assert missing == [], "a test that moved takes its line in the record along"
