"""LSTM, GRU and RNN: the numbers of onnxruntime, and the work of their cells written out."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from tests.executed import turns
from tests.plugins.onnx.support import Translated, compare, graph, info, model, node, problems, random, saved, translate, unknown, x_to_y

T, N, WIDTH, H = 5, 1, 3, 4
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def weights(kind: str, directions: int = 1) -> dict[str, Any]:
    g = GATES[kind]
    return {"w": random(directions, g * H, WIDTH), "r": random(directions, g * H, H, seed=1), "b": random(directions, 2 * g * H, seed=2)}


def products(found: Translated) -> dict[tuple[tuple[int, ...], ...], int]:
    """Shapes of the operands of every matmul, without its bias, and how often it is done."""
    total: Counter[tuple[tuple[int, ...], ...]] = Counter()
    for n, values, times in turns(found.graph):
        if n.kind == "matmul":
            total[tuple(values[name].shape for name in n.inputs[:2])] += times
    return total


def functions(found: Translated) -> dict[str, int]:
    """Results of each element-wise function, over all turns."""
    total: Counter[str] = Counter()
    for n, values, times in turns(found.graph):
        if n.kind == "elementwise":
            total[str(n.attributes["op"])] += values[n.outputs[0]].numel * times
    return total


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_results_are_those_of_onnxruntime(kind: str, direction: str) -> None:
    directions = 2 if direction == "bidirectional" else 1
    # The batch is the second axis of a sequence, so the sequence comes from a batch-first input.
    nodes = [node("Transpose", "x", "t", perm=[1, 0, 2]), node(kind, "t w r b", "y h", hidden_size=H, direction=direction)]
    found = compare(nodes, {"x": random(N, T, WIDTH)}, weights(kind, directions), "y h")
    assert found.shapes() == [(T, directions, N, H), (directions, N, H)]


@pytest.mark.parametrize(
    ("kind", "attributes"), [("LSTM", {}), ("RNN", {}), ("GRU", {"linear_before_reset": 0}), ("GRU", {"linear_before_reset": 1})]
)
def test_one_step_gives_the_numbers_of_onnxruntime(kind: str, attributes: dict[str, int]) -> None:
    constants = {**weights(kind), "h0": random(1, N, H, seed=3), "c0": random(1, N, H, seed=4)}
    states = "h0 c0" if kind == "LSTM" else "h0"
    nodes = [node("Transpose", "x", "t", perm=[1, 0, 2]), node(kind, f"t w r b - {states}", "y h", hidden_size=H, **attributes)]
    compare(nodes, {"x": random(N, 1, WIDTH, seed=9)}, constants, "y h")


def test_a_layer_costs_its_cell_times_the_steps() -> None:
    nodes = [node("Transpose", "x", "t", perm=[1, 0, 2]), node("LSTM", "t w r b", "y", hidden_size=H)]
    found = compare(nodes, {"x": random(N, T, WIDTH)}, weights("LSTM"))
    # One product for the inputs of all steps; the state's product once for each step.
    assert products(found) == {((T, N, WIDTH), (4 * H, WIDTH)): 1, ((1, N, H), (4 * H, H)): T}
    # Once, among constants: the two biases (4H, B17). Per step: x and h parts added (4H), i∘g + f∘c (H); three products; three
    # sigmoids; tanh of g and of c.
    assert functions(found) == {"add": 4 * H + T * 5 * H, "mul": T * 3 * H, "sigmoid": T * 3 * H, "tanh": T * 2 * H}


def test_gru_work_per_step() -> None:
    nodes = [node("Transpose", "x", "t", perm=[1, 0, 2]), node("GRU", "t w r b", "y", hidden_size=H, linear_before_reset=1)]
    found = compare(nodes, {"x": random(N, T, WIDTH)}, weights("GRU"))
    # r and z: two adds, two sigmoids; n: r∘h, add, tanh; h' = (1 − z)∘n + z∘h.
    assert functions(found) == {"add": T * 4 * H, "mul": T * 3 * H, "sub": T * H, "sigmoid": T * 2 * H, "tanh": T * H}


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_what_goes_into_activations_may_be_clipped(kind: str, direction: str) -> None:
    directions = 2 if direction == "bidirectional" else 1
    nodes = [
        node("Transpose", "x", "t", perm=[1, 0, 2]),
        node(kind, "t w r b", "y h", hidden_size=H, direction=direction, clip=0.3, **({"linear_before_reset": 1} if kind == "GRU" else {})),
    ]
    compare(nodes, {"x": random(N, T, WIDTH)}, weights(kind, directions), "y h")


def test_each_direction_has_activations_and_parameters_of_its_own() -> None:
    """HardSigmoid takes the next alpha and beta, LeakyRelu the next alpha, whatever direction they belong to."""
    names = ["HardSigmoid", "LeakyRelu", "HardSigmoid", "Tanh"]
    nodes = [
        node("Transpose", "x", "t", perm=[1, 0, 2]),
        node(
            *("GRU", "t w r b", "y h"),
            hidden_size=H,
            direction="bidirectional",
            activations=names,
            activation_alpha=[0.3, 0.2, 0.1],
            activation_beta=[0.4, 0.6],
        ),
    ]
    compare(nodes, {"x": random(N, T, WIDTH)}, weights("GRU", 2), "y h")


def test_peepholes_and_other_activations() -> None:
    constants = {**weights("LSTM"), "p": random(1, 3 * H, seed=5), "h0": random(1, N, H, seed=3), "c0": random(1, N, H, seed=4)}
    nodes = [
        node("Transpose", "x", "t", perm=[1, 0, 2]),
        node("LSTM", "t w r b - h0 c0 p", "y", hidden_size=H, activations=["HardSigmoid", "Relu", "Tanh"], activation_alpha=[0.3]),
    ]
    found = compare(nodes, {"x": random(N, 1, WIDTH)}, constants)
    hard = next(n for n in found.nodes if n.attributes.get("op") == "hard_sigmoid")
    assert hard.attributes["alpha"] == pytest.approx(0.3)
    assert hard.attributes["beta"] == 0.5


def test_batch_first_layout() -> None:
    # onnxruntime has no kernel for layout=1, so only the shapes of the specification are checked.
    body = graph(
        [node("GRU", "x w r", "y h", hidden_size=H, layout=1)], [info("x", ("n", T, WIDTH))], [unknown("y"), unknown("h")], weights("GRU")
    )
    assert translate(saved(model(body))).shapes() == [(N, T, 1, H), (N, 1, H)]


def test_only_the_results_that_are_read_are_built() -> None:
    nodes = [node("Transpose", "x", "t", perm=[1, 0, 2]), node("LSTM", "t w r", "- h", hidden_size=H), node("Relu", "h")]
    assert compare(nodes, {"x": random(N, T, WIDTH)}, weights("LSTM")).shapes() == [(1, N, H)]


@pytest.mark.parametrize(
    ("attributes", "operands", "sentence"),
    [
        ({"activations": ["Affine", "Tanh", "Tanh"]}, "t w r b", "got the activation 'Affine' but should be one of"),
        ({"input_forget": 1}, "t w r b", "got an LSTM with input_forget but should have separate input and forget gates"),
        ({}, "t w r b n", "got sequence lengths (3,) of 5 steps but should be whole sequences"),
        ({"hidden_size": 7}, "t w r b", "got weights of shape (1, 16, 3) and (1, 16, 4) but should fit 1 direction(s) and the hidden size"),
    ],
)
def test_what_a_layer_cannot_have(attributes: dict[str, Any], operands: str, sentence: str) -> None:
    nodes = [node("Transpose", "x", "t", perm=[1, 0, 2]), node("LSTM", operands, "y", **{"hidden_size": H, **attributes})]
    body = x_to_y(nodes, (T, WIDTH), {**weights("LSTM"), "n": np.array([3], np.int32)})
    (found,) = problems(model(body))
    assert found.startswith(sentence)
    assert found.endswith("[LSTM in the_LSTM]") or "activation" in sentence
