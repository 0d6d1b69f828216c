"""Entrants' texts, printed where they could do harm."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from micronet_verify.reports.texts import cell, first_sentence, many_lines, markdown, one_line, shortened

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def read(text: str) -> tuple[str, set[str]]:
    """What a Markdown reader shows for ``text`` in a table's cell, and the kinds of inline elements it found."""
    tokens = PARSER.parse(f"| a | b |\n| --- | --- |\n| {text} | end |\n\nafter\n")
    inline = [token for token in tokens if token.type == "inline"]
    assert [token.content for token in inline[:2] + inline[3:]] == ["a", "b", "end", "after"]
    return "".join(child.content for child in inline[2].children), {child.type for child in inline[2].children}


@given(st.text())
@example("[click](http://evil.example)")
@example("<script>alert(1)</script>")
@example("a | b \\| c")
@example("**bold** _it_ ~~gone~~ `code` ![i](x)")
@example("&lt;b&gt; \\* \\\\")
@example("line\n\n# head\r\n- item\x1b[31m")
@example("`` ` ``|")
def test_law_markdown_shows_the_text_and_nothing_else(text):
    shown, kinds = read(markdown(text))
    assert shown == one_line(text)
    assert kinds <= {"text", "text_special"}


@pytest.mark.parametrize(("link", "told"), [
    ("www.evil.example", "www\\.evil.example"), ("http://evil.example", "http\\://evil.example"), ("me@evil.example", "me\\@evil.example"),
])  # fmt: skip
def test_what_starts_a_link_without_brackets_is_escaped(link, told):
    assert markdown(link) == told


def test_ordinary_words_stay_readable():
    assert markdown("4-bit weights, v1.2 (Tomás Reyes): 50 %") == "4-bit weights, v1.2 (Tomás Reyes): 50 %"


@pytest.mark.parametrize(("text", "told"), [
    ("\x1b[31mred\x1b[0m", "[31mred [0m"), ("a\x9b31mb", "a 31mb"), ("two\r\nlines\u2028three", "two lines three"),
    ("\x00\x07bell", "bell"),
    ("right\u202eleft", "right\ufffdleft"), ("half \ud800 char", "half \ufffd char"), ("  wide \t space ", "wide space"),
    ("family 👩‍👩‍👧", "family 👩‍👩‍👧"),
])  # fmt: skip
def test_one_line_has_no_control_characters(text, told):
    assert one_line(text) == told


@given(st.text(alphabet=st.characters()))
def test_law_one_line_can_be_printed_and_is_stable(text):
    line = one_line(text)
    assert line.isprintable() or all(char.isprintable() or char == "\u200d" or ord(char) > 127 for char in line)
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in line)
    assert one_line(line) == line
    line.encode("utf-8")


def test_many_lines_keep_their_breaks_and_lose_the_rest():
    assert many_lines("got a\x1b[2J but should b\n\n\tgot c but should d\x0b") == "got a [2J but should b\ngot c but should d"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "  =1", "\t=1", "\r=cmd|' /C calc'!A0", "＝1", "\x00=1"])
def test_no_cell_starts_a_formula(text):
    assert cell(text) == f"'{one_line(text)}"


def test_other_cells_are_left_as_they_are():
    assert cell("body.conv.weight = x") == "body.conv.weight = x"


def test_shortened_and_first_sentence():
    assert shortened("abcdef", 4) == "abc…"
    assert shortened("abcd", 4) == "abcd"
    assert first_sentence("got a\ngot b\ngot c") == "got a – and 2 more"
    assert first_sentence("") == ""
