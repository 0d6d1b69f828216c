"""Reads ahead: while a model works on one batch, the next is read and scaled on a thread beside it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class ReadAhead(Generic[T]):
    """Blocks ``[start, end)`` of ``length`` examples as ``read`` gives them, in whatever order they are asked for.

    Where they are asked for in order, the next of the same size is begun when one is handed over: one block is in use, one
    is ready or in work, never more. What ``read`` raises is raised when that block is asked for. Nothing has to be closed:
    a block that nobody asks for any more is finished and dropped, and the thread ends with the last reference to this.
    """

    def __init__(self, read: Callable[[int, int], T], length: int) -> None:
        self._read, self._length = read, length
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")
        self._ahead: tuple[int, int, Future[T]] | None = None
        self._end = 0

    def block(self, start: int, end: int) -> T:
        """The block ``[start, end)``; 0 ≤ start ≤ end ≤ length."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[:2] == (start, end):
            found = ahead[2].result()
        else:
            if ahead is not None:
                ahead[2].cancel()
            found = self._read(start, end)
        if start == self._end and start < end < self._length:
            following = min(2 * end - start, self._length)
            self._ahead = end, following, self._pool.submit(self._read, end, following)
        self._end = end
        return found
