"""Inputs prepared in the background, each once in a run, while entries are exported, translated and counted."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from micronet_verify.errors import BenchFault, Problem
from micronet_verify.facts.data import ANYTHING, Expected, Preprocessing
from micronet_verify.quality.inputs.prepare import Prepared, prepare

# Data sets at once: one decodes on all processors, another may be waiting for its disk.
_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """Inputs, by the arguments of ``prepare``."""

    dataset: str
    split: str
    preprocessing: str | Preprocessing
    folder: Path
    expected: Expected = ANYTHING
    root: Path | None = None
    limit: int | None = None


class Preparing:
    """Prepares what is asked for on threads of its own. Safe to use from many threads."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="prepare")
        self._begun: dict[Wanted, Future[Prepared]] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def begin(self, wanted: Wanted) -> None:
        """Put it to work, unless it is or was."""
        with self._lock:
            if wanted not in self._begun and not self._stopped.is_set():
                self._begun[wanted] = self._pool.submit(self._prepare, wanted)

    def result(self, wanted: Wanted) -> Prepared:
        """Waits for what ``prepare`` gives or raises. ``BenchFault`` where this was stopped before.

        A fault is kept like a result: data that cannot be read are not read again for every entry of the run.
        """
        self.begin(wanted)
        future = self._begun.get(wanted)
        if future is not None:
            with suppress(CancelledError):
                return future.result()
        raise BenchFault(Problem(f"a run that was stopped before {wanted.dataset} was prepared", "run to its end"))

    def stop(self) -> None:
        """End what is under way and wait until it has ended. May be called twice."""
        with self._lock:
            self._stopped.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _prepare(self, wanted: Wanted) -> Prepared:
        return prepare(
            wanted.dataset,
            wanted.split,
            wanted.preprocessing,
            wanted.folder,
            wanted.expected,
            wanted.root,
            wanted.limit,
            self._stopped.is_set,
        )
