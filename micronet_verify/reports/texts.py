"""Texts of entrants made fit for where they are printed: a terminal, a Markdown table, a spreadsheet, XML.

Titles, names, labels and scopes come from entries. None of them may carry an escape code, markup, a formula or a line of
its own into a report.
"""

from __future__ import annotations

import re
import unicodedata

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_MARKDOWN = re.compile(r"[\\`*_{}\[\]<>#+!|~&$^=@]")
# A dash or point inside a word means nothing, but for the point after www, which makes a link.
_LOOSE = re.compile(r"(?<![^\W_])[-.]|[-.](?![^\W_])|(?<=[wW]{3})\.|:(?!\s|$)")
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def one_line(text: str) -> str:
    """``text`` on one line, without control characters, direction marks or half characters; runs of spaces are one."""
    return " ".join("".join(map(_printable, text)).split())


def _printable(char: str) -> str:
    category = unicodedata.category(char)
    if category in ("Cc", "Zl", "Zp"):
        return " "
    return "\ufffd" if category in ("Cs", "Cn", "Co") or char in _BIDI else char


def many_lines(text: str) -> str:
    """Like ``one_line``, but the lines of ``text`` stay lines."""
    return "\n".join(filter(None, map(one_line, text.splitlines())))


def markdown(text: str) -> str:
    """``text`` as it reads in a cell of a Markdown table, whatever it holds."""
    return _LOOSE.sub(r"\\\g<0>", _MARKDOWN.sub(r"\\\g<0>", one_line(text)))


def cell(text: str) -> str:
    """``text`` as a spreadsheet's cell that no spreadsheet takes for a formula: such a text gets a leading ``'``."""
    line = one_line(text)
    return f"'{line}" if line.startswith(_FORMULA) else line


def shortened(text: str, most: int) -> str:
    """``text`` on one line of at most ``most`` characters; what was cut off is one ``…``."""
    line = one_line(text)
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def broken(text: str, width: int) -> list[str]:
    """``text`` on lines of at most ``width`` characters, broken after a separator where there is one."""
    lines = [""]
    for word in re.findall(r"[^/_.\- ]*[/_.\- ]?", one_line(text)):
        for part in (word[start : start + width] for start in range(0, len(word), width)):
            if len(lines[-1]) + len(part) > width:
                lines.append("")
            lines[-1] += part
    return lines


def first_sentence(text: str) -> str:
    """The first of the problems in ``text``, and how many follow."""
    lines = many_lines(text).splitlines()
    if not lines:
        return ""
    more = len(lines) - 1
    return lines[0] + (f" – and {more} more" if more else "")
