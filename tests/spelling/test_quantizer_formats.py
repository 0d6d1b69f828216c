"""What onnxruntime's quantizer writes as QDQ and as QOperator: where the two ledgers differ, the two networks do.

``tests/plugins/onnx/test_networks.py`` has the networks for which it writes the same one twice.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from micronet_verify_onnx.counter import OnnxCounter
from onnx import numpy_helper

from micronet_verify.counting.ledger import Ledger
from tests.plugins.networks import NETWORKS
from tests.spelling.counted import Array, counted

FORMATS = ("QDQ", "QOperator")


@dataclass(frozen=True)
class Quantized:
    model: onnx.ModelProto
    ledger: Ledger

    @property
    def nodes(self) -> Counter[str]:
        return Counter(node.op_type for node in self.model.graph.node)

    def constant(self, name: str) -> Array:
        (found,) = [tensor for tensor in self.model.graph.initializer if tensor.name == name]
        return numpy_helper.to_array(found)


class Calibration:
    """Sixteen examples in batches of four."""

    def __init__(self, name: str) -> None:
        inputs = NETWORKS[name].example(16).numpy()
        self._batches: Iterator[dict[str, Array]] = iter([{"x": inputs[start : start + 4]} for start in range(0, 16, 4)])

    def get_next(self) -> dict[str, Array] | None:
        return next(self._batches, None)


def quantized(name: str, folder: Path) -> Mapping[str, Quantized]:
    from onnxruntime.quantization import QuantFormat, quantize_static

    network, whole = NETWORKS[name], folder / "whole.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own deprecations
        torch.onnx.export(
            network.build(), (network.example(1),), str(whole), dynamo=False, opset_version=17, input_names=["x"], output_names=["y"],
            dynamic_axes={"x": {0: "n"}, "y": {0: "n"}},
        )  # fmt: skip
    found = {}
    for style in FORMATS:
        path = folder / f"{style}.onnx"
        quantize_static(str(whole), str(path), Calibration(name), quant_format=QuantFormat[style])
        found[style] = Quantized(onnx.load(path), counted(path, OnnxCounter()).ledgers["quantized"])
    return found


@pytest.fixture(scope="module")
def residual(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Quantized]:
    return quantized("residual", tmp_path_factory.mktemp("residual"))


def test_a_relu_that_a_quantizer_cuts_off_as_well_costs_nothing_in_either_format(residual: Mapping[str, Quantized]) -> None:
    """B18 (O19): QDQ leaves a relu behind a batch norm to the range of its codes; QOperator keeps it, in front of codes that start at 0."""
    qdq, operators = residual["QDQ"], residual["QOperator"]
    assert (qdq.nodes["Relu"], operators.nodes["Relu"]) == (0, 1)
    # 8 channels of 8×8 paid a compare of 32 bits each in one of them, for what the other's quantizer did.
    assert operators.ledger.operations - qdq.ledger.operations == 0


def test_one_of_two_residual_networks_has_a_scale_and_a_zero_point_more(residual: Mapping[str, Quantized]) -> None:
    """The pool's result has a scale and a zero point of its own there, so the classifier's bias has another scale, and needs a bit more."""
    qdq, operators = residual["QDQ"], residual["QOperator"]
    widths = [int(np.abs(found.constant(_bias(found))).max()).bit_length() + 1 for found in (qdq, operators)]
    assert widths == [14, 15]
    assert operators.ledger.storage - qdq.ledger.storage == (32 + 8 + 10 * (15 - 14)) / 32


def _bias(found: Quantized) -> str:
    (name,) = [
        tensor.name for tensor in found.model.graph.initializer if tensor.name.endswith("bias_quantized") and tuple(tensor.dims) == (10,)
    ]
    return name


def test_two_attention_networks_have_other_codes(tmp_path: Path) -> None:
    """A softmax has the scale 1/255 in one and 1/256 in the other; added biases have a zero point in one alone."""
    found = quantized("attention", tmp_path)
    softmax = {style: _scale_behind(found[style].model, "Softmax" if style == "QDQ" else "QLinearSoftmax") for style in FORMATS}
    assert softmax == {"QDQ": np.float32(1 / 255), "QOperator": np.float32(1 / 256)}
    biases = ("0.bias", "1.qkv.bias", "1.out.bias", "1.feed.0.bias", "1.feed.2.bias")
    zeros = {style: [bool(found[style].constant(f"{name}_zero_point")) for name in biases] for style in FORMATS}
    assert zeros == {"QDQ": [True] * 5, "QOperator": [False] * 5}
    assert found["QDQ"].ledger.operations == found["QOperator"].ledger.operations


def _scale_behind(model: onnx.ModelProto, kind: str) -> np.float32:
    (node,) = [node for node in model.graph.node if node.op_type == kind]
    if kind == "QLinearSoftmax":
        name = node.input[3]
    else:
        name = next(reader.input[1] for reader in model.graph.node if node.output[0] in reader.input)
    (found,) = [tensor for tensor in model.graph.initializer if tensor.name == name]
    return np.float32(numpy_helper.to_array(found))
