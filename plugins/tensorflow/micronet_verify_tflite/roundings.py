"""How the kernel that runs an operator rounds numbers to codes, where that is not half to even.

Products (convolutions, matrices, MUL) run in XNNPACK, which multiplies the sum by a float32 scale and rounds half to even. Kernels that it
does not take, or that compute on the codes themselves, round half away from zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_AWAY: Mapping[str, Any] = MappingProxyType({"rounding": "away"})
# The zero point is part of what is rounded: −1½ around a zero point of 2 is ½, and becomes 1.
_ON_CODES: Mapping[str, Any] = MappingProxyType({"rounding": "away", "zero_first": True})

ROUNDINGS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "ADD": _AWAY,
        "AVERAGE_POOL_2D": _ON_CODES,
        "MEAN": _AWAY,
        "PRELU": _ON_CODES,
        "RESIZE_BILINEAR": _ON_CODES,
        "SUB": _AWAY,
    }
)
"""Attributes of the quantize node behind an operator, by its name."""
