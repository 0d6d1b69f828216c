"""With pytest-xdist: all cases of an entry go to one worker, so that no entry is judged twice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

# The one case of the suite with a second parameter.
RULE_CASE = "test_counting_rule"


class EntryScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out whole entries. A case's entry is read from its id, ``test_name[entry]`` or ``test_name[entry-more]``."""

    def __init__(self, config: pytest.Config, log: Any, ids: Iterable[str]) -> None:
        super().__init__(config, log)
        self._ids = escaped(ids)

    def _split_scope(self, nodeid: str) -> str:
        name, _, rest = nodeid.rpartition("::")[2].partition("[")
        parameters = rest.removesuffix("]")
        if name == RULE_CASE:
            parameters = parameters.rpartition("-")[0]
        owner = next((id for id in self._ids if parameters == id), None)
        owner = owner or next((id for id in self._ids if parameters.startswith(f"{id}-")), None)
        scope: str = owner or super()._split_scope(nodeid)
        return scope


def escaped(ids: Iterable[str]) -> list[str]:
    """Ids as pytest writes them, longest first: of the entries "a" and "a-b", the case [a-b-more] is the second's."""
    return sorted((id.encode("unicode_escape").decode("ascii") for id in ids), key=len, reverse=True)
