"""The console that commands print to: no markup is read from texts, and no colour and no padding goes into a pipe."""

from __future__ import annotations

import re
import sys
from typing import IO, TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from rich.console import Console

_PADDING = re.compile(r" +(?=\n)")


class _Trimmed:
    """A stream without the spaces with which tables fill their lines; everything else is the stream's own."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(_PADDING.sub("", text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def console(stderr: bool = False) -> Console:
    """A console on stdout or stderr as it is now; 80 columns where there is no terminal and no COLUMNS."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    file = stream if stream.isatty() else cast("IO[str]", _Trimmed(stream))
    return Console(file=file, markup=False, highlight=False, emoji=False)
