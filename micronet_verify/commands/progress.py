"""Live progress on stderr: a bar and what each entry in work is at on a terminal, one line per judged entry elsewhere."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from micronet_verify.commands.judging import STAGES
from micronet_verify.commands.terminal import console

if TYPE_CHECKING:
    from rich.progress import TaskID

    from micronet_verify.reports.entry import EntryRecord

DONE = "done"
_ID = 34


class Progress(Protocol):
    """``stage`` starts for ``entry`` or, with ``"done"``, is over, with its record where there is one. Called from many threads."""

    def __call__(self, entry: str, stage: str, record: EntryRecord | None) -> None: ...


@contextmanager
def progress(total: int) -> Iterator[Progress]:
    """A callable that shows how far a run of ``total`` entries is, for as long as the ``with`` block lasts."""
    shown = _live(total) if sys.stderr.isatty() else _lines(total)
    with shown as tell:
        yield tell


@contextmanager
def _lines(total: int) -> Iterator[Progress]:
    from micronet_verify.reports.texts import one_line

    screen, lock, done = console(stderr=True), threading.Lock(), 0

    def tell(entry: str, stage: str, record: EntryRecord | None) -> None:
        nonlocal done
        if stage == DONE:
            with lock:
                done += 1
                outcome = record.said if record is not None else DONE
                screen.print(f"[{done:{len(str(total))}}/{total}] {outcome:7} {one_line(entry)}", soft_wrap=True)

    yield tell


@contextmanager
def _live(total: int) -> Iterator[Progress]:
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    from micronet_verify.reports.texts import shortened

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn())
    tasks: dict[str, TaskID] = {}
    lock = threading.Lock()
    with Bars(*columns, console=console(stderr=True), transient=True) as bars:
        overall = bars.add_task("judging entries", total=total)

        def tell(entry: str, stage: str, record: EntryRecord | None) -> None:
            words = f"{shortened(entry, _ID)}: {STAGES.get(stage, stage)}"
            with lock:
                if stage == DONE:
                    if entry in tasks:
                        bars.remove_task(tasks.pop(entry))
                    bars.advance(overall)
                elif entry in tasks:
                    bars.update(tasks[entry], description=words, advance=1)
                else:
                    tasks[entry] = bars.add_task(words, total=len(STAGES))

        yield tell
