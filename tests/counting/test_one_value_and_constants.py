"""B12: what changes nothing costs nothing, and what is done to constants alone is done once."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from micronet_verify.facts.formats import numeric_format
from micronet_verify.facts.graph import Value
from tests.build import Net, dense, operations

HALF, FLOAT, NARROW = (numeric_format(name) for name in ("float16", "float32", "float8_e4m3fn"))


@pytest.mark.parametrize("op", ["average", "max"])
@pytest.mark.parametrize(("size", "stride"), [(1, 1), (6, 1), (6, 2), (5, 3)])
def test_pooling_over_one_value_is_that_value(op: str, size: int, stride: int) -> None:
    """B12: a kernel of 1, whatever the stride."""
    net = Net.new()
    x = net.input(1, 4, size, size)
    y = net.b.emit("pool", x, op=op, kernel=(1, 1), stride=(stride, stride), padding=(0, 0, 0, 0))
    ledger = net.count(y).ledgers["freebie"]
    assert (ledger.operations, ledger.storage) == (0, 0)


@pytest.mark.parametrize("op", ["average", "max"])
def test_so_is_global_pooling_of_one_position(op: str) -> None:
    net = Net.new()
    assert net.count(net.b.emit("pool", net.input(1, 4, 1, 1), op=op, adaptive=(1, 1))).ledgers["freebie"].operations == 0


@pytest.mark.parametrize("op", ["sum", "mean", "max", "min", "prod"])
def test_so_is_a_reduction_of_one_value(op: str) -> None:
    net = Net.new()
    assert net.count(net.b.emit("reduce", net.input(1, 4, 1), op=op, axes=(2,), keepdims=False)).ledgers["freebie"].operations == 0


def test_a_square_of_one_value_is_not() -> None:
    net = Net.new()
    assert (
        operations(
            net.count(net.b.emit("reduce", net.input(1, 4, 1), op="sum_square", axes=(2,), keepdims=False)).ledgers["freebie"], "multiply"
        )
        == 4
    )


def test_a_norm_behind_a_free_conversion_folds() -> None:
    """B12: fp16 → fp32 is free (O11), so a norm in fp32 goes into a convolution in fp16: 8·4·9 weights and 8 biases."""
    net = Net.new()
    x = net.b.input((1, 4, 6, 6), HALF, "x")
    y = net.conv(x, net.b.constant(dense((8, 4, 3, 3)).astype(np.float16), "w"), pad=1)
    count = net.count(net.batch_norm(net.b.emit("move", y, fmt=FLOAT, op="cast"), 8))
    assert operations(count.ledgers["freebie"], "multiply") == 36 * 8 * 4 * 9
    assert count.ledgers["freebie"].storage == Fraction((8 * 4 * 9 + 8) * 16, 32)


def standardised(net: Net, weight: Value, how: str) -> Value:
    b, axes = net.b, (1, 2, 3)
    if how == "layer norm":
        return b.emit("normalise", weight, op="layer_norm", eps=1e-5, axes=axes)
    mean = b.emit("reduce", weight, op="mean", axes=axes, keepdims=True)
    variance = b.emit("reduce", weight, op="var", axes=axes, keepdims=True, correction=1.0 if how == "std" else 0.0)
    root = b.elementwise("sqrt", variance) if how == "std" else b.elementwise("sqrt", b.elementwise("add", variance, net.constant(1e-5)))
    return b.elementwise("div", b.elementwise("sub", weight, mean), root)


@pytest.mark.parametrize("how", ["std", "variance", "layer norm"])
def test_a_standardised_weight_is_a_weight(how: str) -> None:
    """B12: 6·4·9 weights and 6 biases for 36 positions of one channel each: 222 words, 7,776 multiplies and as many adds."""
    net = Net.new()
    x = net.input(1, 4, 6, 6)
    weight = standardised(net, net.constant(dense((6, 4, 3, 3)), "w"), how)
    count = net.count(net.conv(x, weight, net.constant(dense((6,), 3), "b"), pad=1))
    assert count.ledgers["quantized"].storage == 6 * 4 * 9 + 6 == 222
    assert operations(count.ledgers["quantized"], "multiply") == 36 * 6 * 4 * 9 == 7776
    assert operations(count.ledgers["quantized"], "add") == 36 * 6 * (4 * 9 - 1 + 1) == 7776


@pytest.mark.parametrize("kind", ["softmax", "cumsum", "erf"])
def test_any_function_of_a_constant_is_a_constant(kind: str) -> None:
    """B12: 16 values are stored as they come out, and multiply."""
    net = Net.new()
    c = net.constant(dense((1, 16), 3), "c")
    made = {
        "softmax": lambda: net.b.emit("softmax", c, op="softmax", axis=1),
        "cumsum": lambda: net.b.emit("cumulative", c, op="cumsum", axis=1),
        "erf": lambda: net.b.elementwise("erf", c),
    }[kind]()
    ledger = net.count(net.b.elementwise("mul", net.input(1, 16), made)).ledgers["quantized"]
    assert (ledger.storage, ledger.operations) == (16, 16)


@pytest.mark.parametrize("spelling", ["dequantize", "cast", "cast to half"])
def test_narrow_floats_are_narrow_through_a_cast(spelling: str) -> None:
    """B7: 512 values of float8 are 128 words, and no freebie is offered."""
    net = Net.new()
    codes = _narrow(net)
    if spelling == "dequantize":
        weight = net.b.emit("dequantize", codes, net.constant(np.float32(1)), axis=-1)
    else:
        weight = net.b.emit("move", codes, fmt=HALF if spelling == "cast to half" else FLOAT, op="cast")
    x = net.b.input((1, 16), weight.format, "x")
    count = net.count(net.b.emit("matmul", x, weight, left="bk", right="nk", out="bn"))
    assert set(count.ledgers) == {"quantized"}
    assert count.ledgers["quantized"].storage == Fraction(512 * 8, 32)


def _narrow(net: Net) -> Value:
    import ml_dtypes

    return net.b.constant(dense((32, 16)).astype(ml_dtypes.float8_e4m3fn), "codes", NARROW)
