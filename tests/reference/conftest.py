"""Session fixture of the reference networks: each is built, exported to both formats and counted once per run."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache

import pytest

pytest.register_assert_rewrite("tests.reference.counts")

from tests.reference.counts import Counts, counts_of  # noqa: E402, after it is registered


@pytest.fixture(scope="session")
def counts(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Counts]:
    """Counts by the network's name; workers of pytest-xdist share them."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    return cache(lambda name: counts_of(name, shared))
