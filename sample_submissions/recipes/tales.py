"""The entries of the track ``tales``: small recurrent networks that foretell a generated text, a token at a time.

They are trained on the training lines alone, as the judge's reader gives them.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from micronet_verify.quality.datasets import tales
from micronet_verify.quality.datasets import token_stream as language
from sample_submissions.networks import Teller
from sample_submissions.recipes.training import magnitude_masks

SAMPLES = Path(__file__).parents[1]
STREAMS, TOKENS, EPOCHS, RATE = 32, 40, 12, 0.02
CHUNK = 32
OPSET, IR_VERSION = 18, 8
Masks = Mapping[str, torch.Tensor]


def stream(split: str) -> NDArray[np.int64]:
    """The tokens of a split behind a first <eos>, [tokens + 1]."""
    vocabulary = language.build_vocabulary(tales.lines("train"))
    found: NDArray[np.int64] = language.stream(language.token_ids(tales.lines(split), vocabulary, split), vocabulary)[:, 0]
    return found


def fit(net: Teller, epochs: int, rate: float, masks: Masks | None = None) -> None:
    """Train ``net`` in place, in streams that carry their state on; masked weights stay zero."""
    text = torch.from_numpy(stream("train"))
    count = len(text) // STREAMS
    rows = text[: count * STREAMS].reshape(STREAMS, count).T
    starts = range(0, count - TOKENS - 1, TOKENS)
    parameters = dict(net.named_parameters())
    optimizer = torch.optim.Adam(parameters.values(), rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * len(starts))
    _mask(parameters, masks or {})
    net.train()
    for _ in range(epochs):
        h = net.start.expand(1, STREAMS, -1)
        for place, start in enumerate(starts):
            seen, after = rows[start : start + TOKENS], rows[start + 1 : start + TOKENS + 1]
            found, h = net.rnn(net.embed(seen), h if place == 0 else h.detach())
            loss = nn.functional.cross_entropy(net.head(found).flatten(0, 1), after.flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            _mask(parameters, masks or {})
    net.eval()


def _mask(parameters: Mapping[str, nn.Parameter], masks: Masks) -> None:
    with torch.no_grad():
        for name, mask in masks.items():
            parameters[name].copy_(torch.where(mask > 0, parameters[name], torch.zeros(())))


def log_likelihoods(net: Teller) -> NDArray[np.float32]:
    """Of the test's tokens, [tokens], in one call: the samples' own yardstick."""
    text = torch.from_numpy(stream("test"))
    with torch.no_grad():
        rows, _ = net(text[:-1], net.start)
    found: NDArray[np.float32] = rows[torch.arange(len(rows)), text[1:]].numpy()
    return found


def trained() -> Teller:
    torch.manual_seed(1)
    net = Teller()
    fit(net, EPOCHS, RATE)
    return net


def dense_onnx(folder: Path) -> None:
    """The track's baseline, with the initial state that it learned."""
    net = trained()
    onnx_step(net, folder / "step.onnx")
    np.savez(folder / "state.npz", h=net.start.detach().numpy()[0])


def pruned_pt2(folder: Path) -> None:
    """The same network begun again from zeros, its weights pruned in three steps; a chunk beside the step."""
    net = trained()
    with torch.no_grad():
        net.start.zero_()
    net.start.requires_grad_(False)
    for share in (0.3, 0.5, 0.6):
        shares = {"rnn.weight_ih_l0": share, "rnn.weight_hh_l0": share, "head.weight": share}
        fit(net, 8, RATE / 2, magnitude_masks(net, shares))
    export(net, folder / "step.pt2", 1)
    export(net, folder / "chunk.pt2", CHUNK)


TALES: dict[str, Callable[[Path], None]] = {"dense-gru-onnx": dense_onnx, "pruned-gru-pt2": pruned_pt2}


def export(net: Teller, path: Path, tokens: int) -> None:
    """``torch.export.save`` for so many tokens at a time, without the exporter's notes of installed files."""
    example = torch.zeros(tokens, dtype=torch.int64), torch.zeros_like(net.start)
    net = copy.deepcopy(net)
    del net.start  # no part of the step
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.export.export(net.eval(), example)
        for node in program.graph.nodes:
            node.meta.pop("stack_trace", None)
        torch.export.save(program, path)


def onnx_step(net: Teller, path: Path) -> None:
    """(token [1], h [1, hidden]) → (answer [1, words], h_out [1, hidden])."""
    node = helper.make_node
    nodes = [
        node("Gather", ["embed.weight", "token"], ["x"]),
        node("Gemm", ["x", "rnn.weight_ih_l0", "rnn.bias_ih_l0"], ["from_x"], transB=1),
        node("Gemm", ["h", "rnn.weight_hh_l0", "rnn.bias_hh_l0"], ["from_h"], transB=1),
        node("Split", ["from_x"], ["xr", "xz", "xn"], axis=1, num_outputs=3),
        node("Split", ["from_h"], ["hr", "hz", "hn"], axis=1, num_outputs=3),
        node("Add", ["xr", "hr"], ["r_in"]),
        node("Add", ["xz", "hz"], ["z_in"]),
        node("Sigmoid", ["r_in"], ["r"]),
        node("Sigmoid", ["z_in"], ["z"]),
        node("Mul", ["r", "hn"], ["rhn"]),
        node("Add", ["xn", "rhn"], ["n_in"]),
        node("Tanh", ["n_in"], ["n"]),
        node("Sub", ["h", "n"], ["h_n"]),
        node("Mul", ["z", "h_n"], ["zh_n"]),
        node("Add", ["n", "zh_n"], ["h_out"]),
        node("Gemm", ["h_out", "head.weight", "head.bias"], ["scores"], transB=1),
        node("LogSoftmax", ["scores"], ["answer"], axis=-1),
    ]
    tensors = [numpy_helper.from_array(tensor.detach().numpy(), name) for name, tensor in net.named_parameters() if name != "start"]
    hidden, words = net.start.shape[-1], net.head.out_features
    inputs = [_value("token", TensorProto.INT64, 1), _value("h", TensorProto.FLOAT, 1, hidden)]
    outputs = [_value("answer", TensorProto.FLOAT, 1, words), _value("h_out", TensorProto.FLOAT, 1, hidden)]
    graph = helper.make_graph(nodes, "teller", inputs, outputs, tensors)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="micronet-samples"
    )
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _value(name: str, kind: int, *shape: int) -> Any:
    return helper.make_tensor_value_info(name, kind, list(shape))
