"""docs/hooks.md says what the hookspecs say."""

from __future__ import annotations

from pathlib import Path

from micronet_verify.framework import hookspecs
from micronet_verify.framework.reference import hook_names, reference

PAGE = Path(__file__).parents[2] / "docs" / "hooks.md"


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "run: python -m micronet_verify.framework.reference > docs/hooks.md"


def test_every_hook_is_on_it() -> None:
    names = [name for name in vars(hookspecs) if name.startswith("micronet_")]
    assert hook_names() == names
    for name in names:
        assert f"## `{name}`" in PAGE.read_text(encoding="utf-8")


def test_every_hook_and_every_type_has_its_words() -> None:
    for section in reference().split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        assert len(body.strip()) > 40, title
