"""Moves the fragments beside this file into the newest release of CHANGELOG.md, and removes them: `python changelog.d/collect.py`.

With `--check`, nothing is written: the exit code is 1 where a fragment is not well formed. README.md says what a fragment is.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHANGELOG = HERE.parent / "CHANGELOG.md"
SECTIONS = (
    "New: judging",
    "New: tracks, frameworks, plugins",
    "New: speed",
    "Scores that move: up",
    "Scores that move: down",
    "Refused before, counted now",
    "Refused now, and better told",
    "Answers that move",
    "Interfaces that move",
    "Inside the house",
)
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\.md")


def parsed(name: str, text: str) -> dict[str, str]:
    """{section: its bullet list} of one fragment; ValueError with a sentence where it is not one."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{name}: got a name that should be lower-case words joined by -, as in onnx-resize.md")
    before, *pieces = re.split(r"(?m)^### +(.*)$", text)
    if before.strip() or not pieces:
        raise ValueError(f"{name}: got no section on the first line, should be one of: {'; '.join(SECTIONS)}")
    found: dict[str, str] = {}
    for section, body in zip(map(str.strip, pieces[::2]), pieces[1::2], strict=True):
        if section not in SECTIONS or section in found:
            raise ValueError(f"{name}: got the section {section!r}, should be one of, each once: {'; '.join(SECTIONS)}")
        if not re.fullmatch(r"- \S.*(\n(- |  ) *\S.*)*", body.strip("\n").rstrip()):
            raise ValueError(
                f"{name}: got text in {section!r} that should be one list: lines that begin with '- ', or go on with two spaces"
            )
        found[section] = body.strip()
    return found


def collected(changelog: str, fragments: Mapping[str, str]) -> str:
    """CHANGELOG.md with each fragment's lines at the end of its section in the newest release; sections in the order of SECTIONS."""
    head, release, older = re.fullmatch(r"(?s)(.*?^## [^\n]*\n)(.*?)(^## .*)?", changelog, re.MULTILINE).groups()  # type: ignore[union-attr]
    opening, *pieces = re.split(r"(?m)^### +(.*)$", release)
    sections = {title: body.strip() for title, body in zip(pieces[::2], pieces[1::2], strict=True)}
    for name in sorted(fragments):
        for section, body in parsed(name, fragments[name]).items():
            sections[section] = "\n".join(filter(None, (sections.get(section), body)))
    ordered = sorted(sections, key=lambda title: SECTIONS.index(title) if title in SECTIONS else len(SECTIONS))
    return (
        head
        + "\n\n".join([opening.rstrip(), *(f"### {title}\n\n{sections[title]}" for title in ordered)])
        + "\n"
        + (f"\n{older}" if older else "")
    )


def main(argv: list[str]) -> int:
    """Exit code: 0, or 1 with a sentence for a fragment that is not well formed."""
    paths = [path for path in sorted(HERE.glob("*.md")) if path.name != "README.md"]
    try:
        text = collected(CHANGELOG.read_text(encoding="utf-8"), {path.name: path.read_text(encoding="utf-8") for path in paths})
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    if argv != ["--check"]:
        CHANGELOG.write_text(text, encoding="utf-8")
        for path in paths:
            path.unlink()
    print(f"{len(paths)} fragments{' are well formed' if argv == ['--check'] else ' moved into CHANGELOG.md'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
