"""Memory that is freed stays with the process."""

from __future__ import annotations

import ctypes

# From malloc.h of the GNU C library.
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4


def keep_freed_memory() -> None:
    """Have large tensors allocated from what earlier ones left, instead of from the kernel, page by page.

    glibc maps a large block anew each time and gives it back when it is freed: every page of every activation is then cleared by
    the kernel before it is written, which takes longer than most layers. Other C libraries have no such switch; nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, -1)
