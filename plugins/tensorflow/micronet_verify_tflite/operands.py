"""How codes of quantized tensors stand for numbers, and tensors that keep their values between calls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from micronet_verify.plugin import (
    FLOAT32,
    GraphBuilder,
    Item,
    NoTensor,
    NumericFormat,
    Operand,
    Order,
    Problem,
    Shape,
    SubmissionFault,
    Value,
    tensor,
)
from micronet_verify_tflite.model import Quantization, Tensor
from micronet_verify_tflite.stored import format_of

# Codes of quantized tensors; wider integers with a scale are biases, which their operator scales.
_CODES = frozenset("int8 uint8 int16 uint16 int4 uint4 int2".split())


@dataclass(frozen=True)
class Scaling:
    """Scale and zero point of a quantized tensor as values of the graph; ``axis`` is -1 for one scale."""

    numbers: Quantization
    format: NumericFormat
    file: str
    label: str
    builder: GraphBuilder

    @property
    def axis(self) -> int:
        return -1 if self.numbers.per_tensor else self.numbers.axis

    def scale(self) -> Value:
        found = self.numbers.scale
        if found.size == 1:
            return self.builder.scalar(float(found[0]))
        return self.builder.constant_at(self.file, self.numbers.place, (found.size,), FLOAT32, f"{self.label} scales")

    def zero(self) -> tuple[Value, ...]:
        """A zero point of zeros is none: nothing is subtracted and nothing need be stored."""
        found = self.numbers.zero
        if not found.any():
            return ()
        if found.size == 1:
            return (self.builder.scalar(int(found[0]), self.format),)
        return (self.builder.constant(found, f"{self.label} zero points", self.format),)

    def same(self, other: Scaling | None) -> bool:
        """Whether equal codes mean equal numbers."""
        if other is None or self.format != other.format or self.axis != other.axis:
            return False
        ours, theirs = self.numbers, other.numbers
        zeros = np.array_equal(ours.zero, theirs.zero) or not (ours.zero.any() or theirs.zero.any())
        return bool(zeros and np.array_equal(ours.scale, theirs.scale))


class Variable(NoTensor):
    """A tensor that keeps its value between calls: the state of a recurrent layer, zeros before each example."""

    got = "a variable that keeps its value between examples"
    should = "answer each example alone"
    advice = "pass the state as inputs and outputs"

    def __init__(self, operand: Operand) -> None:
        self.operand = operand


def numbers_of(builder: GraphBuilder, item: Item, order: Order | None = None) -> Value:
    """The numbers that an operand stands for, its axes in this order: codes are dequantized."""
    operand = tensor(item, builder.where)
    codes, scaling = operand.arranged(order), operand.scaling
    if scaling is None:
        return codes
    axis = scaling.axis if scaling.axis < 0 or order is None else order.index(scaling.axis)
    return builder.emit("dequantize", codes, scaling.scale(), *scaling.zero(), axis=axis)


def scaling_of(tensor: Tensor, builder: GraphBuilder, file: str, shape: Shape) -> Scaling | None:
    """How the codes of a quantized tensor of ``shape`` stand for numbers; ``None`` for a tensor that is not quantized.

    Raises ``SubmissionFault`` for scales that do not fit the shape.
    """
    fmt, where = format_of(tensor), f"tensor {tensor.name!r}"
    if tensor.blocks:
        raise SubmissionFault(
            Problem("a tensor quantized in blocks", "have one scale, or one per channel", where, "quantize per channel instead")
        )
    found = tensor.quantization
    if found is None or fmt.name not in _CODES:
        return None
    if not found.per_tensor and not (0 <= found.axis < len(shape) and shape[found.axis] == found.scale.size):
        got = f"{found.scale.size} scales along axis {found.axis} of {shape}"
        raise SubmissionFault(Problem(got, "be one number, or one per slice of an axis", where))
    low, high = (0, 2**fmt.bits - 1) if fmt.family == "uint" else (-(2 ** (fmt.bits - 1)), 2 ** (fmt.bits - 1) - 1)
    if found.zero.size and not low <= int(found.zero.min()) <= int(found.zero.max()) <= high:
        raise SubmissionFault(Problem(f"a zero point of {int(found.zero[0])}", f"be a code of {fmt}, {low} to {high}", where))
    return Scaling(found, fmt, file, tensor.name, builder)
