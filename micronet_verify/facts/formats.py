"""Numeric formats: how many bits a value has, and what kind of number they spell.

The *family* decides rules that the width alone cannot: a sign that stands alone in its own bit (rule O3) exists in
floats, not in two's complement.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np

Family = Literal["float", "int", "uint", "bool"]

_FLOATS = {
    "float64": 64,
    "float32": 32,
    "float16": 16,
    "bfloat16": 16,
    "float8_e4m3fn": 8,
    "float8_e4m3fnuz": 8,
    "float8_e5m2": 8,
    "float8_e5m2fnuz": 8,
    "float8_e8m0fnu": 8,
    "float4_e2m1fn": 4,
}
_INTEGER = re.compile(r"(u?)int([1-9][0-9]?)")
_NATIVE = {"float64", "float32", "float16", "bool"}


@dataclass(frozen=True, slots=True)
class NumericFormat:
    """A number's spelling: ``name`` (``float32``, ``int4`` …), ``family`` and ``bits``."""

    name: str
    family: Family
    bits: int

    @property
    def stand_alone_sign(self) -> bool:
        """Whether flipping the sign flips one bit and nothing else (IEEE floats; rule O3)."""
        return self.family == "float" and self.name != "float8_e8m0fnu"

    @property
    def is_integer(self) -> bool:
        return self.family in ("int", "uint")

    def __str__(self) -> str:
        return self.name


@cache
def numeric_format(name: str) -> NumericFormat:
    """The format called ``name``: the closed list of floats, ``bool``, and ``int<b>``/``uint<b>`` for 1 ≤ b ≤ 64.

    Raises ``ValueError`` for any other name.
    """
    if name in _FLOATS:
        return NumericFormat(name, "float", _FLOATS[name])
    if name == "bool":
        return NumericFormat(name, "bool", 1)
    match = _INTEGER.fullmatch(name)
    if match is None or int(match[2]) > 64:
        raise ValueError(f"got the number format {name!r} but should be a float format, bool, int<bits> or uint<bits>")
    return NumericFormat(name, "uint" if match[1] else "int", int(match[2]))


@cache
def numpy_dtype(fmt: NumericFormat) -> np.dtype[Any]:
    """The numpy dtype in which the bytes of a tensor of this format are held.

    Integers of other widths than 8, 16, 32, 64 are held one to an element in the next wider numpy integer: packing is
    a plugin's business, the charged width is the format's.
    """
    if fmt.name in _NATIVE:
        return np.dtype(fmt.name)
    if fmt.is_integer:
        held = next(width for width in (8, 16, 32, 64) if width >= fmt.bits)
        return np.dtype(f"{fmt.family}{held}")
    import ml_dtypes  # bfloat16 and the 8- and 4-bit floats; only entries that use them pay for the import

    dtype: np.dtype[Any] = np.dtype(getattr(ml_dtypes, fmt.name))
    return dtype


FLOAT64 = numeric_format("float64")
FLOAT32 = numeric_format("float32")
FLOAT16 = numeric_format("float16")
INT64 = numeric_format("int64")
INT32 = numeric_format("int32")
BOOL = numeric_format("bool")
