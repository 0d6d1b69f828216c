"""How the kernel that runs an operator rounds numbers to codes, where that is not to the nearest even code."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

AWAY: Mapping[str, Any] = MappingProxyType({"rounding": "away"})
ON_CODES: Mapping[str, Any] = MappingProxyType({"rounding": "away", "zero_first": True})

ROUNDINGS: Mapping[str, Mapping[str, Any]] = MappingProxyType({"AVERAGE_POOL_2D": ON_CODES})
