"""Writes ONNX models node by node: inputs ``images`` [N, 1, 8, 8], output ``logits`` [N, 10], N free."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

# The operator set and the file version that belongs to it
IR_VERSIONS = {18: 8, 21: 10}


class OnnxGraph:
    """Nodes and initializers in the order in which they are added; every method returns the name of what it added."""

    def __init__(self, name: str, opset: int = 18) -> None:
        self._name = name
        self._opset = opset
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.images = "images"

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """An initializer with the array's own type; stored once, however often it is asked for by the same name."""
        if all(have.name != name for have in self.initializers):
            self.initializers.append(numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    def int4(self, name: str, array: NDArray[np.int8]) -> str:
        """An INT4 initializer, two values to a byte, the first in the low half."""
        halves = (np.pad(array.ravel(), (0, array.size % 2)).astype(np.int8) & 0xF).view(np.uint8)
        packed = (halves[0::2] | halves[1::2] << 4).tobytes()
        self.initializers.append(helper.make_tensor(name, TensorProto.INT4, array.shape, packed, raw=True))
        return name

    def add(self, operator: str, output: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """One node with one output, which also names the node."""
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, domain=domain, **attributes))
        return output

    def rename_output(self, name: str) -> str:
        """Call the last node and its output ``name``, to go on from there."""
        self.nodes[-1].output[0] = self.nodes[-1].name = name
        return name

    def model(self, output: str = "logits", shape: tuple[int, ...] = (10,), domains: tuple[str, ...] = ()) -> onnx.ModelProto:
        """The whole model, checked unless it uses foreign ``domains``."""
        graph = helper.make_graph(
            self.nodes,
            self._name,
            [helper.make_tensor_value_info(self.images, TensorProto.FLOAT, ["N", 1, 8, 8])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", *shape])],
            self.initializers,
        )
        opsets = [helper.make_opsetid("", self._opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSIONS[self._opset], producer_name="micronet-samples")
        if not domains:
            onnx.checker.check_model(model, full_check=True)
        return model


def save(model: onnx.ModelProto, path: Path) -> None:
    """One file, the same bytes on every run."""
    path.write_bytes(model.SerializeToString(deterministic=True))


def move_weights_out(model: onnx.ModelProto, location: str) -> bytes:
    """Take the bytes of all float initializers out of ``model``, which then names ``location`` for them; those bytes."""
    data = bytearray()
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            set_external_data(tensor, location, offset=len(data), length=len(tensor.raw_data))
            data += tensor.raw_data
            tensor.ClearField("raw_data")
    return bytes(data)
