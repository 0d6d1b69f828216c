"""The layers and functions of the contract's notation in ONNX's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from micronet_verify.testing import Step, pair
from micronet_verify.testing.reference.windows import sides
from tests.plugins.onnx.support import node

Array = NDArray[Any]
Nodes = list[onnx.NodeProto]
PLAIN = {
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "hard_swish": "HardSwish",
    "add": "Add",
    "sub": "Sub",
    "mul": "Mul",
    "div": "Div",
    "matmul": "MatMul",
}


class Layers:
    """Nodes of steps; ``constants`` are the initializers that they read, one for a tensor that two steps share."""

    def __init__(self) -> None:
        self.constants: dict[str, Array] = {}
        self._stored: dict[int, str] = {}

    def _constant(self, array: Array, name: str) -> str:
        if id(array) not in self._stored:
            self._stored[id(array)] = name
            self.constants[name] = np.asarray(array)
        return self._stored[id(array)]

    def _number(self, step: Step, name: str, value: Any, kind: Any = np.int64) -> str:
        self.constants[f"{step.name}.{name}"] = np.asarray(value, kind)
        return f"{step.name}.{name}"

    def layer(self, step: Step, x: str) -> Nodes:
        """The nodes of a step that has no bodies."""
        if step.op in PLAIN:
            return [node(PLAIN[step.op], x, step.name)]
        if step.op in _SHORT:
            return [_SHORT[step.op](x, step)]
        ways: Mapping[str, Callable[[Step, str], Nodes]] = {
            "linear": lambda step, x: self._product(step, x, *self._weight(step)),
            "quantized_linear": self._quantized,
            "quantize": self._quantize,
            "conv": self._conv,
            "conv_transposed": self._conv,
            "batch_norm": lambda step, x: self._norm(step, x, "BatchNormalization", "scale shift mean variance"),
            "layer_norm": lambda step, x: self._norm(step, x, "LayerNormalization", "scale shift", axis=-1),
            "relu6": self._relu6,
            "global_average": lambda step, x: [
                node("GlobalAveragePool", x, f"{step.name}.g"),
                node("Flatten", f"{step.name}.g", step.name),
            ],
            "reshape": lambda step, x: [node("Reshape", f"{x} {self._number(step, 'shape', [-1, *step.options['shape']])}", step.name)],
            "pad": self._pad,
            "slice": self._slice,
            "embedding": lambda step, x: [node("Gather", f"{self._constant(step.arrays['table'], f'{step.name}.table')} {x}", step.name)],
            "resize_nearest": self._resize,
            "above": self._above,
        }
        return ways[step.op](step, x)

    def _array(self, step: Step, name: str) -> str:
        return self._constant(step.arrays[name], f"{step.name}.{name}")

    def _weight(self, step: Step) -> tuple[str, Nodes]:
        """The weight's name, cast to float32 where it is half as wide."""
        name = self._array(step, "weight")
        if step.arrays["weight"].dtype != np.float16:
            return name, []
        return f"{step.name}.w", [node("Cast", name, f"{step.name}.w", to=TensorProto.FLOAT)]

    def _product(self, step: Step, x: str, weight: str, before: Nodes) -> Nodes:
        y = step.name
        product = [*before, node("Transpose", weight, f"{y}.t", perm=[1, 0])]
        if "bias" not in step.arrays:
            return [*product, node("MatMul", f"{x} {y}.t", y)]
        bias = self._array(step, "bias")
        if step.arrays["bias"].dtype == np.float16:
            product.append(node("Cast", bias, f"{y}.b", to=TensorProto.FLOAT))
            bias = f"{y}.b"
        return [*product, node("MatMul", f"{x} {y}.t", f"{y}.p"), node("Add", f"{y}.p {bias}", y)]

    def _quantized(self, step: Step, x: str) -> Nodes:
        codes = step.arrays["codes"]
        if step.options.get("bits") == 4:
            self.constants[f"{step.name}.codes"] = codes.astype(ml_dtypes.int4)
            names = [f"{step.name}.codes"]
        else:
            names = [self._array(step, "codes")]
        names += [self._array(step, name) for name in ("scale", "zero") if name in step.arrays]
        return self._product(step, x, f"{step.name}.w", [node("DequantizeLinear", " ".join(names), f"{step.name}.w", axis=0)])

    def _quantize(self, step: Step, x: str) -> Nodes:
        zero = self._array(step, "zero") if "zero" in step.arrays else self._number(step, "zero", 0, np.int8)
        scale = f"{self._array(step, 'scale')} {zero}"
        codes = f"{step.name}.q"
        return [node("QuantizeLinear", f"{x} {scale}", codes), node("DequantizeLinear", f"{codes} {scale}", step.name)]

    def _conv(self, step: Step, x: str) -> Nodes:
        options = step.options
        numbers: dict[str, Any] = {"strides": pair(options.get("stride", 1)), "pads": sides(step)}
        numbers |= {"dilations": pair(options.get("dilation", 1)), "group": options.get("groups", 1)}
        if "output_padding" in options:
            numbers["output_padding"] = pair(options["output_padding"])
        kind = "Conv" if step.op == "conv" else "ConvTranspose"
        return [
            node(
                kind, " ".join([x, *(self._array(step, name) for name in ("weight", "bias") if name in step.arrays)]), step.name, **numbers
            )
        ]

    def _norm(self, step: Step, x: str, kind: str, names: str, **more: Any) -> Nodes:
        operands = [x, *(self._array(step, name) for name in names.split())]
        return [node(kind, " ".join(operands), step.name, epsilon=step.options["eps"], **more)]

    def _relu6(self, step: Step, x: str) -> Nodes:
        return [node("Clip", f"{x} {self._number(step, 'low', 0, np.float32)} {self._number(step, 'high', 6, np.float32)}", step.name)]

    def _global_average(self, step: Step, x: str) -> Nodes:
        return [node("GlobalAveragePool", x, f"{step.name}.g"), node("Flatten", f"{step.name}.g", step.name)]

    def _pad(self, step: Step, x: str) -> Nodes:
        return [node("Pad", f"{x} {self._number(step, 'pads', [0, 0, *pair(step.options['padding'])] * 2)}", step.name)]

    def _slice(self, step: Step, x: str) -> Nodes:
        numbers = (self._number(step, name, [step.options.get(name, 1)]) for name in ("start", "end", "axis", "step"))
        return [node("Slice", " ".join([x, *numbers]), step.name)]

    def _resize(self, step: Step, x: str) -> Nodes:
        scales = self._number(step, "scales", [1, 1, *pair(step.options["scale"])], np.float32)
        rounding = {"nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
        return [node("Resize", f"{x} - {scales}", step.name, mode="nearest", **rounding)]

    def _above(self, step: Step, x: str) -> Nodes:
        total = f"{step.name}.sum"
        than = self._number(step, "than", step.options["than"], np.float32)
        return [node("ReduceSum", x, total, keepdims=0), node("Greater", f"{total} {than}", step.name)]


def _pool(kind: str) -> Callable[[str, Step], onnx.NodeProto]:
    def pool(x: str, step: Step) -> onnx.NodeProto:
        kernel, stride, padding = (pair(step.options.get(name, 0)) for name in ("kernel", "stride", "padding"))
        more = {"count_include_pad": 1} if step.options.get("counts_padding") else {}
        return node(kind, x, step.name, kernel_shape=kernel, strides=stride, pads=padding * 2, **more)

    return pool


_SHORT: Mapping[str, Callable[[str, Step], onnx.NodeProto]] = {
    "softmax": lambda x, step: node("Softmax", x, step.name, axis=-1),
    "log_softmax": lambda x, step: node("LogSoftmax", x, step.name, axis=-1),
    "max_pool": _pool("MaxPool"),
    "average_pool": _pool("AveragePool"),
    "mean": lambda x, step: node("ReduceMean", x, step.name, axes=[step.options["axis"]], keepdims=0),
    "transpose": lambda x, step: node("Transpose", x, step.name, perm=list(step.options["perm"])),
    "concat": lambda x, step: node("Concat", x, step.name, axis=step.options["axis"]),
}
