"""ONNX element types as numeric formats, and how the bytes of each are packed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from micronet_verify.plugin import NumericFormat, Problem, SubmissionFault, numeric_format, numpy_dtype

_NAMES = {
    TensorProto.FLOAT: "float32",
    TensorProto.UINT8: "uint8",
    TensorProto.INT8: "int8",
    TensorProto.UINT16: "uint16",
    TensorProto.INT16: "int16",
    TensorProto.INT32: "int32",
    TensorProto.INT64: "int64",
    TensorProto.BOOL: "bool",
    TensorProto.FLOAT16: "float16",
    TensorProto.DOUBLE: "float64",
    TensorProto.UINT32: "uint32",
    TensorProto.UINT64: "uint64",
    TensorProto.BFLOAT16: "bfloat16",
    TensorProto.FLOAT8E4M3FN: "float8_e4m3fn",
    TensorProto.FLOAT8E4M3FNUZ: "float8_e4m3fnuz",
    TensorProto.FLOAT8E5M2: "float8_e5m2",
    TensorProto.FLOAT8E5M2FNUZ: "float8_e5m2fnuz",
    TensorProto.UINT4: "uint4",
    TensorProto.INT4: "int4",
    TensorProto.FLOAT4E2M1: "float4_e2m1fn",
    TensorProto.FLOAT8E8M0: "float8_e8m0fnu",
    TensorProto.UINT2: "uint2",
    TensorProto.INT2: "int2",
}
_OTHERS = {
    TensorProto.UNDEFINED: "undefined",
    TensorProto.STRING: "string",
    TensorProto.COMPLEX64: "complex64",
    TensorProto.COMPLEX128: "complex128",
}


@dataclass(frozen=True, slots=True)
class ElementType:
    """``format`` is what is charged; ``packed`` is how many elements share one byte (1: none do)."""

    format: NumericFormat
    packed: int

    def bytes_of(self, numel: int) -> int:
        """Bytes of the raw form of ``numel`` elements."""
        return -(-numel // self.packed) if self.packed > 1 else numel * numpy_dtype(self.format).itemsize


ELEMENTS: Mapping[int, ElementType] = MappingProxyType(
    {
        code: ElementType(numeric_format(name), max(1, 8 // numeric_format(name).bits) if name != "bool" else 1)
        for code, name in _NAMES.items()
    }
)


def element_type(code: int, where: str) -> ElementType:
    """The element type of an ONNX data type number. Raises ``SubmissionFault`` for strings, complex and unknown numbers."""
    if code in ELEMENTS:
        return ELEMENTS[code]
    name = _OTHERS.get(code, f"number {code}")
    raise SubmissionFault(Problem(f"a tensor of data type {name}", "be of a float, integer or bool type", where))


def unpack(raw: NDArray[np.uint8], numel: int, element: ElementType) -> NDArray[Any]:
    """``numel`` values of the raw form, one to an element of the format's numpy dtype; the lowest bits come first."""
    dtype = numpy_dtype(element.format)
    if element.format.family == "bool":
        return np.asarray(raw != 0)
    if element.packed == 1:
        return raw.view(dtype)
    bits = 8 // element.packed
    pieces = [(raw >> (bits * index)) & ((1 << bits) - 1) for index in range(element.packed)]
    codes = np.stack(pieces, axis=-1).reshape(-1)[:numel]
    if element.format.family == "int":
        sign = 1 << (bits - 1)
        return ((codes ^ sign).astype(np.int8) - np.int8(sign)).astype(np.int8)
    return codes.view(dtype)
