"""The small networks of all plugins' tests, exported by torch: the graph gives torch's numbers, the loader torch's answers."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from micronet_verify_onnx.loader import OnnxLoader

from micronet_verify.counting.count import count_graph
from micronet_verify.framework.requests import PredictRequest
from micronet_verify.track.rules import CountingRules
from tests.plugins.networks import NETWORKS
from tests.plugins.onnx.support import execute, translate

# The lowering of recurrent layers is for counting, and nearest-neighbour pixels are not worked out here.
NOT_EXECUTED = {"lstm", "gru", "rnn", "upsampler"}


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    paths = {}
    for name, network in NETWORKS.items():
        paths[name] = tmp_path_factory.mktemp(name) / "model.onnx"
        axes = {"x": {0: "n"}, "y": {0: "n"}}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own deprecations
            torch.onnx.export(
                network.build(),
                (network.example(1),),
                str(paths[name]),
                dynamo=False,
                opset_version=17,
                input_names=["x"],
                output_names=["y"],
                dynamic_axes=axes,
            )
    return paths


@pytest.mark.parametrize("name", NETWORKS)
def test_the_graph_computes_what_torch_computes(exported: dict[str, Path], name: str) -> None:
    network = NETWORKS[name]
    example = network.example(1)
    expected = network.build()(example).detach().numpy()
    found = translate(exported[name])
    assert found.shapes() == [expected.shape]
    if name not in NOT_EXECUTED:
        np.testing.assert_allclose(found.run(example.numpy())[0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_loader_answers_like_torch(exported: dict[str, Path], name: str) -> None:
    network = NETWORKS[name]
    inputs = network.example(5)
    answers = np.concatenate([answer.outputs for answer in OnnxLoader().predict(PredictRequest(exported[name], inputs.numpy(), 2, 1))])
    np.testing.assert_allclose(answers, network.build()(inputs).detach().numpy(), rtol=1e-4, atol=1e-5)


def test_places_are_torchs_module_paths(exported: dict[str, Path]) -> None:
    scopes = {n.scope for n in translate(exported["mobilenet"]).nodes if n.kind == "conv"}
    assert {"0.0", "1.expand.0", "1.depthwise.0", "1.project.0", "2.excite.reduce"} <= scopes


def test_an_untrained_affine_part_of_an_instance_norm_is_none(exported: dict[str, Path]) -> None:
    # torch writes a group norm as an instance norm with a scale of ones and a shift of zeros, then a multiply and an add.
    found = translate(exported["upsampler"])
    (norm,) = [n for n in found.nodes if n.kind == "normalise"]
    assert len(norm.inputs) == 1


class Calibration:
    """Sixteen examples in batches of four, as onnxruntime's quantizer asks for them."""

    def __init__(self, name: str) -> None:
        inputs = NETWORKS[name].example(16).numpy()
        self._batches = iter([{"x": inputs[start : start + 4]} for start in range(0, 16, 4)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._batches, None)


@pytest.mark.parametrize("name", ["convnet", "mlp"])
def test_what_onnxruntimes_quantizer_writes_costs_the_same_in_both_formats(exported: dict[str, Path], name: str, tmp_path: Path) -> None:
    from onnxruntime.quantization import QuantFormat, quantize_static

    totals = []
    for style in (QuantFormat.QDQ, QuantFormat.QOperator):
        path = tmp_path / f"{style.name}.onnx"
        quantize_static(str(exported[name]), str(path), Calibration(name), quant_format=style)
        found = translate(path)
        ledger = count_graph(found.graph, found.store, CountingRules()).ledgers["quantized"]
        totals.append((ledger.storage, ledger.operations))
    assert totals[0] == totals[1]


def test_dynamic_quantization_gives_onnxruntimes_numbers(exported: dict[str, Path], tmp_path: Path) -> None:
    from onnxruntime.quantization import quantize_dynamic

    path = tmp_path / "dynamic.onnx"
    quantize_dynamic(str(exported["attention"]), str(path))
    example = NETWORKS["attention"].example(1).numpy()
    np.testing.assert_allclose(translate(path).run(example)[0], execute(path, {"x": example})[0], rtol=1e-4, atol=1e-5)
