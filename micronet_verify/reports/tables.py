"""Tables as every report on a terminal draws them: one rule below the head, numbers on the right, texts that cannot mark up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from micronet_verify.reports.texts import one_line


def table(columns: Sequence[str], numbers: Iterable[str] = (), gap: int = 2) -> Table:
    """An empty table; the columns named in ``numbers`` are right-aligned and never wrapped; ``gap`` spaces between columns."""
    right = frozenset(numbers)
    made = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, gap - 1, 0, 0), show_edge=False)
    for name in columns:
        made.add_column(name, justify="right" if name in right else "left", no_wrap=name in right, overflow="fold")
    return made


def safe(text: str, style: str = "") -> Text:
    """A text of anyone's for the terminal: one line, no escape codes, no markup."""
    return Text(one_line(text), style)


def bullets(sentences: Iterable[str]) -> Table:
    """Sentences below one another, wrapped beside their bullet."""
    made = Table.grid(padding=(0, 1, 0, 0))
    made.add_column(width=1)
    made.add_column(overflow="fold")
    for sentence in sentences:
        made.add_row("•", safe(sentence))
    return made
