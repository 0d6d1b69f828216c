"""One TFLite operator as the rules of the op table see it: operands, options, the builder, and ways to refuse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from micronet_verify.facts.formats import NumericFormat
from micronet_verify.facts.graph import Shape, Value
from micronet_verify.framework.emitting import Emitting
from micronet_verify_tflite.model import Operator, Tensor
from micronet_verify_tflite.operands import Operand, Scaling, computed, scaling_of
from micronet_verify_tflite.roundings import ROUNDINGS
from micronet_verify_tflite.schema import ACTIVATIONS, PADDINGS
from micronet_verify_tflite.stored import format_of

if TYPE_CHECKING:
    from micronet_verify_tflite.translate import Frame, Translator

Result = Value | Operand


class Rule(Protocol):
    """What the op table holds: emits the operator's work and returns its results in order (one, or several).

    A ``Value`` of floats for a quantized tensor is quantized by whoever called the rule; an ``Operand`` is final.
    """

    def __call__(self, op: Op) -> Result | Sequence[Result | None]: ...


class Op(Emitting):
    """``kind`` is the operator's name, ``where`` the place in words. Methods raise ``SubmissionFault``."""

    def __init__(self, translator: Translator, frame: Frame, operator: Operator, number: int) -> None:
        self.translator, self.frame, self.operator, self.number = translator, frame, operator, number
        self.kind, self.builder = operator.kind, frame.builder
        self.where = self.builder.where
        self.operands: list[Operand | None] = [frame.find(index) if index >= 0 else None for index in operator.inputs]

    # Operands

    def has(self, index: int) -> bool:
        return index < len(self.operands) and self.operands[index] is not None

    def required(self, index: int) -> Operand:
        if not self.has(index):
            self.refuse(f"no operand {index + 1}", "have one")
        operand = self.operands[index]
        assert operand is not None
        if operand.variable:
            self.refuse(
                "a variable that keeps its value between examples", "answer each example alone", "pass the state as inputs and outputs"
            )
        return operand

    def state(self, index: int) -> Operand | None:
        """A variable that a recurrent layer keeps its state in: zeros before each example."""
        return self.operands[index] if self.has(index) else None

    def x(self, index: int = 0) -> Value:
        """The value of an operand as it is: codes where it is quantized."""
        return self.required(index).value

    def real(self, index: int = 0, perm: tuple[int, ...] | None = None) -> Value:
        """The numbers that an operand stands for, its axes in the order ``perm``."""
        return self.dequantized(self.required(index), perm)

    def maybe(self, index: int) -> Value | None:
        return self.real(index) if self.has(index) else None

    def dequantized(self, operand: Operand, perm: tuple[int, ...] | None = None) -> Value:
        order = tuple(range(len(operand.shape))) if perm is None else perm
        codes, scaling = operand.arranged(order), operand.scaling
        if scaling is None:
            return codes
        axis = -1 if scaling.axis < 0 else order.index(scaling.axis)
        return self.emit("dequantize", codes, scaling.scale(), *scaling.zero(), axis=axis)

    def known(self, index: int, what: str) -> NDArray[Any]:
        """The numbers of an operand that describes the work; refused where the data decides them."""
        found = self.required(index).known
        if found is None:
            self.refuse(f"{what} that the data decides", "be constant", "fixed shapes are counted: convert with constant shapes")
        return found

    def known_ints(self, index: int, what: str = "a shape") -> tuple[int, ...]:
        return tuple(int(number) for number in self.known(index, what).reshape(-1))

    def constant(self, index: int) -> NDArray[Any] | None:
        """The numbers of an operand that is a constant of the file, of any size, or that is known."""
        tensor = self.frame.subgraph.tensors[self.operator.inputs[index]]
        if self.required(index).known is not None or tensor.data is None:
            return self.required(index).known
        return self.translator.load(tensor)

    def is_static(self) -> bool:
        """Whether no input of the model can change an operand of this node."""
        return all(operand.static and not operand.variable for operand in self.operands if operand is not None)

    # Results

    def out(self, index: int = 0) -> Tensor:
        """The tensor that result ``index`` is declared as; its shape is not to be believed."""
        if index >= len(self.operator.outputs) or self.operator.outputs[index] < 0:
            self.refuse(f"no result {index + 1}", "have one")
        return self.frame.subgraph.tensors[self.operator.outputs[index]]

    def out_format(self, index: int = 0) -> NumericFormat:
        return format_of(self.out(index))

    def out_scaling(self, shape: Shape, index: int = 0) -> Scaling | None:
        return scaling_of(self.out(index), self.translator.constants, self.translator.file, shape)

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
        scaling = self.required(index).scaling
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
        return self.operator.options[name]

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
