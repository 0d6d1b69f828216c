"""TensorFlow's data types as numeric formats. Numbers are those of ``types.proto``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from micronet_verify.plugin import NumericFormat, Problem, SubmissionFault, numeric_format

STRING, RESOURCE, VARIANT = 7, 20, 21

_NAMES: Mapping[int, str] = MappingProxyType(
    {
        1: "float32",
        2: "float64",
        3: "int32",
        4: "uint8",
        5: "int16",
        6: "int8",
        9: "int64",
        10: "bool",
        14: "bfloat16",
        17: "uint16",
        19: "float16",
        22: "uint32",
        23: "uint64",
        24: "float8_e5m2",
        25: "float8_e4m3fn",
    }
)
_OTHERS = {0: "undefined", STRING: "string", 8: "complex64", 18: "complex128", RESOURCE: "resource", VARIANT: "variant"}


def data_type(number: int, where: str) -> NumericFormat:
    """The format of a ``DataType``; a reference to one (numbers above 100) is the same. Raises ``SubmissionFault`` for others."""
    number = number - 100 if number > 100 else number
    if number not in _NAMES:
        name = _OTHERS.get(number, f"number {number}")
        raise SubmissionFault(Problem(f"a tensor of type {name}", f"be one of {', '.join(_NAMES.values())}", where))
    return numeric_format(_NAMES[number])


def number_of(name: str) -> int:
    """The ``DataType`` of a format."""
    return next(number for number, known in _NAMES.items() if known == name)
