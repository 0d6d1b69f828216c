"""The contract that every plugin passes, for ONNX."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

from micronet_verify.testing import Plugin, PluginContract, Program, Step
from tests.plugins.onnx.support import graph, info, model, node, saved, unknown

Array = NDArray[Any]
PLAIN = dict(zip("relu sigmoid tanh hard_swish add mul matmul".split(), "Relu Sigmoid Tanh HardSwish Add Mul MatMul".split(), strict=True))


class TestOnnx(PluginContract):
    @pytest.fixture
    def plugin(self) -> Plugin:
        return Plugin("onnx", "micronet_verify_onnx", write, write_unknown)


def write(program: Program, folder: Path) -> Path:
    nodes: list[onnx.NodeProto] = []
    constants: dict[str, Array] = {}
    stored: dict[int, str] = {}

    def constant(array: Array, name: str) -> str:
        if id(array) not in stored:  # a tensor that two steps share is one initializer
            stored[id(array)] = name
            constants[name] = np.asarray(array)
        return stored[id(array)]

    for step in program.steps:
        arrays = {name: constant(array, f"{step.name}.{name}") for name, array in step.arrays.items()}
        nodes.extend(_nodes(step, arrays, constants))
    kind = TensorProto.INT64 if program.words else TensorProto.FLOAT
    return saved(model(graph(nodes, [info("x", ["batch", *program.shape], kind)], [unknown("y")], constants)), folder)


def write_unknown(folder: Path) -> tuple[Path, str]:
    return saved(model(graph([node("Unheard", "x")], [info("x", ["batch", 4])], [unknown("y")])), folder), "Unheard"


def _nodes(step: Step, arrays: Mapping[str, str], constants: dict[str, Array]) -> list[onnx.NodeProto]:
    x, y, options = " ".join(step.inputs), step.name, step.options

    def number(name: str, value: Any) -> str:
        constants[f"{y}.{name}"] = np.asarray(value, np.int64)
        return f"{y}.{name}"

    def linear(weight: str) -> list[onnx.NodeProto]:
        product = [node("Transpose", weight, f"{y}.t", perm=[1, 0]), node("MatMul", f"{x} {y}.t", f"{y}.p" if "bias" in arrays else y)]
        return [*product, node("Add", f"{y}.p {arrays['bias']}", y)] if "bias" in arrays else product

    def quantized() -> list[onnx.NodeProto]:
        return [node("DequantizeLinear", f"{arrays['codes']} {arrays['scale']}", f"{y}.w", axis=0), *linear(f"{y}.w")]

    def quantize() -> list[onnx.NodeProto]:
        constants[f"{y}.zero"] = np.array(0, np.int8)
        scale = f"{arrays['scale']} {y}.zero"
        return [node("QuantizeLinear", f"{x} {scale}", f"{y}.q"), node("DequantizeLinear", f"{y}.q {scale}", y)]

    def conv() -> list[onnx.NodeProto]:
        stride, padding, dilation = ([options.get(name, least)] for name, least in (("stride", 1), ("padding", 0), ("dilation", 1)))
        numbers = {"strides": stride * 2, "pads": padding * 4, "dilations": dilation * 2, "group": options.get("groups", 1)}
        return [node("Conv", " ".join([x, *(arrays[name] for name in ("weight", "bias") if name in arrays)]), y, **numbers)]

    def pool(kind: str) -> list[onnx.NodeProto]:
        return [node(kind, x, y, kernel_shape=[options["kernel"]] * 2, strides=[options["stride"]] * 2)]

    def norm(kind: str, names: str, **more: Any) -> list[onnx.NodeProto]:
        return [node(kind, " ".join([x, *(arrays[name] for name in names.split())]), y, epsilon=options["eps"], **more)]

    def relu6() -> list[onnx.NodeProto]:
        constants[f"{y}.low"], constants[f"{y}.high"] = np.array(0, np.float32), np.array(6, np.float32)
        return [node("Clip", f"{x} {y}.low {y}.high", y)]

    def resize() -> list[onnx.NodeProto]:
        constants[f"{y}.scales"] = np.array([1, 1, options["scale"], options["scale"]], np.float32)
        rounding = {"nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
        return [node("Resize", f"{x} - {y}.scales", y, mode="nearest", **rounding)]

    plain = {
        "relu": "Relu",
        "sigmoid": "Sigmoid",
        "tanh": "Tanh",
        "hard_swish": "HardSwish",
        "add": "Add",
        "mul": "Mul",
        "matmul": "MatMul",
    }
    if step.op in plain:
        return [node(plain[step.op], x, y)]
    ways: Mapping[str, Callable[[], list[onnx.NodeProto]]] = {
        "linear": lambda: linear(arrays["weight"]),
        "quantized_linear": quantized,
        "quantize": quantize,
        "conv": conv,
        "batch_norm": lambda: norm("BatchNormalization", "scale shift mean variance"),
        "layer_norm": lambda: norm("LayerNormalization", "scale shift", axis=-1),
        "relu6": relu6,
        "softmax": lambda: [node("Softmax", x, y, axis=-1)],
        "max_pool": lambda: pool("MaxPool"),
        "average_pool": lambda: pool("AveragePool"),
        "global_average": lambda: [node("GlobalAveragePool", x, f"{y}.g"), node("Flatten", f"{y}.g", y)],
        "reshape": lambda: [node("Reshape", f"{x} {number('shape', [-1, *options['shape']])}", y)],
        "transpose": lambda: [node("Transpose", x, y, perm=list(options["perm"]))],
        "concat": lambda: [node("Concat", x, y, axis=options["axis"])],
        "pad": lambda: [node("Pad", f"{x} {number('pads', [0, 0, *[options['padding']] * 2] * 2)}", y)],
        "slice": lambda: [node("Slice", " ".join([x, *(number(name, [options[name]]) for name in ("start", "end", "axis"))]), y)],
        "embedding": lambda: [node("Gather", f"{arrays['table']} {x}", y)],
        "resize_nearest": resize,
    }
    return ways[step.op]()
