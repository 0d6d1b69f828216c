"""Where a run keeps its judge, so that fixtures find it."""

from __future__ import annotations

from typing import Protocol

import pytest

from micronet_verify.suite.judging import Judge


class Judging(Protocol):
    """What a run keeps: the judge of its entries, made when it is first asked for."""

    @property
    def judge(self) -> Judge: ...


CASES = pytest.StashKey[Judging]()
