"""Numbers of torch.export's schema (``ScalarType``) as numeric formats, and torch's rules of type promotion."""

from __future__ import annotations

from collections.abc import Sequence

from micronet_verify.plugin import BOOL, FLOAT32, INT64, NumericFormat, Value, numeric_format, numpy_dtype

STRIDED = 7
"""torch._export.serde.schema.Layout of a dense tensor."""
# torch._export.serde.schema.ScalarType; complex numbers (9, 10, 11) are left out: nothing prices them.
SCALAR_TYPES: dict[int, NumericFormat] = {
    number: numeric_format(name)
    for number, name in {
        1: "uint8",
        2: "int8",
        3: "int16",
        4: "int32",
        5: "int64",
        6: "float16",
        7: "float32",
        8: "float64",
        12: "bool",
        13: "bfloat16",
        28: "uint16",
        29: "float8_e4m3fn",
        30: "float8_e5m2",
        31: "float8_e4m3fnuz",
        32: "float8_e5m2fnuz",
        33: "float8_e8m0fnu",
        34: "uint32",
        35: "uint64",
    }.items()
}

Factor = Value | bool | int | float
"""A tensor or a number in arithmetic."""


def container(fmt: NumericFormat) -> NumericFormat:
    """The format in which torch holds ``fmt``: int4 values lie in int8."""
    return numeric_format(numpy_dtype(fmt).name) if fmt.is_integer else fmt


def promote(operands: Sequence[Factor]) -> NumericFormat:
    """The result type of arithmetic on ``operands`` (torch.result_type).

    Tensors with axes decide first, then tensors without, then Python numbers; a later group counts only if it is of a
    higher category (bool < integer < float).
    """
    groups: list[list[NumericFormat]] = [[], [], []]
    for operand in operands:
        if isinstance(operand, Value):
            groups[0 if operand.shape else 1].append(container(operand.format))
        else:
            groups[2].append(number_format(operand))
    result: NumericFormat | None = None
    for group in groups:
        for fmt in group[1:]:
            group[0] = promote_formats(group[0], fmt)
        if group:
            result = group[0] if result is None else _combine(result, group[0])
    return result or FLOAT32


def number_format(number: bool | int | float) -> NumericFormat:
    """The format of a Python number: torch's default types."""
    if isinstance(number, bool):
        return BOOL
    return INT64 if isinstance(number, int) else FLOAT32


def promote_formats(a: NumericFormat, b: NumericFormat) -> NumericFormat:
    """torch.promote_types."""
    if a == b or b.family == "bool":
        return a
    if a.family == "bool":
        return b
    floats = [fmt for fmt in (a, b) if fmt.family == "float"]
    if len(floats) == 1:
        return floats[0]
    if floats:
        return FLOAT32 if a.bits == b.bits else max(a, b, key=lambda fmt: fmt.bits)
    if a.family == b.family:
        return max(a, b, key=lambda fmt: fmt.bits)
    unsigned, signed = (a, b) if a.family == "uint" else (b, a)
    return signed if signed.bits > unsigned.bits else numeric_format(f"int{min(64, 2 * unsigned.bits)}")


def as_float(fmt: NumericFormat) -> NumericFormat:
    """What a function of real numbers makes of ``fmt``: integers and bools become float32."""
    return fmt if fmt.family == "float" else FLOAT32


def as_sum(fmt: NumericFormat) -> NumericFormat:
    """What a sum makes of ``fmt``: integers and bools become int64."""
    return fmt if fmt.family == "float" else INT64


def integer_format(low: int, high: int) -> NumericFormat:
    """The narrowest integer format that holds ``low`` to ``high``."""
    if low >= 0:
        return numeric_format(f"uint{max(1, high.bit_length())}")
    return numeric_format(f"int{max((-low - 1).bit_length(), max(high, 0).bit_length()) + 1}")


def _combine(higher: NumericFormat, lower: NumericFormat) -> NumericFormat:
    if higher.family == "float":
        return higher
    if higher.family == "bool" or lower.family == "float":
        return promote_formats(higher, lower)
    return higher
