"""The processes of one step: who they are, what memory they hold, and how they all end.

A step is known by a token in the environment of its processes, by its session, and by descent. A process that sheds
all three at once between two looks can escape; a pid namespace (the bubblewrap launcher) closes that.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from pathlib import Path

import psutil

from micronet_verify.errors import BenchFault, Problem

TOKEN = "MICRONET_STEP"
_KILL_SECONDS = 10.0
_HELD = re.compile(rb"^(?:RssAnon|RssShmem):\s*(\d+) kB", re.MULTILINE)


class StepProcesses:
    """The processes that descend from ``root`` (a process id, leader of its own session) or carry ``token``."""

    def __init__(self, root: int, token: str) -> None:
        self.root = root
        self._token = token
        self._seen: dict[int, psutil.Process] = {}

    def look(self) -> list[psutil.Process]:
        """All living processes of the step. One pass over the process table."""
        parents: dict[int, int] = {}
        table: dict[int, psutil.Process] = {}
        for pid in psutil.pids():  # not process_iter: its cache is shared by all threads
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(pid)
                parents[pid], table[pid] = process.ppid(), process
        mine = {pid for pid, process in table.items() if pid == self.root or self._seen.get(pid) == process or self._marked(process)}
        grown = True
        while grown:
            children = {pid for pid, parent in parents.items() if parent in mine and pid not in mine}
            mine |= children
            grown = bool(children)
        self._seen = {pid: table[pid] for pid in mine}
        return [process for process in self._seen.values() if _alive(process)]

    def memory(self) -> int:
        """Bytes that the processes of the last look hold together: their own and shared memory, not pages of mapped files."""
        return sum(_held(pid) for pid in {self.root, *self._seen})

    def kill(self) -> None:
        """End them all. Raises ``BenchFault`` if some still live after ten seconds."""
        deadline = time.monotonic() + _KILL_SECONDS
        while True:
            # The leader has not been waited for, so its id, and its group's, are not another's.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.root, signal.SIGKILL)
            living = self.look()
            for process in living:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            if not living:
                return
            if time.monotonic() > deadline:
                pids = ", ".join(str(process.pid) for process in living)
                raise BenchFault(Problem(f"processes that do not end when killed ({pids})", "end", advice="end them by hand"))
            time.sleep(0.01)

    def _marked(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error, OSError):
            return process.environ().get(TOKEN) == self._token or os.getsid(process.pid) == self.root
        return False


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD))
    except psutil.Error:
        return False


def _held(pid: int) -> int:
    # Pages of mapped files (inputs, weights) are not counted: the kernel takes them back when it needs them.
    try:
        return 1024 * sum(int(kilobytes) for kilobytes in _HELD.findall(Path(f"/proc/{pid}/status").read_bytes()))
    except OSError:
        pass
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0
