"""PyYAML's syntax errors in the words of someone who edits a file, not of a parser."""

from __future__ import annotations

from typing import Any

import yaml

from micronet_verify.errors import Problem

# What PyYAML says, and: got, should, advice.
_SENTENCES = (
    ("could not find expected ':'", "a line without 'key: value'", "be a key, a colon, a space and a value", ""),
    ("cannot start any token", "text that begins with a sign of YAML's own", "be quoted", ""),
    ("while scanning a quoted scalar", "a quotation mark without its partner", "be closed", ""),
    (
        "while scanning a double-quoted scalar",
        "an escape after a backslash that YAML does not know",
        "be a known one",
        r"a backslash is \\",
    ),
    ("while parsing a flow", "a bracket '[' or '{' without its partner", "be closed", ""),
    ("while parsing a block", "a line that does not fit the lines around it", "be indented like its neighbours", ""),
)
_POINTS_AT_START = ("quoted", "flow", "simple key")


def syntax_problem(error: yaml.MarkedYAMLError, lines: list[str], name: str) -> Problem:
    """One sentence for ``error`` in the file ``name`` of these ``lines``: the line where the fault began, not where it showed."""
    context, problem = error.context or "", error.problem or ""
    began = any(word in context for word in _POINTS_AT_START)
    mark: Any = (error.context_mark if began else error.problem_mark) or error.problem_mark or error.context_mark
    where = f"{name}:{mark.line + 1}" if mark else name
    if mark and "mapping values are not allowed" in problem:
        if ": " in lines[mark.line][: mark.column]:
            return Problem("a second ': ' on one line", "be one 'key: value' to a line", where, "quote text that holds ': '")
        return Problem("a key that is indented deeper than its neighbours", "be indented like them", where)
    for sign, got, should, advice in _SENTENCES:
        if sign in context or sign in problem:
            return Problem(got, should, where, advice)
    return Problem(f"a fault in the YAML: {' '.join(f'{context} {problem}'.split())}", "be YAML", where)
