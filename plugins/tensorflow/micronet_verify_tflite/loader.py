"""The loader: runs a ``.tflite`` file with the interpreter of ai-edge-litert on the CPU; no TensorFlow is needed.

The judge feeds floats. A model whose input is quantized gets them through its own scale and zero point, as a QUANTIZE operator
would do it, and a quantized output comes back as numbers; the counted graph has the same quantize and dequantize nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.plugin import Answer, ExportRequest, Line, PredictRequest, Problem, SubmissionFault, answers
from micronet_verify_tflite.hybrid import has_hybrid_layers
from micronet_verify_tflite.model import Model, Tensor
from micronet_verify_tflite.op_table import TABLE
from micronet_verify_tflite.records import branch_records
from micronet_verify_tflite.session import Session
from micronet_verify_tflite.stored import format_of
from micronet_verify_tflite.translate import declared_shape

Array = NDArray[Any]
_INPUT_TYPES = ("float32", "float16", "float64", "int64", "int32", "int8", "uint8", "int16")
_OUTPUT_TYPES = ("float32", "float16", "float64")


class TfliteLoader:
    def export(self, request: ExportRequest) -> str:
        """TFLite entries hand in the file: raises ``SubmissionFault``."""
        raise SubmissionFault(Problem("a TFLite entry in source form", "hand in the .tflite file itself", request.entry_point))

    def predict(self, request: PredictRequest) -> Iterator[Answer]:
        """The model's first output for ``inputs`` [examples, …], batch by batch, as float32 or float64.

        A model of fixed batch 1 is fed one example at a time, and so is one with branches that the data decides, whose answer
        says which subgraph each example took. The state of recurrent layers is zero before each call. Raises
        ``SubmissionFault`` where the model does not load, does not accept the inputs, fails on them, or answers with no floats.
        """
        model = Model(request.artifact)
        _check_operators(model)
        shape, quantizer = _input(model, request.inputs)
        result = _output(model)
        records = branch_records(model)
        session = Session(request.artifact, request.threads, preserve=bool(records), built_in=has_hybrid_layers(model))

        def ask(batch: Array) -> tuple[Array, Sequence[int]]:
            run = session.run(quantizer(batch), records)
            return result(run.output), run.taken

        return answers(request.inputs, request.batch_size, ask, [record.name for record in records], one_by_one=shape[0] == 1)


def _check_operators(model: Model) -> None:
    """Only operators that the counter prices are run: the others draw random numbers, keep state or read what is not theirs."""
    foreign = sorted(kind for kind in model.operators if not isinstance(TABLE.get(kind), Line))
    if foreign:
        raise SubmissionFault(Problem(f"a model with {', '.join(foreign)}", "have operators that the counter prices", model.name))


class Quantizer:
    """Numbers as an input tensor takes them: cast, or quantized by its scale and zero point (round half away from zero)."""

    def __init__(self, tensor: Tensor) -> None:
        fmt, found = format_of(tensor), tensor.quantization
        self._dtype = np.dtype(fmt.name)
        self._scale = None if found is None or not fmt.is_integer or fmt.bits > 16 else np.float32(found.scale[0])
        self._zero = 0 if found is None or not found.zero.size else int(found.zero[0])

    @property
    def floats(self) -> bool:
        """Whether the tensor stands for floats."""
        return self._scale is not None or self._dtype.kind == "f"

    def __call__(self, batch: Array) -> Array:
        if self._scale is None:
            return batch if batch.dtype == self._dtype else batch.astype(self._dtype)
        scaled = batch.astype(np.float32) / self._scale
        whole = np.trunc(scaled)
        codes = whole + np.where(np.abs(scaled - whole) >= 0.5, np.sign(scaled), np.float32(0)) + self._zero
        limits = np.iinfo(self._dtype)
        return np.asarray(np.clip(codes, limits.min, limits.max).astype(self._dtype))


class Dequantizer:
    """An output tensor as numbers."""

    def __init__(self, tensor: Tensor, name: str) -> None:
        fmt, found = format_of(tensor), tensor.quantization
        quantized = found is not None and fmt.is_integer and fmt.bits <= 16
        if not quantized and fmt.name not in _OUTPUT_TYPES:
            raise SubmissionFault(Problem(f"a first output of type {fmt}", f"be quantized, or one of {', '.join(_OUTPUT_TYPES)}", name))
        self._found = found if quantized else None

    def __call__(self, answer: Array) -> Array:
        if self._found is None:
            return answer.astype(np.float32) if answer.dtype == np.float16 else answer
        zero = int(self._found.zero[0]) if self._found.zero.size else 0
        return np.asarray((answer.astype(np.int32) - np.int32(zero)).astype(np.float32) * self._found.scale[0])


def _input(model: Model, inputs: Array) -> tuple[Sequence[int], Quantizer]:
    """The declared shape of the model's one input, its first axis −1 where the batch is free, and what feeds it."""
    main = model.subgraph(0)
    if len(main.inputs) != 1 or main.inputs[0] < 0:
        raise SubmissionFault(Problem(f"a model with {len(main.inputs)} inputs", "have one", model.name))
    tensor = main.tensors[main.inputs[0]]
    where = f"input {tensor.name!r}"
    shape, fmt = declared_shape(tensor), format_of(tensor)
    if fmt.name not in _INPUT_TYPES:
        raise SubmissionFault(Problem(f"an input of type {fmt}", f"be one of {', '.join(_INPUT_TYPES)}", where))
    declared = tensor.declared or ()
    if len(shape) != inputs.ndim or shape[1:] != inputs.shape[1:]:
        written = ", ".join(["batch" if declared[0] == -1 else "1", *map(str, shape[1:])])
        raise SubmissionFault(Problem(f"an input of shape ({written})", f"take examples of shape {inputs.shape[1:]}", where))
    if tensor.quantization is not None and not tensor.quantization.per_tensor:
        raise SubmissionFault(Problem("an input with a scale per channel", "have one scale", where))
    quantizer = Quantizer(tensor)
    if quantizer.floats != (inputs.dtype.kind == "f"):
        raise SubmissionFault(Problem(f"an input of type {fmt}", f"accept {inputs.dtype}, which the track feeds", where))
    return declared, quantizer


def _output(model: Model) -> Dequantizer:
    main = model.subgraph(0)
    if not main.outputs or main.outputs[0] < 0:
        raise SubmissionFault(Problem("a model without outputs", "have one", model.name))
    tensor = main.tensors[main.outputs[0]]
    return Dequantizer(tensor, f"output {tensor.name!r}")
