"""Reads YAML strictly: one meaning for every reader, or a sentence that says where and what to write instead.

What is left of YAML: mappings with text keys, lists, quoted and plain text, ``true`` and ``false``, whole numbers and
plain decimals (kept exact, as ``Decimal``). Whatever two YAML readers understand differently is refused with advice
(``NO``, ``010``, ``1_000``, ``1:30``, dates, ``1e3``), and so is whatever a file of facts does not need: anchors,
aliases, merge keys, tags, directives, a second document, nulls, tabs.

``load`` raises nothing. What it finds is in ``Located.problems``, so that ``model.parse`` reports it together with
what is wrong against the model.
"""

from __future__ import annotations

import re
from pathlib import Path

from micronet_verify.errors import Problem
from micronet_verify.strict_yaml.composer import FORBIDDEN, Composer
from micronet_verify.strict_yaml.located import Located, Place

MAX_BYTES = 64 * 1024
_LONE_RETURN = re.compile("\r(?!\n)")


def load(source: Path | str | bytes, name: str = "") -> Located:
    """Read a file (``Path``), its text (``str``) or its bytes; ``name`` is what messages call it."""
    if isinstance(source, Path):
        name = name or source.name
        try:
            with source.open("rb") as handle:
                source = handle.read(MAX_BYTES + 1)
        except OSError as error:
            return _nothing(name, Problem(f"a file that cannot be read ({error.strerror})", "be a readable file", name))
    raw = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    if len(raw) > MAX_BYTES:
        return _nothing(name, Problem(f"more than {MAX_BYTES:,} bytes", f"have at most {MAX_BYTES:,}", name))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        got = f"the byte 0x{raw[error.start]:02X}, which is not UTF-8,"
        return _nothing(name, Problem(got, "be UTF-8 text", f"{name}:{line}", "save the file as UTF-8"))
    clean, problems = _characters(text, name)
    return Composer(name, problems).compose(clean)


def _nothing(name: str, problem: Problem) -> Located:
    return Located(name, None, {}, {}, ((None, problem),))


def _characters(text: str, name: str) -> tuple[str, list[tuple[Place | None, Problem]]]:
    """The text with every refused character replaced, so that reading can go on, and one problem per line."""
    clean = _LONE_RETURN.sub("?", text.replace("\t", " "))
    clean = FORBIDDEN.sub("?", clean)
    problems: list[tuple[Place | None, Problem]] = []
    if len(clean) == len(text) and clean != text:
        for number, line in enumerate(text.split("\n"), 1):
            body, where = line.removesuffix("\r"), f"{name}:{number}"
            if "\t" in body:
                problems.append((None, Problem("a tab", "be spaces", where)))
            bad = FORBIDDEN.search(body.replace("\t", " ")) or re.search("\r", body)
            if bad:
                problems.append((None, Problem(f"the invisible character U+{ord(bad[0]):04X}", "be left out", where)))
    return clean, problems
