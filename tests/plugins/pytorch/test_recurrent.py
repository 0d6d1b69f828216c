"""Recurrent layers and cells: the shapes they declare, their weights, and their answers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from micronet_verify_pytorch.loader import PyTorchLoader
from torch import Tensor, nn

from micronet_verify.facts.graph import Graph
from micronet_verify.framework.requests import PredictRequest
from tests.executed import assert_agrees, turns
from tests.plugins.pytorch.support import Function, archive, translate

LAYERS = {
    "lstm": nn.LSTM(3, 4, batch_first=True),
    "lstm two layers both ways": nn.LSTM(3, 4, 2, bidirectional=True, batch_first=True),
    "lstm projected": nn.LSTM(3, 5, proj_size=2, batch_first=True),
    "lstm without bias": nn.LSTM(3, 4, bias=False, batch_first=True),
    "gru": nn.GRU(3, 4, batch_first=True),
    "gru both ways": nn.GRU(3, 4, bidirectional=True, batch_first=True),
    "rnn": nn.RNN(3, 4, batch_first=True),
    "rnn relu": nn.RNN(3, 4, nonlinearity="relu", batch_first=True),
}


def last(x: Tensor, layer: nn.Module) -> Tensor:
    y, state = layer(x)
    final = state[0] if isinstance(state, tuple) else state
    return torch.cat((y[:, -1], final[-1]), 1)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str, tmp_path: Path) -> None:
    layer, x = LAYERS[name], torch.randn(2, 6, 3)
    model = Function(last, layer)
    path = archive(model, x, tmp_path, decomposed=False)
    graph = translate(path)
    with torch.no_grad():
        wanted = model(x)
    assert graph.values[graph.outputs[0]].shape == (1, wanted.shape[1])
    used = {graph.values[name].label for node in graph.nodes for name in node.inputs}
    assert {f"parts.0.{name}" for name in layer.state_dict()} <= used
    (answer,) = PyTorchLoader().predict(PredictRequest(path, x.numpy(), 2, 1))
    np.testing.assert_allclose(answer.outputs, wanted.numpy(), rtol=1e-5, atol=1e-6)
    assert_agrees("pytorch", path, x.numpy())


def work(graph: Graph) -> Counter[str]:
    """Elements that each element-wise function makes of anything but constants, and multiplies of the products."""
    total: Counter[str] = Counter()
    for node, values, times in turns(graph):
        out = values[node.outputs[0]].numel * times
        if node.kind == "elementwise" and any(name not in values or values[name].constant is None for name in node.inputs):
            total[str(node.attributes["op"])] += out
        elif node.kind == "matmul":
            total["multiply"] += out * values[node.inputs[1]].shape[1]
    return total


CELLS = {
    "lstm": (nn.LSTM(3, 4, batch_first=True), nn.LSTMCell(3, 4)),
    "gru": (nn.GRU(3, 4, batch_first=True), nn.GRUCell(3, 4)),
    "rnn": (nn.RNN(3, 4, batch_first=True), nn.RNNCell(3, 4)),
}


@pytest.mark.parametrize("name", CELLS)
def test_a_layer_does_the_work_of_its_cells(name: str, tmp_path: Path) -> None:
    def unrolled(x: Tensor, cell: nn.Module) -> Tensor:
        state = None
        for step in range(x.shape[1]):
            state = cell(x[:, step], state)
        return state[0] if isinstance(state, tuple) else state

    layer, cell = CELLS[name]
    x = torch.randn(2, 6, 3)
    whole = work(translate(archive(Function(lambda x, m: m(x)[0][:, -1], layer), x, tmp_path, decomposed=False)))
    assert whole == work(translate(archive(Function(unrolled, cell), x, tmp_path, decomposed=False)))
    gates = {"lstm": 4, "gru": 3, "rnn": 1}[name]
    assert whole["multiply"] == 6 * gates * 4 * (3 + 4)
    if name == "lstm":
        assert whole["sigmoid"] == 6 * 3 * 4
        assert whole["tanh"] == 6 * 2 * 4
