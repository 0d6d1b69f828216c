"""Language models, per token: the WikiText-103 LSTM baseline and a QRNN."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from micronet_verify.track.library import load_track
from tests.reference.arithmetic import Cost, add, linear, multiply, sigmoid, tanh, total
from tests.reference.counts import Counts, agree
from tests.reference.networks.language import (
    LSTM_EMBEDDING,
    LSTM_HIDDEN,
    LSTM_WORDS,
    QRNN_EMBEDDING,
    QRNN_WORDS,
    qrnn_layers,
)


def tied_softmax(width: int, words: int) -> Cost:
    """The embedding's look-up moves data (O9), and its table is stored once (S4): here, with the product that reads it."""
    return linear(width, words)


def lstm() -> dict[str, Cost]:
    """Four gates from input and state, and their sum; then the cell. torch gives each gate two biases, which are one (B17)."""
    hidden = LSTM_HIDDEN
    gates = linear(LSTM_EMBEDDING, 4 * hidden) + linear(hidden, 4 * hidden, bias=False) + add(4 * hidden)
    # c' = f·c + i·g and h = o·tanh(c')
    cell = sigmoid(3 * hidden) + tanh(2 * hidden) + multiply(3 * hidden) + add(hidden)
    return {
        "lstm": gates + cell,
        "project": linear(hidden, LSTM_EMBEDDING),
        "": tied_softmax(LSTM_EMBEDDING, LSTM_WORDS),
    }


def qrnn() -> dict[str, Cost]:
    """z, f, o from one product; c' = f·c + (1 − f)·z; h = o·c'."""
    found = {"": tied_softmax(QRNN_EMBEDDING, QRNN_WORDS)}
    for index, (inputs, hidden) in enumerate(qrnn_layers()):
        gates = linear(inputs, 3 * hidden) + tanh(hidden) + sigmoid(2 * hidden)
        found[f"layers.{index}"] = gates + multiply(3 * hidden) + add(2 * hidden)
    return found


def moved_table(definition: dict[str, Cost], width: int, words: int) -> dict[str, Cost]:
    """The table is listed where it is first used, in the embedding."""
    table = Cost(values=width * words)
    softmax = Cost(definition[""].values - table.values, definition[""].multiplies, definition[""].adds, definition[""].macs)
    return definition | {"embed": table, "": softmax}


@pytest.mark.xdist_group("lstm")
def test_the_lstm_baseline(counts: Callable[[str], Counts]) -> None:
    """159.38 M values and 318.2 M operations (2 × multiply-accumulates) are the track's constants, to the digits printed."""
    whole = total(lstm().values())
    assert whole.macs == 4 * 2048 * (512 + 2048) + 2048 * 512 + 512 * 267_735
    assert f"{2 * whole.macs / 1e6:.1f}" == "318.2"
    assert f"{whole.values / 1e6:.2f}" == "159.38"
    baseline = load_track("wikitext103").baseline
    assert (baseline.parameters, baseline.operations) == (159_000_000, 318_000_000)
    agree(counts("lstm"), moved_table(lstm(), LSTM_EMBEDDING, LSTM_WORDS))


@pytest.mark.xdist_group("qrnn")
def test_the_qrnn(counts: Callable[[str], Counts]) -> None:
    """24 M parameters as published for Penn Treebank."""
    whole = total(qrnn().values())
    assert round(whole.values / 1e6) == 24
    assert whole.macs == 3 * (800 * 1550 + 2 * 1550 * 1550 + 1550 * 400) + 400 * 10_000
    agree(counts("qrnn"), moved_table(qrnn(), QRNN_EMBEDDING, QRNN_WORDS))
