"""Blocks are read ahead when they are asked for in order, and come out the same whatever is asked for."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable

import pytest

from micronet_verify.sandbox.prefetch import ReadAhead


class Reading:
    """Notes what is read and on which thread; block (2, 4) waits for ``go``."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []
        self.beside: set[tuple[int, int]] = set()
        self.go, self.begun = threading.Event(), threading.Event()

    def __call__(self, start: int, end: int) -> list[int]:
        self.seen.append((start, end))
        if threading.current_thread() is not threading.main_thread():
            self.beside.add((start, end))
        if (start, end) == (2, 4):
            self.begun.set()
            assert self.go.wait(60)
        return list(range(start, end))


@pytest.fixture
def reading() -> Reading:
    return Reading()


def test_the_next_block_is_read_while_one_is_used(reading: Reading) -> None:
    ahead = ReadAhead(reading, 7)
    assert ahead.block(0, 2) == [0, 1]  # comes although the next one is not finished
    assert reading.begun.wait(60)
    reading.go.set()
    assert [ahead.block(start, min(start + 2, 7)) for start in (2, 4, 6)] == [[2, 3], [4, 5], [6]]
    assert reading.seen == [(0, 2), (2, 4), (4, 6), (6, 7)]
    assert reading.beside == {(2, 4), (4, 6), (6, 7)}


def test_never_more_than_one_block_ahead(reading: Reading) -> None:
    reading.go.set()
    ahead = ReadAhead(reading, 100)
    for start in range(0, 20, 2):
        ahead.block(start, start + 2)
        assert len(reading.seen) <= start // 2 + 2


def test_out_of_order_nothing_is_read_ahead(reading: Reading) -> None:
    ahead = ReadAhead(reading, 100)
    assert [ahead.block(start, start + 3) for start in (50, 9, 30)] == [[50, 51, 52], [9, 10, 11], [30, 31, 32]]
    assert ahead.block(33, 33) == []
    assert reading.seen == [(50, 53), (9, 12), (30, 33), (33, 33)]


def test_another_block_than_the_next_is_the_right_one(reading: Reading) -> None:
    reading.go.set()
    ahead = ReadAhead(reading, 100)
    assert ahead.block(0, 2) == [0, 1]
    assert ahead.block(1, 4) == [1, 2, 3]
    assert ahead.block(2, 4) == [2, 3]
    assert ahead.block(4, 9) == [4, 5, 6, 7, 8]


def test_what_reading_raises_is_raised_where_the_block_is_asked_for() -> None:
    def short(start: int, end: int) -> int:
        if end > 4:
            raise EOFError("inputs that are shorter than their header says")
        return start

    ahead = ReadAhead(short, 10)
    assert [ahead.block(0, 2), ahead.block(2, 4)] == [0, 2]
    for _ in range(2):  # asked again, it is read again
        with pytest.raises(EOFError, match="shorter"):
            ahead.block(4, 6)


def test_one_who_stops_early_leaves_no_thread() -> None:
    def threads() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")}

    before = threads()
    ahead: ReadAhead[list[int]] = ReadAhead(lambda start, end: list(range(start, end)), 1000)
    ahead.block(0, 10)
    (own,) = threads() - before
    del ahead
    gc.collect()
    own.join(60)
    assert not own.is_alive()


def test_two_readers_do_not_wait_for_each_other(reading: Reading) -> None:
    first: Callable[[int, int], list[int]] = ReadAhead(reading, 10).block
    assert first(0, 2) == [0, 1]  # its next block waits
    other = ReadAhead(lambda start, end: start, 10)
    assert [other.block(start, start + 2) for start in (0, 2, 4)] == [0, 2, 4]
    reading.go.set()
