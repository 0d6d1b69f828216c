"""Small recurrent language models: one set of weights as ONNX steps and chunks, as torch modules, and as plain numpy.

x = E[token];  r, z = σ(W x + b + U h + c);  n = tanh(W x + b + r·(U h + c));  h' = (1 − z)·n + z·h;  log_softmax(O h' + o)
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

Weights = dict[str, NDArray[Any]]
ELEMENTS = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE, "int64": TensorProto.INT64, "int8": TensorProto.INT8}


class Gru(nn.Module):
    """(tokens [T], h [1, 1, hidden]) → (log-probabilities [T, words], h): a step at T = 1, a chunk beyond."""

    def __init__(self, words: int, width: int, hidden: int) -> None:
        super().__init__()
        self.embed, self.rnn, self.head = nn.Embedding(words, width), nn.GRU(width, hidden), nn.Linear(hidden, words)

    def forward(self, tokens: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        rows, h = self.rnn(self.embed(tokens)[:, None], h)
        return torch.log_softmax(self.head(rows[:, 0]), -1), h


def weights_of(model: Gru) -> Weights:
    names = {"E": "embed.weight", "W": "rnn.weight_ih_l0", "U": "rnn.weight_hh_l0", "b": "rnn.bias_ih_l0", "c": "rnn.bias_hh_l0"}
    state = model.state_dict()
    return {short: state[name].numpy() for short, name in {**names, "O": "head.weight", "o": "head.bias"}.items()}


def straight(weights: Weights, tokens: Sequence[int], h: NDArray[Any] | None = None) -> list[float]:
    """Log-likelihoods of tokens 1, 2, … in numpy and double precision, a token at a time, with nothing of the judge's."""
    w = {name: array.astype(np.float64) for name, array in weights.items()}
    hidden = w["U"].shape[1]
    h = np.zeros(hidden) if h is None else h.astype(np.float64).reshape(hidden)
    inputs, states = w["E"] @ w["W"].T + w["b"], []
    for token in tokens[:-1]:
        i, s = inputs[token], w["U"] @ h + w["c"]
        r, z = np.split(1 / (1 + np.exp(-i[: 2 * hidden] - s[: 2 * hidden])), 2)
        n = np.tanh(i[2 * hidden :] + r * s[2 * hidden :])
        h = (1 - z) * n + z * h
        states.append(h)
    found: list[float] = []
    for start in range(0, len(states), 4096):
        scores = np.array(states[start : start + 4096]) @ w["O"].T + w["o"]
        top = scores.max(axis=1)
        after = scores[np.arange(len(scores)), tokens[start + 1 : start + 1 + len(scores)]]
        found += (after - top - np.log(np.exp(scores - top[:, None]).sum(axis=1))).tolist()
    return found


def cell(tag: str, x: str, h: str) -> tuple[list[Any], str]:
    """ONNX nodes of one token; the name of the new state."""
    node, p = helper.make_node, tag
    return [
        node("Gemm", [x, "W", "b"], [f"{p}i"], transB=1),
        node("Gemm", [h, "U", "c"], [f"{p}s"], transB=1),
        node("Split", [f"{p}i"], [f"{p}ir", f"{p}iz", f"{p}in"], axis=1, num_outputs=3),
        node("Split", [f"{p}s"], [f"{p}sr", f"{p}sz", f"{p}sn"], axis=1, num_outputs=3),
        node("Add", [f"{p}ir", f"{p}sr"], [f"{p}r0"]),
        node("Add", [f"{p}iz", f"{p}sz"], [f"{p}z0"]),
        node("Sigmoid", [f"{p}r0"], [f"{p}r"]),
        node("Sigmoid", [f"{p}z0"], [f"{p}z"]),
        node("Mul", [f"{p}r", f"{p}sn"], [f"{p}rs"]),
        node("Add", [f"{p}in", f"{p}rs"], [f"{p}n0"]),
        node("Tanh", [f"{p}n0"], [f"{p}n"]),
        node("Sub", ["one", f"{p}z"], [f"{p}y"]),
        node("Mul", [f"{p}y", f"{p}n"], [f"{p}yn"]),
        node("Mul", [f"{p}z", h], [f"{p}zh"]),
        node("Add", [f"{p}yn", f"{p}zh"], [f"{p}h"]),
    ], f"{p}h"


def value(name: str, fmt: str, shape: Sequence[int | str]) -> Any:
    return helper.make_tensor_value_info(name, ELEMENTS[fmt], list(shape))


def save(path: Path, nodes: Sequence[Any], inputs: Sequence[Any], outputs: Sequence[Any], tensors: Weights) -> Path:
    graph = helper.make_graph(list(nodes), "g", list(inputs), list(outputs), [numpy_helper.from_array(a, n) for n, a in tensors.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def constants(weights: Weights) -> Weights:
    return {**weights, "one": np.ones((), weights["E"].dtype)}


def onnx_step(path: Path, weights: Weights) -> Path:
    """(token [1], h [1, hidden]) → (log-probabilities [1, words], h)."""
    fmt, (words, hidden) = weights["E"].dtype.name, weights["O"].shape
    nodes, new = cell("t", "x", "h")
    nodes = [helper.make_node("Gather", ["E", "token"], ["x"]), *nodes, *head(new, "lp")]
    states = [value("h", fmt, [1, hidden])], [value(new, fmt, [1, hidden])]
    return save(path, nodes, [value("token", "int64", [1]), *states[0]], [value("lp", fmt, [1, words]), *states[1]], constants(weights))


def head(h: str, out: str) -> list[Any]:
    scores = f"{out}s"
    return [helper.make_node("Gemm", [h, "O", "o"], [scores], transB=1), helper.make_node("LogSoftmax", [scores], [out], axis=-1)]


def onnx_chunk(path: Path, weights: Weights, length: int) -> Path:
    """(tokens [length], h) → (log-probabilities [length, words], h), written out token by token."""
    fmt, (words, hidden) = weights["E"].dtype.name, weights["O"].shape
    names = [f"x{place}" for place in range(length)]
    nodes = [helper.make_node("Gather", ["E", "tokens"], ["x"]), helper.make_node("Split", ["x"], names, axis=0, num_outputs=length)]
    state, rows = "h", []
    for place, name in enumerate(names):
        more, state = cell(f"t{place}_", name, state)
        nodes += more
        rows.append(state)
    nodes += [helper.make_node("Concat", rows, ["all"], axis=0), *head("all", "lp")]
    outputs = [value("lp", fmt, [length, words]), value(state, fmt, [1, hidden])]
    return save(path, nodes, [value("tokens", "int64", [length]), value("h", fmt, [1, hidden])], outputs, constants(weights))


def pt2_step(path: Path, model: nn.Module, *states: torch.Tensor) -> Path:
    return _saved(path, model, (torch.zeros(1, dtype=torch.int64), *states), None)


def pt2_chunk(path: Path, model: nn.Module, length: int | None, *states: torch.Tensor) -> Path:
    """For chunks of ``length``, or of any length (which torch does not export for recurrent layers)."""
    dynamic = None if length else ({0: torch.export.Dim("T")}, *({} for _ in states))
    tokens = torch.zeros(length or 5, dtype=torch.int64)
    return _saved(path, model, (tokens, *states), dynamic)


def _saved(path: Path, model: nn.Module, example: tuple[torch.Tensor, ...], dynamic: Any) -> Path:
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(model, example, dynamic_shapes=dynamic).run_decompositions({}), path)
    return path
