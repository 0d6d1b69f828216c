"""One TFLite operator as the rules of the op table see it: operands, options, the builder, and ways to refuse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from micronet_verify.plugin import Array, GraphBuilder, Item, NumericFormat, Operand, Order, Result, Shape, Value, computed
from micronet_verify.plugin import RuleResult as Answer
from micronet_verify.plugin import op as core
from micronet_verify_tflite.frame import Frame
from micronet_verify_tflite.model import Operator, Tensor
from micronet_verify_tflite.operands import Scaling, Variable, numbers_of, scaling_of
from micronet_verify_tflite.roundings import ROUNDINGS
from micronet_verify_tflite.schema import ACTIVATIONS, PADDINGS
from micronet_verify_tflite.stored import format_of

Rule = Callable[["Op"], Answer]
"""What the op table holds: emits the operator's work.

A ``Value`` of floats for a quantized tensor is quantized by whoever called the rule; an ``Operand`` is final.
"""


class Op(core.Op):
    """Operands are numbers, or codes with a scale. Methods raise ``SubmissionFault``."""

    scope: Frame
    node: Operator

    # Operands

    def state(self, index: int) -> Operand | None:
        """A variable that a recurrent layer keeps its state in: zeros before each example."""
        item = self.items[index] if self.has(index) else None
        return item.operand if isinstance(item, Variable) else self.operand(index) if item is not None else None

    def real(self, index: int = 0, order: Order | None = None) -> Value:
        return numbers_of(self.builder, self.operand(index), order)

    def plain(self, item: Item, builder: GraphBuilder) -> Value:
        return numbers_of(builder, item)

    # Answers to the walk

    def may_fold(self) -> bool:
        return not self.node.options.get("fused_activation_function") and (self.kind in ("SHAPE", "RANK") or self.out_scaling(()) is None)

    def label(self, index: int) -> str:
        return self.out(index).name

    def result(self, value: Value, index: int, known: Array | None) -> Operand:
        made = self.quantized(value, index)
        return made if known is None or made.scaling is not None else computed(self.builder, made.value, True, known)

    # Results

    def out(self, index: int = 0) -> Tensor:
        """The tensor that result ``index`` is declared as; its shape is not to be believed."""
        if index >= len(self.node.outputs) or self.node.outputs[index] < 0:
            self.refuse(f"no result {index + 1}", "have one")
        return self.scope.tensor(self.node.outputs[index])

    def out_format(self, index: int = 0) -> NumericFormat:
        return format_of(self.out(index))

    def out_scaling(self, shape: Shape, index: int = 0) -> Scaling | None:
        return scaling_of(self.out(index), self.walk.builder, self.walk.file, shape)

    def quantized(self, value: Value, index: int = 0) -> Operand:
        """A result: codes where its tensor is quantized, the value itself where it is not."""
        scaling, fmt = self.out_scaling(value.shape, index), self.out_format(index)
        if scaling is not None and value.format.family == "float":
            rounding = ROUNDINGS.get(self.kind, {})
            value = self.emit("quantize", value, scaling.scale(), *scaling.zero(), fmt=fmt, axis=scaling.axis, **rounding)
        elif value.format != fmt:
            self.refuse(f"a result of type {value.format}", f"be declared as that, not as {fmt}")
        return computed(self.builder, value, self.is_static(), scaling=scaling)

    def keeps(self, index: int = 0, results: int = 1) -> bool:
        """Whether the codes of an operand can be moved as they are: every result has its scale and zero point."""
        scaling = self.operand(index).scaling
        if scaling is None or scaling.axis >= 0:
            return False
        return all(scaling.same(self.out_scaling((), place)) for place in range(results))

    def carried(self, index: int = 0, results: int = 1) -> tuple[Value, bool]:
        """An operand that is only moved, and whether these are its codes or its numbers."""
        codes = self.keeps(index, results)
        return (self.x(index) if codes else self.real(index)), codes

    def moved(self, value: Value, codes: bool, index: int = 0) -> Result:
        """The result of moving what ``carried`` gave."""
        if not codes:
            return value
        return computed(self.builder, value, self.is_static(), scaling=self.out_scaling(value.shape, index))

    # Options

    def option(self, name: str) -> Any:
        return self.node.options[name]

    def integer(self, name: str) -> int:
        return int(self.option(name))

    def number_option(self, name: str) -> float:
        # The float32 of the file, as the shortest decimal that gives it back: 0.1, not 0.10000000149011612.
        return float(str(np.float32(self.option(name))))

    def choice(self, name: str, choices: Sequence[str]) -> str:
        number = self.integer(name)
        if not 0 <= number < len(choices):
            self.refuse(f"{name} {number}", f"be one of {', '.join(choices)}")
        return choices[number]

    def padding(self) -> str:
        return self.choice("padding", PADDINGS)

    # Building

    def activated(self, value: Value) -> Value:
        """The activation function that is fused into the operator."""
        function = self.choice("fused_activation_function", ACTIVATIONS)
        if function == "NONE":
            return value
        if function == "SIGN_BIT":
            self.refuse("the fused activation SIGN_BIT", "be NONE, RELU, RELU6, RELU_N1_TO_1 or TANH")
        if function in BOUNDS:
            low, high = BOUNDS[function]
            return self.elementwise("clip", value, low=low, high=high)
        return self.elementwise(function.lower(), value)


BOUNDS = {"RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0), "RELU_0_TO_1": (0.0, 1.0)}


def given(value: Value | None) -> tuple[Value, ...]:
    return () if value is None else (value,)
