"""The README lists the op table as it is."""

from __future__ import annotations

from pathlib import Path

from micronet_verify_tensorflow.listing import BEGIN, END, operators

README = Path(__file__).parents[3] / "plugins" / "tensorflow" / "README.md"


def test_the_readme_lists_every_operator() -> None:
    text = README.read_text(encoding="utf-8")
    listed = text[text.index(BEGIN) + len(BEGIN) : text.index(END)].strip()
    assert listed == operators().strip(), "run python -m micronet_verify_tensorflow.listing and put its output between the marks"
