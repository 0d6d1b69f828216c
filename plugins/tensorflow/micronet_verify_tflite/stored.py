"""Constants of a TFLite file: checked against their shape, left where their bytes lie, decoded only where they must be."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.plugin import NumericFormat, Problem, Stored, SubmissionFault, numeric_format, numpy_dtype
from micronet_verify_tflite.model import Model, Tensor
from micronet_verify_tflite.schema import OTHER_TYPES, TYPES
from micronet_verify_tflite.sparse import dense

Array = NDArray[Any]
# Formats of which several elements share a byte, the lowest bits first.
_PACKED = {"int4": 2, "uint4": 2, "int2": 4}


def format_of(tensor: Tensor) -> NumericFormat:
    """The format of a tensor's elements. Raises ``SubmissionFault`` for strings, complex numbers, resources and unknown types."""
    if tensor.type in TYPES:
        return numeric_format(TYPES[tensor.type])
    name = OTHER_TYPES.get(tensor.type, f"number {tensor.type}")
    raise SubmissionFault(Problem(f"a tensor of type {name}", "be of a float, integer or bool type", f"tensor {tensor.name!r}"))


def stored(model: Model, tensor: Tensor) -> Stored:
    """The constant ``tensor``. Raises ``SubmissionFault`` for bytes that contradict its shape."""
    assert tensor.data is not None
    fmt, where = format_of(tensor), f"tensor {tensor.name!r}"
    if min(tensor.shape, default=1) < 0:
        raise SubmissionFault(Problem(f"a constant of shape {tensor.shape}", "have sizes of at least 0", where))
    if tensor.sparsity is not None:
        return _sparse(model, tensor, fmt, where)
    offset, held = tensor.data
    needed = _bytes(math.prod(tensor.shape), fmt)
    if held != needed:
        got = f"a tensor of shape {tensor.shape} and type {fmt} with {held:,} bytes"
        raise SubmissionFault(Problem(got, f"have {needed:,} bytes", where))

    def load() -> Array:
        return _unpacked(np.frombuffer(model.data, np.uint8, held, offset), math.prod(tensor.shape), fmt).reshape(tensor.shape)

    # A truth value may be stored as any non-zero byte; numpy needs a one.
    stays = fmt.name not in _PACKED and fmt.family != "bool"
    return Stored(tensor.shape, fmt, (model.name, offset) if stays else None, load)


def _sparse(model: Model, tensor: Tensor, fmt: NumericFormat, where: str) -> Stored:
    """A tensor of which the file holds the non-zeros alone (``Tensor.sparsity``), written out with its zeros."""
    assert tensor.data is not None
    assert tensor.sparsity is not None
    offset, held = tensor.data
    per_byte = _PACKED.get(fmt.name, 1)
    values = _unpacked(np.frombuffer(model.data, np.uint8, held - held % numpy_dtype(fmt).itemsize, offset), held * per_byte, fmt)
    found = dense(tensor.shape, tensor.sparsity, values, where)
    return Stored(tensor.shape, fmt, None, lambda: found)


def _bytes(count: int, fmt: NumericFormat) -> int:
    return -(-count // _PACKED[fmt.name]) if fmt.name in _PACKED else count * numpy_dtype(fmt).itemsize


def _unpacked(raw: NDArray[np.uint8], count: int, fmt: NumericFormat) -> Array:
    if fmt.family == "bool":
        return np.asarray(raw != 0)
    if fmt.name not in _PACKED:
        return raw.view(numpy_dtype(fmt))
    bits = 8 // _PACKED[fmt.name]
    pieces = [(raw >> (bits * index)) & ((1 << bits) - 1) for index in range(8 // bits)]
    codes = np.stack(pieces, axis=-1).reshape(-1)[:count]
    if fmt.family == "uint":
        return codes
    sign = 1 << (bits - 1)
    return np.asarray((codes ^ sign).astype(np.int8) - np.int8(sign))
