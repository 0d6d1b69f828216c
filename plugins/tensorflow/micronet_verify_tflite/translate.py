"""A TFLite model as a neutral graph: the walk over its main subgraph, inputs quantized and outputs dequantized where they are codes."""

from __future__ import annotations

from functools import partial

from micronet_verify.plugin import FLOAT32, Graph, GraphBuilder, Operand, Shape, Walk, computed, input_shape
from micronet_verify_tflite.fold import FOLDS
from micronet_verify_tflite.frame import Frame
from micronet_verify_tflite.model import Model, Tensor
from micronet_verify_tflite.op import Op
from micronet_verify_tflite.op_table import TABLE
from micronet_verify_tflite.operands import numbers_of, scaling_of
from micronet_verify_tflite.stored import format_of


def translate(model: Model, builder: GraphBuilder) -> Graph:
    """The whole model. Raises ``SubmissionFault`` with all problems together."""
    walk = Walk(model.name, builder, Op, FOLDS)
    if len(model.signatures) > 1:
        names = ", ".join(repr(key) for key, _ in model.signatures)
        first = next((repr(key) for key, number in model.signatures if number == 0), "the first subgraph")
        builder.note(f"the file has {len(model.signatures)} signatures ({names}); what is counted and runs is {first}")
    frame = Frame(walk, model, TABLE, 0, builder, branches="")
    inputs, outputs = ([index for index in indices if index >= 0] for indices in (frame.subgraph.inputs, frame.subgraph.outputs))
    for index in inputs:
        tensor = frame.tensor(index)
        walk.input(frame, index, tensor.name, partial(_input, walk, tensor))
    walk.main(0, frame, frame.steps())
    results = [walk.output(frame, index, frame.tensor(index).name, partial(numbers_of, builder)) for index in outputs]
    return walk.graph(len(inputs), results)


def _input(walk: Walk, tensor: Tensor) -> Operand:
    """A quantized input takes floats and quantizes them, which is what the predictor does."""
    builder, fmt = walk.builder, format_of(tensor)
    shape = declared_shape(tensor, builder.batch)
    scaling = scaling_of(tensor, builder, walk.file, shape)
    value = builder.input(shape, fmt if scaling is None else FLOAT32, tensor.name)
    if scaling is not None:
        value = builder.emit("quantize", value, scaling.scale(), *scaling.zero(), fmt=fmt, axis=scaling.axis, rounding="away")
    return computed(builder, value, scaling=scaling)


def declared_shape(tensor: Tensor, batch: int = 1) -> Shape:
    """The shape of an input; the first axis, where it is free, is the batch. Raises ``SubmissionFault``."""
    return input_shape([None if size == -1 else size for size in tensor.declared or ()], f"input {tensor.name!r}", batch)
