"""Networks that TensorFlow converts: priced completely, some by hand, and predicted as the plain interpreter does it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from micronet_verify_tflite.loader import TfliteLoader
from numpy.typing import NDArray

from micronet_verify.counting.ledger import Ledger
from micronet_verify.framework.requests import PredictRequest
from tests.plugins.tflite.support import Translated, random, translate

Converted = Callable[..., Path]
pytestmark = pytest.mark.xdist_group("tensorflow")
TINY = ("resnet8", "ds-cnn", "mobilenet", "autoencoder")
SHAPES = {"resnet8": (32, 32, 3), "ds-cnn": (49, 10, 1), "mobilenet": (96, 96, 3), "autoencoder": (640,), "attention": (16, 32)}


def quantized(found: Translated) -> Ledger:
    return found.count().ledgers["quantized"]


def charged(ledger: Ledger, subjects: str, operation: str) -> tuple[Fraction, Fraction]:
    """(quantity, amount) of the lines of operators whose name begins so, in one class."""
    lines = [
        line for line in ledger.lines if line.axis == "operations" and line.subject.startswith(subjects) and line.operation == operation
    ]
    return sum((line.quantity for line in lines), Fraction()), sum((line.amount for line in lines), Fraction())


@pytest.mark.parametrize("network", TINY)
def test_mlperf_tiny_in_int8_is_priced_completely(network: str, converted: Converted) -> None:
    found = translate(converted(network, "int8"))
    count = found.count()
    assert list(count.ledgers) == ["quantized"]
    work = {line.subject.partition(" ")[0] for line in count.ledgers["quantized"].lines if line.axis == "operations" and line.amount}
    assert {"CONV_2D", "FULLY_CONNECTED"} & work
    assert all(n.kind != "branch" for n in found.nodes)
    # Weights are 8 bits wide in every product.
    products = [line for line in count.ledgers["quantized"].lines if line.operation == "multiply" and "weights" in line.formula]
    assert {line.bits for line in products} == {8}


# (kernel, input channels, output channels, positions, relu behind it)
RESNET8 = [
    (3, 3, 16, 32 * 32, True),
    (3, 16, 16, 32 * 32, True),
    (3, 16, 16, 32 * 32, False),
    (3, 16, 32, 16 * 16, True),
    (3, 32, 32, 16 * 16, False),
    (1, 16, 32, 16 * 16, False),
    (3, 32, 64, 8 * 8, True),
    (3, 64, 64, 8 * 8, False),
    (1, 32, 64, 8 * 8, False),
]


def test_resnet8_by_hand(converted: Converted) -> None:
    found = translate(converted("resnet8", "int8"))
    ledger = quantized(found)
    macs = sum(k * k * i * o * positions for k, i, o, positions, _ in RESNET8)
    outputs = sum(o * positions for _, _, o, positions, _ in RESNET8)
    # An int8 weight of 0 is no multiply.
    rows = {(o, i, k, k): positions for k, i, o, positions, _ in RESNET8}
    skipped = sum(zeros * rows[shape] for shape, zeros in _zeros(found) if len(shape) == 4)
    # Multiplies of codes. A ReLU in front of codes that start at 0 is their saturation, which is free in this edition (B18).
    assert charged(ledger, "CONV_2D", "multiply") == (macs - skipped, Fraction((macs - skipped) * 8, 32))
    # n − 1 sums of each output and its bias.
    assert charged(ledger, "CONV_2D", "add") == (macs - skipped - outputs + outputs, macs - skipped)
    joins = 16 * 32 * 32 + 32 * 16 * 16 + 64 * 8 * 8
    # Codes of two scales meet at 32 bits (A9); the ReLU behind is saturation again.
    assert charged(ledger, "ADD", "add") == (joins, joins)
    assert charged(ledger, "ADD", "multiply") == (0, 0)
    assert charged(ledger, "AVERAGE_POOL_2D", "add") == (64 * (8 * 8 - 1), 64 * (8 * 8 - 1))
    assert charged(ledger, "AVERAGE_POOL_2D", "multiply") == (64, 64)
    assert charged(ledger, "SOFTMAX", "multiply") == (10 + 10, Fraction(10 * 8, 32) + 10)


def test_the_autoencoder_by_hand(converted: Converted) -> None:
    widths = (640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640)
    found = translate(converted("autoencoder", "float"))
    count = found.count()
    macs = sum(a * b for a, b in pairwise(widths))
    units = sum(widths[1:])
    relus = sum(widths[1:-1])
    freebie = count.ledgers["freebie"]
    # Batch norms are folded into the layers; each unit has a bias.
    assert freebie.storage == Fraction((macs + units) * 16, 32)
    assert freebie.operations == Fraction((macs + relus) * 16, 32) + (macs - units) + units
    found = translate(converted("autoencoder", "int8"))
    ledger, zeros = quantized(found), sum(count for _, count in _zeros(found))
    multiplies, amount = charged(ledger, "FULLY_CONNECTED", "multiply")
    # ReLUs are the saturation of their codes (B18).
    assert multiplies == macs - zeros
    assert amount == Fraction((macs - zeros) * 8, 32)
    assert charged(ledger, "FULLY_CONNECTED", "add") == (macs - zeros, macs - zeros)


def _zeros(found: Translated) -> list[tuple[tuple[int, ...], int]]:
    """The shape of each int8 weight, and how many of its codes are 0."""
    store = found.store
    weights = [value for value in found.graph.values.values() if value.constant and value.format.name == "int8" and len(value.shape) > 1]
    return [(v.shape, int(np.count_nonzero(store.open(v.constant, v.shape, v.format) == 0))) for v in weights if v.constant]


@pytest.mark.parametrize("network", ["autoencoder", "ds-cnn"])
def test_float_half_dynamic_and_int16_files_of_one_network(network: str, converted: Converted) -> None:
    counts = {kind: translate(converted(network, kind)).count() for kind in ("float", "float16", "dynamic", "int8", "int16")}
    # Without quantization below 16 bits both kinds of floats are one price.
    one, half = (counts[kind].ledgers["freebie"] for kind in ("float", "float16"))
    assert (one.storage, one.operations) == (half.storage, half.operations)
    found = {kind: count.ledgers["quantized"] for kind, count in counts.items()}
    assert found["float"].operations == found["float16"].operations
    # Integer activations need scales besides; small layers stay floats in a dynamic-range file.
    assert max(found["int8"].storage, found["dynamic"].storage) < found["float16"].storage < found["float"].storage
    assert found["int8"].operations < found["int16"].operations < found["float"].operations


def test_a_transformer_block_of_float_dynamic_and_int8(converted: Converted) -> None:
    for kind in ("float", "dynamic", "int8"):
        found = translate(converted("attention", kind))
        assert found.shapes() == [(1, 10)]
        assert found.count().ledgers["quantized"].operations > 0


def test_a_recurrent_layer_is_a_loop_written_out(converted: Converted) -> None:
    found = translate(converted("lstm", "float", 1))
    steps, inputs, hidden = 28, 28, 20
    # The first product of the state is with zeros, and counts like the others.
    product = 4 * hidden * (inputs + inputs - 1) + 4 * hidden * (hidden + hidden - 1)
    cell = 2 * 4 * hidden + 3 * hidden * (2 + 1) + 2 * hidden + 3 * hidden + hidden
    head = 10 * (2 * hidden - 1) + 10
    assert quantized(found).operations == steps * (product + cell) + head


@pytest.mark.parametrize(
    ("network", "kind", "batch"),
    [
        ("resnet8", "int8", None),
        ("ds-cnn", "float", None),
        ("ds-cnn", "int16", None),
        ("ds-cnn", "dynamic", None),
        ("autoencoder", "int8", 1),
        ("autoencoder", "float16", None),
        ("autoencoder", "int8", None),
        ("mobilenet", "int8", None),
        ("attention", "float", None),
        ("attention", "int8", None),
    ],
)
def test_predictions_are_the_plain_interpreters(network: str, kind: str, batch: int | None, converted: Converted) -> None:
    path = converted(network, kind, batch)
    x = random(5, *SHAPES[network])
    found = np.concatenate([answer.outputs for answer in TfliteLoader().predict(PredictRequest(path, x, 3, 1))])
    # The built-in kernels of hybrid layers sum a batch in another order than one example.
    np.testing.assert_allclose(found, plain(path, x, built_in=kind == "dynamic"), rtol=1e-5 if kind == "dynamic" else 0)


def plain(path: Path, x: NDArray[Any], built_in: bool) -> NDArray[Any]:
    """One example at a time through the interpreter, with its own scales outside; hybrid layers as the file says, by its own kernels."""
    kernels = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES if built_in else OpResolverType.AUTO
    session = Interpreter(str(path), num_threads=1, experimental_op_resolver_type=kernels)
    session.allocate_tensors()
    (given,), (made,) = session.get_input_details(), session.get_output_details()
    rows = []
    for row in x[:, None]:
        if given["dtype"] is np.int8:
            scale, zero = given["quantization"]
            row = np.clip(np.round(row / np.float32(scale)) + zero, -128, 127).astype(np.int8)
        session.set_tensor(given["index"], row)
        session.invoke()
        answer = session.get_tensor(made["index"])
        if made["dtype"] is np.int8:
            scale, zero = made["quantization"]
            answer = (answer.astype(np.float32) - zero) * np.float32(scale)
        rows.append(answer[0].copy())
    return np.stack(rows)
