"""With pytest-xdist: all cases of an entry go to one worker, so that no entry is judged twice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]


class EntryScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out whole entries. A case's entry is read from its id, ``test_name[entry]`` or ``test_name[entry-more]``."""

    def __init__(self, config: pytest.Config, log: Any, ids: Iterable[str]) -> None:
        super().__init__(config, log)
        # Longest first: of the entries "a" and "a-b", the case [a-b-S3] belongs to the second. pytest escapes ids like this.
        self._ids = sorted((id.encode("unicode_escape").decode("ascii") for id in ids), key=len, reverse=True)

    def _split_scope(self, nodeid: str) -> str:
        parameters = nodeid.partition("[")[2].removesuffix("]")
        owner = next((id for id in self._ids if parameters == id or parameters.startswith(f"{id}-")), None)
        scope: str = super()._split_scope(nodeid) if owner is None else owner
        return scope
