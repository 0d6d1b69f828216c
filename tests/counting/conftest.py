"""Every graph that is counted here is also run: before the passes, after each of them, and as it is priced."""

from __future__ import annotations

import pytest

from tests.executing import watch_counts


@pytest.fixture(autouse=True)
def _passes_keep_values(monkeypatch: pytest.MonkeyPatch) -> None:
    watch_counts(monkeypatch, most=3)
