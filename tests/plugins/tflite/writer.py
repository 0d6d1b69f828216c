"""Writes small .tflite files by hand, for what no converter emits: tensors, operators and subgraphs as the schema has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

Array = NDArray[Any]
TYPES = {
    "float32": "FLOAT32",
    "float16": "FLOAT16",
    "int32": "INT32",
    "uint8": "UINT8",
    "int64": "INT64",
    "string": "STRING",
    "bool": "BOOL",
    "int16": "INT16",
    "int8": "INT8",
    "int4": "INT4",
    "int2": "INT2",
    "uint4": "UINT4",
    "resource": "RESOURCE",
    "complex64": "COMPLEX64",
}


@dataclass
class Sub:
    """One subgraph: ``tensor`` and ``op`` add to it and return numbers of tensors."""

    file: File
    name: str = "main"
    tensors: list[Any] = field(default_factory=list)
    operators: list[Any] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)

    def tensor(
        self,
        shape: Sequence[int],
        dtype: str = "float32",
        data: Array | bytes | None = None,
        *,
        name: str = "",
        scale: float | Sequence[float] = (),
        zero: int | Sequence[int] = (),
        axis: int = 0,
        variable: bool = False,
    ) -> int:
        """A tensor; a size of -1 is a free batch. ``data`` makes it a constant."""
        made = schema.TensorT()
        made.name = name or f"t{len(self.tensors)}"
        made.shape = [1 if size == -1 else size for size in shape]
        if -1 in shape:
            made.shapeSignature = list(shape)
        made.type = getattr(schema.TensorType, TYPES[dtype])
        made.isVariable, made.hasRank = variable, True
        if np.size(scale):
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale = np.atleast_1d(np.asarray(scale, np.float32))
            made.quantization.zeroPoint = np.atleast_1d(np.asarray(zero if np.size(zero) else [0] * np.size(scale), np.int64))
            made.quantization.quantizedDimension = axis
        made.buffer = self.file.buffer(data)
        self.tensors.append(made)
        return len(self.tensors) - 1

    def constant(self, array: Any, dtype: str = "", **more: Any) -> int:
        data = np.asarray(array)
        return self.tensor(data.shape, dtype or data.dtype.name, data, **more)

    def input(self, shape: Sequence[int], dtype: str = "float32", **more: Any) -> int:
        self.inputs.append(self.tensor(shape, dtype, name=more.pop("name", "x"), **more))
        return self.inputs[-1]

    def op(
        self, kind: str, inputs: Sequence[int], outputs: Sequence[int], options: str = "", custom: str = "", version: int = 1, **fields: Any
    ) -> list[int]:
        """An operator; ``options`` is the name of its options table without ``Options``, ``fields`` go into it."""
        made = schema.OperatorT()
        made.opcodeIndex = self.file.code(kind, custom, version)
        made.inputs, made.outputs = list(inputs), list(outputs)
        if options:
            made.builtinOptionsType = getattr(schema.BuiltinOptions, f"{options}Options")
            made.builtinOptions = getattr(schema, f"{options}OptionsT")()
            for name, value in fields.items():
                assert hasattr(made.builtinOptions, name), name
                setattr(made.builtinOptions, name, value)
        self.operators.append(made)
        return list(outputs)

    def packed(self) -> Any:
        made = schema.SubGraphT()
        made.name, made.tensors, made.operators = self.name, self.tensors, self.operators
        made.inputs, made.outputs = self.inputs, self.outputs
        return made


@dataclass
class File:
    """A model of one or more subgraphs; the first is the main one."""

    subs: list[Sub] = field(default_factory=list)
    buffers: list[Any] = field(default_factory=lambda: [schema.BufferT()])
    codes: list[Any] = field(default_factory=list)
    signatures: list[str] = field(default_factory=list)

    @classmethod
    def new(cls) -> tuple[File, Sub]:
        file = cls()
        return file, file.sub()

    def sub(self, name: str = "main") -> Sub:
        self.subs.append(Sub(self, name))
        return self.subs[-1]

    def buffer(self, data: Array | bytes | None) -> int:
        if data is None:
            return 0
        made = schema.BufferT()
        raw = data if isinstance(data, bytes) else np.ascontiguousarray(data).tobytes()
        made.data = np.frombuffer(raw, np.uint8)
        self.buffers.append(made)
        return len(self.buffers) - 1

    def code(self, kind: str | int, custom: str = "", version: int = 1) -> int:
        made = schema.OperatorCodeT()
        number = getattr(schema.BuiltinOperator, kind) if isinstance(kind, str) else kind
        made.builtinCode, made.deprecatedBuiltinCode, made.customCode, made.version = number, min(number, 127), custom or None, version
        self.codes.append(made)
        return len(self.codes) - 1

    def data(self, version: int = 3) -> bytes:
        model = schema.ModelT()
        model.version, model.operatorCodes, model.buffers = version, self.codes, self.buffers
        model.subgraphs = [sub.packed() for sub in self.subs]
        model.signatureDefs = [self._signature(number, key) for number, key in enumerate(self.signatures)]
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _signature(self, number: int, key: str) -> Any:
        made = schema.SignatureDefT()
        made.signatureKey, made.subgraphIndex, made.inputs, made.outputs = key, number, [], []
        return made

    def save(self, path: Path) -> Path:
        path.write_bytes(self.data())
        return path
