"""One operator of a file, as a plugin hands it to the walk."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from micronet_verify.framework.translation.table import Line, Refusal, Unknown


@dataclass(frozen=True, slots=True)
class Step:
    """``name`` is the operator's, as sentences call it; ``place`` where it stands; ``line`` its line of the op table.

    ``operands`` and ``results`` are names of the file, ``None`` where one is left out. ``label`` names a branch within its body.
    ``node`` is the plugin's own, for attributes. ``source`` is what explanations call the operator (absent: its name).
    """

    name: str
    place: str
    line: Line[Any] | Refusal | Unknown
    operands: tuple[Hashable | None, ...]
    results: tuple[Hashable | None, ...]
    node: Any = None
    label: str = ""
    source: str = ""
