"""One network as int8 TFLite, as a converter writes it, and as QDQ ONNX with the same codes and scales: one ledger total."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from micronet_verify_onnx.counter import OnnxCounter
from micronet_verify_tflite.counter import TfliteCounter
from micronet_verify_tflite.model import Model, Operator
from micronet_verify_tflite.stored import stored
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.plugins.tflite.support import random
from tests.plugins.tflite.test_quantized import codes
from tests.plugins.tflite.writer import File
from tests.spelling.counted import counted, prices

Array = NDArray[Any]


class Qdq:
    """Writes the operators of a .tflite file as ONNX, channels first: a DequantizeLinear in front of each, a QuantizeLinear behind."""

    def __init__(self, path: Path) -> None:
        self.model = Model(path)
        self.main = self.model.subgraph(0)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.names: dict[int, str] = {}

    def proto(self) -> onnx.ModelProto:
        first = self.main.inputs[0]
        shape = self.main.tensors[first].shape
        self.names[first] = self.quantize(first, "x")
        for operator in self.main.operators:
            self.operator(operator)
        answer = self.real(self.main.outputs[0])
        given = ["batch", shape[-1], *shape[1:-1]] if len(shape) == 4 else ["batch", *shape[1:]]
        graph = helper.make_graph(
            self.nodes,
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, given)],
            [helper.make_tensor_value_info(answer, TensorProto.FLOAT, None)],
            self.constants,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    def operator(self, operator: Operator) -> None:
        kind, out = operator.kind, operator.outputs[0]
        if kind in ("SHAPE", "STRIDED_SLICE", "PACK"):
            return
        if kind == "RESHAPE":
            self.names[out] = self.node("Flatten", [self.names[operator.inputs[0]]])
            return
        if kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            y = self.product(operator)
        elif kind == "ADD":
            y = self.node("Add", [self.real(index) for index in operator.inputs])
        elif kind == "MEAN":
            y = self.node("ReduceMean", [self.real(operator.inputs[0])], axes=[2, 3], keepdims=0)
        elif kind == "AVERAGE_POOL_2D":
            window = [operator.options["filter_height"], operator.options["filter_width"]]
            stride = [operator.options["stride_h"], operator.options["stride_w"]]
            y = self.node("AveragePool", [self.real(operator.inputs[0])], kernel_shape=window, strides=stride)
        else:
            assert kind == "SOFTMAX", kind
            y = self.node("Softmax", [self.real(operator.inputs[0])], axis=-1)
        function = operator.options.get("fused_activation_function", 0)
        if function == 1:
            y = self.node("Relu", [y])
        elif function == 3:
            y = self.node("Clip", [y, self.constant(np.float32(0)), self.constant(np.float32(6))])
        self.names[out] = self.quantize(out, y)

    def product(self, operator: Operator) -> str:
        x, weight, bias = (*operator.inputs, -1)[:3]
        perm = {"CONV_2D": (0, 3, 1, 2), "DEPTHWISE_CONV_2D": (3, 0, 1, 2), "FULLY_CONNECTED": (0, 1)}[operator.kind]
        operands = [self.real(x), self.real(weight, perm)]
        if bias >= 0:
            operands.append(self.real(bias))
        if operator.kind == "FULLY_CONNECTED":
            return self.node("Gemm", operands, transB=1)
        options = operator.options
        return self.node(
            "Conv",
            operands,
            strides=[options["stride_h"], options["stride_w"]],
            auto_pad=("SAME_UPPER", "VALID")[options["padding"]],
            group=self.main.tensors[x].shape[3] if operator.kind.startswith("DEPTH") else 1,
        )

    def real(self, index: int, perm: tuple[int, ...] | None = None) -> str:
        tensor = self.main.tensors[index]
        if index in self.names:
            return self.node("DequantizeLinear", [self.names[index], *self.scale(index)])
        array = stored(self.model, tensor).load()
        assert tensor.quantization is not None
        axis = 0 if tensor.quantization.per_tensor or perm is None else perm.index(tensor.quantization.axis)
        name = self.constant(array if perm is None else array.transpose(perm))
        return self.node("DequantizeLinear", [name, *self.scale(index)[: 1 if array.dtype == np.int32 else 2]], axis=axis)

    def quantize(self, index: int, x: str) -> str:
        return self.node("QuantizeLinear", [x, *self.scale(index)])

    def scale(self, index: int) -> list[str]:
        found = self.main.tensors[index].quantization
        assert found is not None
        whole = found.per_tensor
        zero = found.zero.astype(np.int8) if found.zero.size else np.zeros(found.scale.size, np.int8)
        return [self.constant(found.scale[0] if whole else found.scale), self.constant(zero[0] if whole else zero)]

    def constant(self, array: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        return name


def same_price(path: Path) -> None:
    other = path.with_suffix(".onnx")
    other.write_bytes(Qdq(path).proto().SerializeToString())
    assert prices(counted(path, TfliteCounter())) == prices(counted(other, OnnxCounter()))


@pytest.mark.xdist_group("tensorflow")
@pytest.mark.parametrize("network", ["resnet8", "ds-cnn", "mobilenet", "autoencoder"])
def test_int8_tflite_and_qdq_onnx_are_one_price(network: str, converted: Callable[..., Path]) -> None:
    same_price(converted(network, "int8"))


def test_the_same_for_a_file_made_by_hand(tmp_path: Path) -> None:
    """With zero points, a scale per channel, a depthwise layer and a bias."""
    file, sub = File.new()
    x = sub.input((-1, 6, 6, 3), "int8", scale=0.02, zero=3)
    scales = [0.01, 0.02, 0.03, 0.04, 0.05, 0.06]
    bias = sub.constant(codes(6, low=-900, high=900, dtype=np.int32), scale=np.float32(0.02) * np.array(scales, np.float32))
    window = {"strideH": 2, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    operands = [x, sub.constant(codes(1, 3, 3, 6), scale=scales, axis=3), bias]
    y = sub.tensor((-1, 3, 6, 6), "int8", scale=0.07, zero=-5)
    sub.op("DEPTHWISE_CONV_2D", operands, [y], "DepthwiseConv2D", depthMultiplier=2, fusedActivationFunction=3, **window)
    weight = sub.constant(codes(4, 3, 1, 6, seed=1), scale=0.011)
    z = sub.tensor((-1, 1, 6, 4), "int8", scale=0.5, zero=1)
    sub.op("CONV_2D", [y, weight, -1], [z], "Conv2D", padding=1, fusedActivationFunction=1, **window)
    sub.outputs = [z]
    same_price(file.save(tmp_path / "model.tflite"))


def hybrid(tmp_path: Path) -> tuple[Path, Path]:
    weight, scale = codes(5, 8), 0.01
    file, sub = File.new()
    x = sub.input((-1, 8))
    options = {"asymmetricQuantizeInputs": True}
    sub.outputs = sub.op("FULLY_CONNECTED", [x, sub.constant(weight, scale=scale), -1], [sub.tensor(())], "FullyConnected", **options)
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        helper.make_node("MatMulInteger", ["q", "w", "z"], ["p"]),
        helper.make_node("Cast", ["p"], ["c"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["s", "ws"], ["u"]),
        helper.make_node("Mul", ["c", "u"], ["y"]),
    ]
    constants = {"w": np.ascontiguousarray(weight.T), "ws": np.float32(scale)}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    path = tmp_path / "model.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString())
    return file.save(tmp_path / "model.tflite"), path


def test_a_dynamic_range_product_is_priced_as_dynamic_quantization_in_onnx(tmp_path: Path) -> None:
    ours, theirs = hybrid(tmp_path)
    assert prices(counted(ours, TfliteCounter())) == prices(counted(theirs, OnnxCounter()))


def test_float_files_of_one_network_are_one_price(tmp_path: Path) -> None:
    weight, shift, matrix = random(4, 3, 3, 2), random(4, seed=1), random(7, 64, seed=2)
    file, sub = File.new()
    x = sub.input((-1, 8, 8, 2))
    window = {"strideH": 2, "strideW": 2, "dilationHFactor": 1, "dilationWFactor": 1, "fusedActivationFunction": 3}
    (y,) = sub.op("CONV_2D", [x, sub.constant(weight), sub.constant(shift)], [sub.tensor(())], "Conv2D", **window)
    (z,) = sub.op("HARD_SWISH", [y], [sub.tensor(())])
    sub.outputs = sub.op("FULLY_CONNECTED", [z, sub.constant(matrix), -1], [sub.tensor(())], "FullyConnected")
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], strides=[2, 2], auto_pad="SAME_UPPER"),
        helper.make_node("Clip", ["c", "lo", "hi"], ["r"]),
        helper.make_node("HardSwish", ["r"], ["h"]),
        helper.make_node("Flatten", ["h"], ["f"]),
        helper.make_node("Gemm", ["f", "m"], ["y"], transB=1),
    ]
    constants = {"w": weight.transpose(0, 3, 1, 2), "b": shift, "lo": np.float32(0), "hi": np.float32(6), "m": matrix}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 2, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in constants.items()],
    )
    path = tmp_path / "model.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString())
    assert prices(counted(file.save(tmp_path / "model.tflite"), TfliteCounter())) == prices(counted(path, OnnxCounter()))
