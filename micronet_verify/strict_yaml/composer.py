"""Builds data with places from PyYAML's events, without recursion: depth is bounded before it costs anything."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from micronet_verify.errors import Problem
from micronet_verify.strict_yaml.located import Located, Place
from micronet_verify.strict_yaml.scalars import Surprise, plain, shown
from micronet_verify.strict_yaml.syntax import syntax_problem

MAX_DEPTH = 10

# Control characters, line ends that only some readers count (NEL, LS, PS), bidirectional overrides, which make a text
# read differently from what it says, surrogates, the byte order mark, and non-characters.
FORBIDDEN = re.compile("[^\n\r -~\xa0-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


class _Stop(Exception):
    """The rest of the file has no meaning."""


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not come yet. ``key`` waits for its value; ``dropped`` values are read and forgotten."""

    data: Any
    place: Place
    dropped: bool
    expects_key: bool
    key: str = ""
    key_dropped: bool = False


class Composer:
    """One file's reading; ``problems`` starts with what was found in its characters."""

    def __init__(self, name: str, problems: list[tuple[Place | None, Problem]]) -> None:
        self._name = name
        self._problems = problems
        self._replaced = bool(problems)
        self._lines: dict[Place, int] = {}
        self._texts: dict[Place, str] = {}
        self._stack: list[_Open] = []
        self._root: Any = None
        self._documents = 0

    def compose(self, text: str) -> Located:
        """Read ``text``; whatever is wrong with it ends up in the result's ``problems``."""
        try:
            for event in yaml.parse(text, Loader=yaml.SafeLoader):
                self._take(event)
        except _Stop:
            self._root = None
        except yaml.MarkedYAMLError as error:
            self._root = None
            # Where characters were replaced, a syntax error may be our own doing: they are reported already.
            if not self._replaced:
                self._problems.append((None, syntax_problem(error, text.split("\n"), self._name)))
        except (yaml.YAMLError, ValueError, OverflowError, IndexError) as error:
            self._root = None
            self._problem(None, f"text that YAML cannot read ({' '.join(str(error).split())[:80]})", "be YAML", self._name)
        if not self._documents and not self._problems:
            self._problem(None, "an empty file", "hold keys and values", self._name)
        return Located(self._name, self._root, self._lines, self._texts, tuple(self._problems))

    def _take(self, event: yaml.Event) -> None:
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    self._problem(None, "a second document after '---'", "be one document", self._at(event))
                    raise _Stop
                if event.version or event.tags:
                    self._problem(None, "a directive '%'", "be left out", self._at(event))
            case yaml.AliasEvent():
                key = bool(self._stack) and self._stack[-1].expects_key
                self._problem(None if key else self._place(), f"the alias *{event.anchor}", "be spelled out", self._at(event))
                self._scalar(event, f"*{event.anchor}", None)
            case yaml.ScalarEvent():
                self._scalar(event, event.value, event.style)
            case yaml.CollectionStartEvent():
                self._open(event)
            case yaml.CollectionEndEvent():
                self._stack.pop()

    def _open(self, event: yaml.CollectionStartEvent) -> None:
        where = self._at(event)
        if self._stack and self._stack[-1].expects_key:
            self._problem(None, "a key that is a list or mapping", "be a word", where)
            raise _Stop
        if len(self._stack) == MAX_DEPTH:
            self._problem(None, f"more than {MAX_DEPTH} levels", f"have at most {MAX_DEPTH}", where)
            raise _Stop
        place, dropped = self._place(), self._dropped()
        self._decorations(event, place)
        mapping = isinstance(event, yaml.MappingStartEvent)
        data: Any = {} if mapping else []
        self._put(data, event)
        self._stack.append(_Open(data, place, dropped, mapping))

    def _scalar(self, event: Any, text: str, style: str | None) -> None:
        top = self._stack[-1] if self._stack else None
        alias = isinstance(event, yaml.AliasEvent)
        if top and top.expects_key:
            self._key(top, event, text, style, alias)
            return
        place = self._place()
        if not top:
            self._problem((), f"{shown(text)}", "hold keys and values", self._at(event))
        self._decorations(event, place)
        self._check_characters(place, text, event)
        value: Any = text
        if style is None and not alias:
            value = self._plain(place, text, event)
        if not self._dropped():
            self._texts[place] = text
        self._put(value, event)

    def _key(self, top: _Open, event: Any, text: str, style: str | None, alias: bool) -> None:
        place, where = (*top.place, text), self._at(event)
        self._decorations(event, None)
        problems = len(self._problems)
        self._check_characters(None, text, event)
        value = self._plain(None, text, event) if style is None and not alias else text
        if not isinstance(value, str):
            self._problem(None, f"the key {text}, which is not a word,", "be a word", where, f'write "{text}"')
        elif text in top.data:
            first = self._lines[place]
            self._problem(None, f"the key {shown(text)} a second time", "stand once", where, f"first on line {first}")
        top.key_dropped = alias or len(self._problems) > problems
        top.key, top.expects_key = text, False
        if not top.key_dropped and not top.dropped:
            self._lines[place] = _line(event)

    def _put(self, value: Any, event: yaml.Event) -> None:
        if not self._stack:
            self._root = value
            self._lines[()] = _line(event)
            return
        top, place = self._stack[-1], self._place()
        if isinstance(top.data, list):
            if not self._dropped():
                self._lines[place] = _line(event)
            top.data.append(value)
            return
        if not top.key_dropped:
            top.data[top.key] = value
        top.expects_key = True

    def _plain(self, place: Place | None, text: str, event: yaml.Event) -> Any:
        try:
            return plain(text)
        except Surprise as surprise:
            got = f"{text[:60]}, which {surprise.reading}," if text else "nothing after a key or '-'"
            self._problem(place, got, "be a value with one meaning" if text else "be a value", self._at(event), surprise.advice)
            return text

    def _decorations(self, event: Any, place: Place | None) -> None:
        if isinstance(event, yaml.AliasEvent):
            return
        if event.anchor is not None:
            self._problem(place, f"the anchor &{event.anchor}", "be left out", self._at(event), "spell the value out where it is used")
        if event.tag is not None:
            self._problem(place, f"the tag {shown(event.tag)}", "be left out", self._at(event))

    def _check_characters(self, place: Place | None, text: str, event: yaml.Event) -> None:
        bad = FORBIDDEN.search(text)
        if bad:
            self._problem(place, f"the invisible character U+{ord(bad[0]):04X}", "be left out", self._at(event))

    def _place(self) -> Place:
        if not self._stack:
            return ()
        top = self._stack[-1]
        return (*top.place, len(top.data) if isinstance(top.data, list) else top.key)

    def _dropped(self) -> bool:
        return bool(self._stack) and (self._stack[-1].dropped or self._stack[-1].key_dropped)

    def _at(self, event: yaml.Event) -> str:
        return f"{self._name}:{_line(event)}"

    def _problem(self, place: Place | None, got: str, should: str, where: str, advice: str = "") -> None:
        self._problems.append((None if self._dropped() else place, Problem(got, should, where, advice)))


def _line(event: yaml.Event) -> int:
    mark: Any = event.start_mark
    return int(mark.line) + 1
