"""Tensors of an ONNX file: checked against their shape, left where their bytes lie, decoded only where they must be."""

from __future__ import annotations

import math
import mmap
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from micronet_verify.plugin import Problem, Shape, Stored, SubmissionFault, decode_varints, numpy_dtype, stored_array
from micronet_verify_onnx.external import external_range
from micronet_verify_onnx.formats import ElementType, element_type, unpack
from micronet_verify_onnx.skeleton import Extent, Skeleton

# The typed field in which each data type may be stored instead of raw_data; the narrow ones share int32_data.
_TYPED = {
    TensorProto.FLOAT: "float_data",
    TensorProto.DOUBLE: "double_data",
    TensorProto.INT64: "int64_data",
    TensorProto.UINT32: "uint64_data",
    TensorProto.UINT64: "uint64_data",
}
_ENTRIES = {"float_data": "float32", "int32_data": "int32", "int64_data": "int64", "double_data": "float64", "uint64_data": "uint64"}
_FIELDS = ("raw_data", "float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data")
_VARINT_BLOCK = 1 << 20
# A sparse tensor is charged by its zeros and non-zeros, so it is written out; this bounds the file that makes.
_DENSEST = 1 << 28


class TensorReader:
    """Reads the tensors of one skeleton. Every method raises ``SubmissionFault`` for data that contradicts its shape."""

    def __init__(self, skeleton: Skeleton) -> None:
        self._skeleton = skeleton
        self._folder = skeleton.path.parent

    def read(self, tensor: TensorProto, where: str) -> Stored:
        """A dense tensor."""
        element = element_type(tensor.data_type, where)
        shape = _shape(tensor.dims, where)
        numel = math.prod(shape)
        if tensor.HasField("segment"):
            raise SubmissionFault(Problem("a tensor in segments", "be stored in one piece", where))
        extent = self._skeleton.extent(tensor)
        given = [name for name in _FIELDS if len(getattr(tensor, name))] + ([extent.field] if extent else [])
        if tensor.data_location == TensorProto.EXTERNAL:
            if given:
                raise SubmissionFault(Problem("a tensor with external and embedded data", "have one of them", where))
            path, offset = external_range(self._folder, tensor, element.bytes_of(numel), where)
            return self._raw(shape, element, path, offset)
        if len(given) > 1:
            raise SubmissionFault(Problem(f"a tensor with {' and '.join(given)}", "hold its data once", where))
        typed = _TYPED.get(tensor.data_type, "int32_data")
        if given and given[0] not in ("raw_data", typed):
            raise SubmissionFault(Problem(f"a {element.format} tensor with {given[0]}", f"have raw_data or {typed}", where))
        field = given[0] if given else "raw_data"
        if field == "raw_data" or (extent and field in ("float_data", "double_data")):
            # A packed list of floats is the same bytes as raw data.
            held = extent.length if extent else len(tensor.raw_data)
            _check_size(held, element.bytes_of(numel), "bytes", shape, element, where)
            if extent:
                return self._raw(shape, element, self._skeleton.path.name, extent.offset)
            raw = np.frombuffer(tensor.raw_data, np.uint8)
            return Stored(shape, element.format, None, lambda: unpack(raw, numel, element).reshape(shape))
        expected = element.bytes_of(numel) if element.packed > 1 else numel
        if extent:
            return Stored(shape, element.format, None, lambda: self._varints(extent, expected, shape, element, where))
        _check_size(len(getattr(tensor, field)), expected, "elements", shape, element, where)
        entries = np.fromiter(getattr(tensor, field), _ENTRIES[field], expected)
        return Stored(shape, element.format, None, lambda: _narrowed(entries, shape, element))

    def floats(self, attribute: onnx.AttributeProto, where: str) -> Stored:
        """The ``floats`` of an attribute, as a tensor of one axis."""
        extent = self._skeleton.extent(attribute)
        if extent is None:
            values = np.array(attribute.floats, np.float32)
            return stored_array(values)
        each = 5 if extent.field.startswith("tagged") else 4
        if len(attribute.floats) or extent.length % each:
            raise SubmissionFault(Problem("a list of floats in several pieces", "be stored in one piece", where))
        shape, element = (extent.length // each,), element_type(TensorProto.FLOAT, where)
        if each == 4:
            return self._raw(shape, element, self._skeleton.path.name, extent.offset)
        rows = self._skeleton.bytes_of(extent).reshape(-1, 5)
        return Stored(shape, element.format, None, lambda: np.ascontiguousarray(rows[:, 1:]).view(np.float32).reshape(shape))

    def sparse(self, tensor: onnx.SparseTensorProto, where: str) -> Stored:
        """A sparse tensor, written out with its zeros. Indices are [n] into the flat tensor, or [n, rank]."""
        shape = _shape(tensor.dims, where)
        numel, values, indices = math.prod(shape), self.read(tensor.values, where), self.read(tensor.indices, where)
        if numel > _DENSEST:
            raise SubmissionFault(Problem(f"a sparse tensor of {numel:,} elements", f"have at most {_DENSEST:,}", where))
        fits = values.shape == (values.numel,) and indices.shape in ((values.numel,), (values.numel, len(shape)))
        if indices.format.name != "int64" or not fits:
            raise SubmissionFault(
                Problem(f"a sparse tensor with values {values.shape} and indices {indices.shape}", "have one index per value", where)
            )

        def load() -> NDArray[Any]:
            found = indices.load()
            limits = np.array(shape if found.ndim == 2 else [numel])
            if ((found < 0) | (found >= limits)).any():
                raise SubmissionFault(Problem("an index outside of a sparse tensor", f"lie within {shape}", where))
            flat = np.ravel_multi_index(tuple(found.T), shape) if found.ndim == 2 else found
            if np.unique(flat).size != flat.size:
                raise SubmissionFault(Problem("an index that occurs twice in a sparse tensor", "occur once", where))
            dense = np.zeros(numel, numpy_dtype(values.format))
            dense[flat] = values.load()
            return dense.reshape(shape)

        return Stored(shape, values.format, None, load)

    def _raw(self, shape: Shape, element: ElementType, path: str, offset: int) -> Stored:
        """Raw bytes in a file; packed elements are unpacked, others stay."""
        numel = math.prod(shape)

        def load() -> NDArray[Any]:
            size = element.bytes_of(numel)
            if not size:
                return np.zeros(shape, numpy_dtype(element.format))
            with (self._folder / path).open("rb") as handle:
                mapped = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
            return unpack(np.frombuffer(mapped, np.uint8, size, offset), numel, element).reshape(shape)

        # A truth value may be stored as any non-zero byte; numpy needs a one.
        stays = element.packed == 1 and element.format.family != "bool"
        return Stored(shape, element.format, (path, offset) if stays else None, load)

    def _varints(self, extent: Extent, expected: int, shape: Shape, element: ElementType, where: str) -> NDArray[Any]:
        """A large packed list of varints, decoded block by block."""
        raw = self._skeleton.bytes_of(extent)
        _check_size(int(np.count_nonzero(raw < 0x80)), expected, "elements", shape, element, where)
        out = np.empty(expected, _holder(element))
        start = done = 0
        try:
            while start < raw.size:
                stop = min(start + _VARINT_BLOCK, raw.size)
                while stop < raw.size and raw[stop - 1] >= 0x80:
                    stop += 1
                block = decode_varints(raw[start:stop])
                out[done : done + block.size] = block.astype(out.dtype)
                start, done = stop, done + block.size
        except ValueError as error:
            raise SubmissionFault(Problem(f"tensor data with {error}", "be protobuf integers", where)) from None
        return _narrowed(out, shape, element)


def _holder(element: ElementType) -> np.dtype[Any]:
    """The integer type that one entry of a typed field stands for: bit patterns of narrow floats, bytes of packed elements."""
    dtype = numpy_dtype(element.format)
    if element.packed > 1:
        return np.dtype(np.uint8)
    return dtype if element.format.is_integer else np.dtype(f"uint{8 * dtype.itemsize}")


def _narrowed(entries: NDArray[Any], shape: Shape, element: ElementType) -> NDArray[Any]:
    """Entries of a typed field as the tensor: float16 and float8 are stored as bit patterns, packed elements as bytes."""
    if element.format.name in ("float32", "float64"):
        return entries.astype(numpy_dtype(element.format)).reshape(shape)
    held = np.ascontiguousarray(entries.astype(_holder(element), copy=False))
    if element.format.is_integer and element.packed == 1:
        return held.reshape(shape)
    return unpack(held if held.dtype == np.uint8 else held.view(np.uint8), math.prod(shape), element).reshape(shape)


def _shape(dims: Any, where: str) -> Shape:
    shape = tuple(int(size) for size in dims)
    if min(shape, default=0) < 0 or len(shape) > 64:
        raise SubmissionFault(Problem(f"a tensor of shape {shape[:8]}", "have sizes of at least 0", where))
    return shape


def _check_size(held: int, needed: int, unit: str, shape: Shape, element: ElementType, where: str) -> None:
    if held != needed:
        raise SubmissionFault(
            Problem(f"a tensor of shape {shape} and type {element.format} with {held:,} {unit}", f"have {needed:,} {unit}", where)
        )
