"""What a tensor of the file stands for while a graph is translated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.formats import FLOAT32, NumericFormat, numeric_format
from micronet_verify.facts.graph import Shape, Value
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify_tflite.model import Quantization, Tensor
from micronet_verify_tflite.stored import Stored, format_of

Array = NDArray[Any]
# Whole numbers up to this many describe shapes, and floats up to this many are bounds, scales of a resize and the like.
MOST_INTEGERS = 4096
MOST_FLOATS = 64
SHAPE_TYPES = frozenset({"int32", "int64", "bool"})
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


class Operand:
    """A tensor: shape, format and, if known, its numbers; ``scaling`` where its values are codes.

    ``known`` holds the numbers of a small tensor that no input of the model can change. ``static`` says that no input
    can change it, small or not. ``arrange`` gives a constant with its axes in another order, at no cost.
    """

    __slots__ = ("_arrange", "_arranged", "_known", "format", "scaling", "shape", "static", "variable")

    def __init__(
        self,
        shape: Shape,
        fmt: NumericFormat,
        arrange: Callable[[tuple[int, ...]], Value],
        *,
        known: Callable[[], Array] | Array | None = None,
        static: bool = False,
        scaling: Scaling | None = None,
        variable: bool = False,
    ) -> None:
        self.shape, self.format, self.static, self.scaling, self.variable = shape, fmt, static, scaling, variable
        self._arrange, self._known = arrange, known
        self._arranged: dict[tuple[int, ...], Value] = {}

    @property
    def value(self) -> Value:
        return self.arranged(tuple(range(len(self.shape))))

    def arranged(self, perm: tuple[int, ...]) -> Value:
        """The value, or the codes, with its axes in the order ``perm``."""
        if perm not in self._arranged:
            self._arranged[perm] = self._arrange(perm)
        return self._arranged[perm]

    @property
    def known(self) -> Array | None:
        if callable(self._known):
            self._known = self._known()
        return self._known

    @property
    def numel(self) -> int:
        product = 1
        for size in self.shape:
            product *= size
        return product


def computed(
    builder: GraphBuilder, value: Value, static: bool = False, known: Array | None = None, scaling: Scaling | None = None
) -> Operand:
    """The result of a node of the neutral graph."""
    return Operand(value.shape, value.format, lambda perm: builder.transpose(value, perm), known=known, static=static, scaling=scaling)


def constant(builder: GraphBuilder, found: Stored, label: str, scaling: Scaling | None) -> Operand:
    """A constant of the file."""
    count = 1
    for size in found.shape:
        count *= size
    plain = scaling is None and (found.format.name in SHAPE_TYPES or found.format.name == "float32")
    small = plain and count <= (MOST_FLOATS if found.format.family == "float" else MOST_INTEGERS)
    return Operand(
        found.shape,
        found.format,
        lambda perm: found.put(builder, label, perm),
        known=found.load if small else None,
        static=True,
        scaling=scaling,
    )


def folded(builder: GraphBuilder, array: Array, label: str) -> Operand:
    """The result of shape arithmetic; it becomes a constant only if something else than a shape uses it."""
    data = np.asarray(array)
    fmt = numeric_format(data.dtype.name)
    return Operand(tuple(data.shape), fmt, lambda perm: builder.constant(np.transpose(data, perm), label, fmt), known=data, static=True)


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
