"""Small networks in a neutral notation, which a plugin's author writes down in the format of his framework.

A ``Program`` is a list of steps; each reads the input ``x`` or what earlier steps made, by name. Tensors are [batch, …] with
the channels second, as numpy has them; a framework with another layout transposes on the way in and out, which is free.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]

OPERATORS: Mapping[str, str] = MappingProxyType(
    {
        "linear": "y = x·weightᵀ + bias; weight [out, in], bias [out] may be absent",
        "conv": "weight [out, in / groups, kernel, kernel], bias [out] may be absent; stride, padding (zeros), dilation, groups",
        "quantized_linear": "as linear, weight = codes·scale; codes [out, in] int8, scale [out]",
        "quantize": "x to int8 codes of one scale and zero point 0, and back: scale·clip(round(x / scale), −128, 127)",
        "batch_norm": "scale·(x − mean) / √(variance + eps) + shift, each [channels]; eps",
        "layer_norm": "over the last axis: scale·(x − mean) / √(variance + eps) + shift, each [size]; eps",
        "relu": "max(x, 0)",
        "relu6": "min(max(x, 0), 6)",
        "sigmoid": "1 / (1 + e^−x)",
        "tanh": "tanh x",
        "hard_swish": "x·min(max(x + 3, 0), 6) / 6",
        "softmax": "over the last axis",
        "add": "the sum of two",
        "mul": "the product of two, element by element",
        "matmul": "the matrix product of two [batch, rows, columns]",
        "max_pool": "kernel, stride; no padding",
        "average_pool": "kernel, stride; no padding",
        "global_average": "the mean over height and width: [batch, channels]",
        "reshape": "shape: of one example, without the batch",
        "transpose": "perm: an order of all axes that begins with 0",
        "concat": "two or more joined along axis",
        "pad": "height and width, padding zeros on all sides",
        "slice": "start and end along axis",
        "embedding": "rows of table [words, size] for word numbers",
        "resize_nearest": "height and width scale-fold",
    }
)
"""Every operator of the notation, with its formula, its arrays and its options."""


class Unsupported(Exception):
    """Raised by an author's ``write`` for a program that his framework cannot say; the tests of that program are skipped."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One operator. ``inputs`` are names of earlier steps or ``x``; ``arrays`` its constants; ``options`` its numbers."""

    op: str
    inputs: tuple[str, ...] = ("x",)
    arrays: Mapping[str, Array] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    name: str = "y"


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A network. ``shape`` is that of one example; ``words`` > 0 makes the input int64 word numbers below it, else float32.

    The output is the step ``y``.
    """

    name: str
    shape: tuple[int, ...]
    steps: tuple[Step, ...]
    words: int = 0

    @property
    def operators(self) -> frozenset[str]:
        return frozenset(step.op for step in self.steps)

    @property
    def input_format(self) -> str:
        return "int64" if self.words else "float32"
