"""Numbers of the program (rule S2): each different one is stored once per model, compared and measured by its own bits."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from micronet_verify.analysis.tensors.constants import Constant
from micronet_verify.analysis.tensors.grid import width_of_scales
from micronet_verify.facts.formats import FLOAT32, NumericFormat

Key = int | float | tuple[str, int]
# 0 and ±1 belong to the arithmetic itself; an infinity says nothing that a sign does not.
FREE = frozenset({0.0, 1.0, -1.0, math.inf, -math.inf})


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number, with the name of its first use: ``bits`` as it is stored, ``freebie_bits`` under the freebie (S5)."""

    key: Key
    label: str
    bits: int
    freebie_bits: int

    @property
    def shown(self) -> str:
        return f"{self.key:.6g}" if isinstance(self.key, int | float) else "NaN"


def scalar(number: float, label: str, fmt: NumericFormat = FLOAT32) -> Scalar | None:
    """A number that stands in an operator, as ``fmt`` holds it; ``None`` for those that are free."""
    if fmt.bits <= 32:
        with np.errstate(over="ignore"):
            rounded = float(np.float32(number))
        # Beyond fp32 it is what the program says.
        number = rounded if math.isfinite(rounded) or not math.isfinite(number) else number
    return _measured(number, label, fmt)


def scalar_of(constant: Constant) -> Scalar | None:
    """A constant of one value, by its bits; ``None`` for those that are free."""
    fmt, array = constant.format, np.asarray(constant.load()).reshape(-1)
    if fmt.is_integer or fmt.family == "bool":
        return _measured(int(array[0]), constant.label, fmt)
    number = float(constant.number)
    if math.isnan(number):
        plain = np.array([np.nan], array.dtype)
        bits = int(array.view(f"u{array.dtype.itemsize}")[0])
        sign = 1 << (8 * array.dtype.itemsize - 1)
        if bits | sign == int(plain.view(f"u{array.dtype.itemsize}")[0]) | sign:
            return None  # the one NaN that arithmetic makes; others carry numbers
        return Scalar((fmt.name, bits), constant.label, fmt.bits, max(16, fmt.bits) if fmt.bits > 32 else 16)
    return _measured(number, constant.label, fmt)


def offset_of(constant: Constant, codes: int = 64) -> Scalar | None:
    """A zero point of one value: of b bits, and the same number for signed codes and for unsigned ones, which are 2^(b−1) more.

    ``None`` where there is none: 0, of either. ``codes``: bits of the codes, which may lie in a wider container.
    """
    number, bits = int(np.asarray(constant.load()).reshape(-1)[0]), constant.format.bits
    if constant.format.family == "uint":
        number -= 1 << (bits - 1)
    return None if no_offset(constant) else Scalar(number, constant.label, min(bits, codes, _width(number, constant.format)), 16)


def no_offset(constant: Constant) -> bool:
    """Whether zero points are none: codes that count from zero, or from the middle of their range."""
    data, fmt = np.asarray(constant.load()), constant.format
    if not fmt.is_integer or fmt.bits > 16:
        return not np.any(data)
    middle = 1 << (fmt.bits - 1)
    return any(bool(np.all(data == none)) for none in ((0, middle) if fmt.family == "uint" else (0, -middle)))


def _measured(number: int | float, label: str, fmt: NumericFormat) -> Scalar | None:
    if number in FREE:
        return None
    bits = _width(number, fmt)
    return Scalar(number, label, bits, 64 if bits == 64 else 16)


def _width(number: int | float, fmt: NumericFormat) -> int:
    if isinstance(number, int):
        wide = 32 if -(2**31) <= number < 2**32 else 64
        exact = abs(number) <= 2**53
        return min(fmt.bits, wide, width_of_scales(np.array([number])) if exact else 64)
    return min(fmt.bits, width_of_scales(np.array([number])))
