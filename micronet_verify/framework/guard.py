"""Runs a stranger's code where nothing that it does may end, or be mistaken for, what runs it.

While a plugin is loaded, what it prints is kept apart, an attempt to end the process is an exception like any other, and the
Ctrl-C of a person is told from a ``KeyboardInterrupt`` that the plugin raises.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, NoReturn

from micronet_verify.framework.settings import same_settings

LONGEST = 300
SECONDS = 300
"""More than the import of any framework takes on a slow disk."""
_one_at_a_time = threading.RLock()


class Ended(BaseException):
    """A plugin tried to end the process without an exception (``os._exit``, ``os.abort``), or did not end itself."""


@dataclass(slots=True)
class Contained:
    """What came of the code inside ``contained()``: the exception that it raised, if any, and what it printed."""

    error: BaseException | None = None
    printed: str = ""
    _texts: list[str] = field(default_factory=list)


@contextlib.contextmanager
def contained() -> Iterator[Contained]:
    """Run the block, keep its exception and its output. Only a person's own Ctrl-C passes.

    For short calls: the process's standard streams are exchanged meanwhile, and what other threads print then is lost.
    """
    found, interrupted = Contained(), list[bool]()
    with (
        _one_at_a_time,
        _quiet(found),
        _interrupts(interrupted),
        no_exit(),
        _same_folder(),
        same_settings(),
        _in_time(),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        try:
            yield found
        except BaseException as error:
            if interrupted:
                raise
            found.error = error


def sentence(error: BaseException) -> str:
    """The type and the first words of an exception, on one line; whatever its own ``__str__`` does."""
    try:
        text = " ".join(str(error).split())
    except BaseException:
        text = ""
    name = type(error).__name__
    told = f"{name}: {text}" if text else name
    return told if len(told) <= LONGEST else f"{told[: LONGEST - 1]}…"


@contextlib.contextmanager
def _quiet(found: Contained) -> Iterator[None]:
    """Python's streams and the descriptors below them, which libraries in C write to."""
    text = _Kept()
    with contextlib.ExitStack() as stack:
        below = _Descriptors()
        stack.enter_context(contextlib.redirect_stdout(text))
        stack.enter_context(contextlib.redirect_stderr(text))
        stack.enter_context(_replaced(sys, "stdin", io.StringIO()))
        try:
            yield
        finally:
            found.printed = " ".join(f"{text.getvalue()} {below.restored()}".split())[:LONGEST]


class _Kept(io.StringIO):
    """A stream that outlives an attempt to close it."""

    def close(self) -> None:
        pass


class _Descriptors:
    """Standard output and error of the process, led into memory until ``restored``; those that are closed stay so."""

    def __init__(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        self._memory = os.memfd_create("printed")
        self._kept: list[tuple[int, int]] = []
        for number in (1, 2):
            with contextlib.suppress(OSError):
                self._kept.append((number, os.dup(number)))
                os.dup2(self._memory, number)

    def restored(self) -> str:
        """What was printed."""
        for number, kept in self._kept:
            os.dup2(kept, number)
            os.close(kept)
        os.lseek(self._memory, 0, os.SEEK_SET)
        text = os.read(self._memory, 4 * LONGEST).decode("utf-8", "replace")
        os.close(self._memory)
        return text


@contextlib.contextmanager
def _interrupts(seen: list[bool]) -> Iterator[None]:
    """``seen`` is filled when a person interrupts; only the main thread is ever interrupted."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> Any:
        seen.append(True)
        return before(number, frame)

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def no_exit() -> Iterator[None]:
    """Within, an attempt to end the process at once is an exception (``Ended``)."""

    def leave(name: str) -> Callable[..., NoReturn]:
        def raised(*_: object) -> NoReturn:
            raise Ended(f"a call of os.{name}")

        return raised

    with _replaced(os, "_exit", leave("_exit")), _replaced(os, "abort", leave("abort")):
        yield


@contextlib.contextmanager
def _same_folder() -> Iterator[None]:
    """Whatever the code did, the current folder is afterwards what it was."""
    try:
        before = os.getcwd()
    except OSError:  # it has been removed
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.chdir(before)


@contextlib.contextmanager
def _unchanged() -> Iterator[None]:
    """The process goes on, where it was and as it was set."""
    with no_exit(), _same_folder(), same_settings():
        yield


@contextlib.contextmanager
def _in_time() -> Iterator[None]:
    """An alarm ends what does not end by itself; only the main thread can be alarmed, and nobody's own alarm is replaced."""
    if threading.current_thread() is not threading.main_thread() or signal.getitimer(signal.ITIMER_REAL)[0]:
        yield
        return

    def late(number: int, frame: FrameType | None) -> NoReturn:
        raise Ended(f"no end within {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before or signal.SIG_DFL)


@contextlib.contextmanager
def _replaced(owner: object, name: str, value: object) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)
