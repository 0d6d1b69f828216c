"""The measured process: ``python -m benchmarks.child SPEC ANSWER`` prepares one task, measures its work and writes a sample."""

from __future__ import annotations

import gc
import importlib
import json
import re
import resource
import sys
import time
from pathlib import Path

from benchmarks.harness import cpu_seconds

_STATUS = Path("/proc/self/status")
_KB = 1024


def main(spec: str, answer: str) -> None:
    task = json.loads(spec)
    module, _, function = task["target"].partition(":")
    work = getattr(importlib.import_module(module), function)(**task["arguments"])
    gc.collect()
    before = start_of_peak()
    start, busy = time.perf_counter(), cpu_seconds()
    figures = work()
    seconds, cpu = time.perf_counter() - start, cpu_seconds() - busy
    sample = {"seconds": seconds, "cpu": cpu, "peak": max(0, peak() - before), "figures": figures or {}}
    Path(answer).write_text(json.dumps(sample), encoding="utf-8")


def start_of_peak() -> int:
    """Bytes resident now; where the kernel allows, the high-water mark starts anew from here."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        return _resident("VmRSS")
    except OSError:  # the mark then covers the preparation too, and only what goes beyond it is seen
        return peak()


def peak() -> int:
    """The high-water mark of resident memory in bytes, pages of mapped files included."""
    try:
        return _resident("VmHWM")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KB


def _resident(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", _STATUS.read_text(encoding="ascii"), re.MULTILINE)
    if found is None:
        raise OSError(name)
    return int(found[1]) * _KB


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
