"""What belongs to the whole process and a stranger's code may change: kept, and put back afterwards."""

from __future__ import annotations

import contextlib
import decimal
import os
import signal
import sys
import threading
from collections.abc import Iterator

import numpy as np


@contextlib.contextmanager
def same_settings() -> Iterator[None]:
    """Whatever the block does: environment, umask, depth of recursion, errors of numpy and decimal, and handlers of signals stay."""
    environment, depth, decimals = dict(os.environ), sys.getrecursionlimit(), decimal.getcontext().copy()
    mask = os.umask(0o077)
    os.umask(mask)
    main = threading.current_thread() is threading.main_thread()
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()} if main else {}
    try:
        with np.errstate():
            yield
    finally:
        os.umask(mask)
        sys.setrecursionlimit(depth)
        decimal.setcontext(decimals)
        if dict(os.environ) != environment:
            os.environ.clear()
            os.environ.update(environment)
        for number, handler in handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
