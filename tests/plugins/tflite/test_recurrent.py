"""UNIDIRECTIONAL_SEQUENCE_LSTM and _RNN: work and storage by hand, and a state that starts from zeros for each example."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from micronet_verify_tflite.loader import TfliteLoader

from micronet_verify.framework.requests import PredictRequest
from tests.executed import turns
from tests.plugins.tflite.support import execute, problems, random, saved, translate
from tests.plugins.tflite.writer import File

T, N, H = 6, 5, 4


def lstm(weights: str = "float32", **changes: Any) -> File:
    """x [1, T, N] through a layer of H cells; ``changes``: operands by their place, or options by name."""
    file, sub = File.new()
    x = sub.input((1, T, N))

    def matrix(columns: int, seed: int) -> int:
        if weights == "float32":
            return sub.constant(random(H, columns, seed=seed))
        codes = np.random.default_rng(seed).integers(1, 128, (H, columns)).astype(np.int8)
        codes[0, 0] = -127
        return sub.constant(codes, scale=0.01)

    operands = [x, *(matrix(N, 1 + gate) for gate in range(4)), *(matrix(H, 5 + gate) for gate in range(4)), -1, -1, -1]
    operands += [sub.constant(random(H, seed=9 + gate)) for gate in range(4)]
    operands += [-1, -1, sub.tensor((1, H), variable=True), sub.tensor((1, H), variable=True), -1, -1, -1, -1]
    options = {"fusedActivationFunction": 4, "timeMajor": False, "asymmetricQuantizeInputs": True}
    for name, value in changes.items():
        if name.startswith("at_"):
            operands[int(name[3:])] = sub.constant(value) if isinstance(value, np.ndarray) else value
        else:
            options[name] = value
    sub.outputs = sub.op("UNIDIRECTIONAL_SEQUENCE_LSTM", operands, [sub.tensor(())], "UnidirectionalSequenceLSTM", **options)
    return file


def test_what_an_lstm_costs() -> None:
    found = translate(lstm())
    assert found.shapes() == [(1, T, H)]
    ledger = found.count().ledgers["quantized"]
    product = 4 * H * (N + (N - 1) + 1) + 4 * H * (H + (H - 1))  # with one bias, and without
    # Sums of both products; three sigmoids and two tanh; three products and a sum.
    cell = 4 * H + 3 * H * (2 + 1) + 2 * H + 3 * H + H
    assert ledger.operations == T * (product + cell)
    assert ledger.storage == 4 * (H * N + H * H + H)


def test_the_runtime_runs_it_and_starts_each_example_from_zeros() -> None:
    path, x = saved(lstm()), random(3, T, N)
    answers = np.concatenate([answer.outputs for answer in TfliteLoader().predict(PredictRequest(path, x, 2, 1))])
    for row, answer in zip(x, answers, strict=True):
        np.testing.assert_allclose(answer, execute(path, row[None])[0][0], atol=1e-6)
    again = np.concatenate([answer.outputs for answer in TfliteLoader().predict(PredictRequest(path, x[::-1], 2, 1))])
    np.testing.assert_array_equal(again[::-1], answers)


def test_peepholes_and_a_projection() -> None:
    plain = translate(lstm()).count().ledgers["quantized"]
    peeping = translate(lstm(at_9=random(H), at_10=random(H, seed=2), at_11=random(H, seed=3))).count().ledgers["quantized"]
    # The first state is zeros: what two of the weights add to the first step is nothing.
    assert peeping.operations - plain.operations == T * 3 * H * 2 - 2 * H * 2
    assert peeping.storage - plain.storage == 3 * H
    narrow = {f"at_{5 + gate}": random(H, 2, seed=5 + gate) for gate in range(4)}
    found = translate(lstm(at_16=random(2, H, seed=20), **narrow))
    assert found.shapes() == [(1, T, 2)]
    recurrent = 4 * H * (H + H - 1) - 4 * H * (2 + 1)
    assert plain.operations - found.count().ledgers["quantized"].operations == T * (recurrent - 2 * (H + H - 1))


def test_integer_weights_quantize_input_and_state_once_for_all_gates() -> None:
    found = translate(lstm(weights="int8"))
    # The input, and the state of each step.
    assert sum(times for node, _, times in turns(found.graph) if node.kind == "quantize") == 1 + T
    ledger = found.count().ledgers["quantized"]
    lines = [line for line in ledger.lines if line.axis == "storage" and line.rule == "S1" and line.bits == 8]
    assert sum(line.quantity for line in lines) == 4 * (H * N + H * H)
    product = sum(line.amount for line in ledger.lines if line.operation == "multiply" and "weights" in line.formula)
    assert product == T * Fraction(4 * H * (N + H) * 8, 32)


def integer() -> File:
    """x int8, weights int8, states of 8 and 16 bits: what a fully quantized Keras LSTM becomes."""
    file, sub = File.new()
    x = sub.input((1, T, N), "int8", scale=0.03, zero=2)
    rng = np.random.default_rng(0)

    def matrix(columns: int) -> int:
        return sub.constant((rng.integers(1, 127, (H, columns)) * rng.choice([-1, 1], (H, columns))).astype(np.int8), scale=0.01)

    operands = [x, *(matrix(N) for _ in range(4)), *(matrix(H) for _ in range(4)), -1, -1, -1]
    operands += [sub.constant(rng.integers(-500, 500, H).astype(np.int32), scale=0.0003) for _ in range(4)]
    operands += [-1, -1, sub.tensor((1, H), "int8", scale=1 / 128, variable=True), sub.tensor((1, H), "int16", scale=2**-11, variable=True)]
    operands += [-1, -1, -1, -1]
    y = sub.tensor((1, T, H), "int8", scale=1 / 128)
    sub.outputs = sub.op("UNIDIRECTIONAL_SEQUENCE_LSTM", operands, [y], "UnidirectionalSequenceLSTM", fusedActivationFunction=4)
    for kind in range(5):
        made = sub.tensor((), "int16" if kind < 4 else "int8", scale=2**-12 if kind < 4 else 1 / 128)
        sub.operators[-1].intermediates = [*(sub.operators[-1].intermediates or []), made]
    return file


def test_an_integer_lstm_multiplies_8_bits_and_keeps_its_cell_in_16() -> None:
    found = translate(integer())
    assert found.shapes() == [execute(found.path, np.zeros((1, T, N), np.int8))[0].shape]
    ledger = found.count().ledgers["quantized"]
    products = [line for line in ledger.lines if line.operation == "multiply" and "weights" in line.formula]
    assert {line.bits for line in products} == {8}
    assert sum(line.quantity for line in products) == T * 4 * H * (N + H)
    # i·g and o·tanh(c) of 16 bits each, f·c likewise: by then all of them are codes.
    cell = [line for line in ledger.lines if line.rule == "O8" and line.operation == "multiply"]
    assert {line.bits for line in cell} == {16}
    assert sum(line.quantity for line in cell) == T * 3 * H


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"at_1": -1}, "got an LSTM whose input and forget gates are coupled but should have four gates"),
        ({"at_20": random(H)}, "got an LSTM with layer norm inside but should be without"),
        ({"cellClip": 3.0}, "got an LSTM that clips its state but should have cell_clip=0 and proj_clip=0"),
        ({"diagonalRecurrentTensors": True}, "got an LSTM with diagonal recurrent weights but should have matrices"),
        ({"fusedActivationFunction": 3}, "got the activation RELU6 but should be TANH, RELU or NONE"),
    ],
)
def test_cells_of_another_kind_are_refused(changes: dict[str, Any], sentence: str) -> None:
    assert problems(lstm(**changes))[0].startswith(sentence)


def test_what_an_rnn_costs() -> None:
    file, sub = File.new()
    x = sub.input((1, T, N))
    operands = [x, sub.constant(random(H, N)), sub.constant(random(H, H, seed=2)), sub.constant(random(H, seed=3))]
    operands.append(sub.tensor((1, H), variable=True))
    sub.outputs = sub.op("UNIDIRECTIONAL_SEQUENCE_RNN", operands, [sub.tensor(())], "SequenceRNN", fusedActivationFunction=4)
    found = translate(file)
    assert found.shapes() == [execute(found.path, random(1, T, N))[0].shape] == [(1, T, H)]
    ledger = found.count().ledgers["quantized"]
    assert ledger.operations == T * (H * (N + N - 1 + 1) + H * (H + H - 1) + H + H)
    assert ledger.storage == H * N + H * H + H


def test_a_variable_anywhere_else_is_refused() -> None:
    file, sub = File.new()
    x = sub.input((1, H))
    sub.outputs = sub.op("ADD", [x, sub.tensor((1, H), variable=True)], [sub.tensor(())], "Add")
    assert problems(file) == [
        "got a variable that keeps its value between examples but should answer each example alone [ADD in t2] "
        "(pass the state as inputs and outputs)"
    ]


def test_a_state_that_does_not_start_from_zeros_is_refused() -> None:
    file = lstm()
    state = next(tensor for tensor in file.subs[0].tensors if tensor.isVariable)
    state.buffer = file.buffer(random(1, H))
    assert problems(file) == [f"got a variable with values of its own but should start from zeros [tensor {state.name!r}]"]
