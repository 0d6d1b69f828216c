"""A6: integer arithmetic on data forfeits the freebie; tokens, positions, shapes, argmax and masks do not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from micronet_verify.facts.formats import FLOAT32, INT64
from micronet_verify.facts.graph import Value
from tests.build import Net, dense

RANDOM = np.random.default_rng(0)


def cast(net: Net, x: Value, fmt: object) -> Value:
    return net.b.emit("move", x, op="cast", fmt=fmt)  # type: ignore[arg-type]


def words(net: Net) -> Value:
    """Signs of 64 activations, packed into one word."""
    positive = cast(net, net.b.elementwise("greater", net.input(1, 64), net.b.scalar(0.0)), INT64)
    powers = net.constant(2 ** np.arange(64, dtype=np.uint64).astype(np.int64) % 2**62, "powers", np.int64)
    return net.b.emit("reduce", net.b.elementwise("mul", positive, powers), op="sum", axes=(1,), keepdims=True)


def binary_words(net: Net) -> Value:
    """Words of weights, compared bit by bit."""
    weights = net.constant(RANDOM.integers(0, 2**60, (32, 1)), "w", np.int64)
    word = cast(net, net.input(1, 1), INT64)
    return cast(net, net.b.elementwise("xor", word, weights, fmt=INT64), FLOAT32)


def packed_sum(net: Net) -> Value:
    return cast(net, words(net), FLOAT32)


def popcount(net: Net) -> Value:
    positive = net.b.elementwise("greater", net.input(1, 64), net.b.scalar(0.0))
    return cast(net, net.b.emit("reduce", positive, op="sum", axes=(1,), keepdims=True, fmt=INT64), FLOAT32)


def unpacked(net: Net) -> Value:
    """Four weights of 8 bits in each of 160 words of 32."""
    packed = net.constant(RANDOM.integers(-(2**31), 2**31, (10, 16, 1)), "w", np.int32)
    shifted = net.b.elementwise("floor_div", packed, net.constant(2 ** (8 * np.arange(4)), "by", np.int32))
    weight = cast(net, net.b.elementwise("mod", shifted, net.b.constant(np.array(256, np.int32), "256")), FLOAT32)
    return net.b.linear(net.input(1, 64), net.b.reshape(weight, (10, 64)))


def truths(net: Net) -> Value:
    """Each weight a truth value: x or −x."""
    x = net.input(1, 1, 64)
    signed = net.b.elementwise("where", net.constant(RANDOM.random((1, 10, 64)) < 0.5, "w", np.bool_), x, net.b.elementwise("neg", x))
    return net.b.emit("reduce", signed, op="sum", axes=(2,), keepdims=False)


def chosen(net: Net) -> Value:
    """Weights of 0 and 1 as truth values."""
    weights = net.constant(RANDOM.random((1, 10, 64)) < 0.5, "w", np.bool_)
    some = net.b.elementwise("where", weights, net.input(1, 1, 64), net.b.scalar(0.0))
    return net.b.emit("reduce", some, op="sum", axes=(2,), keepdims=False)


def xnor(net: Net) -> Value:
    positive = net.b.elementwise("greater", net.input(1, 1, 64), net.b.scalar(0.0))
    same = net.b.elementwise("equal", positive, net.constant(RANDOM.random((1, 10, 64)) < 0.5, "w", np.bool_))
    return net.b.emit("reduce", cast(net, same, FLOAT32), op="sum", axes=(2,), keepdims=False)


CHEATS: dict[str, Callable[[Net], Value]] = {
    "words": binary_words, "packing": packed_sum, "popcount": popcount, "unpacking": unpacked, "signs": truths, "choices": chosen,
    "xnor": xnor,
}  # fmt: skip


@pytest.mark.parametrize("cheat", CHEATS)
def test_A6_integer_arithmetic_on_data_forfeits_the_freebie(cheat: str) -> None:
    net = Net.new()
    count = net.count(CHEATS[cheat](net))
    assert list(count.ledgers) == ["quantized"]
    assert "computes with integers" in count.forfeited


def embedded(net: Net, index: Value, rows: int = 32) -> Value:
    return net.b.emit("lookup", net.constant(dense((rows, 8)), "table"), index, op="embedding", axis=0)


def tokens(net: Net) -> Value:
    token = net.b.input((1, 6), INT64, "tokens")
    shifted = net.b.elementwise(
        "mod", net.b.elementwise("add", token, net.b.constant(np.array(3), "3")), net.b.constant(np.array(32), "32")
    )
    return embedded(net, shifted)


def padding(net: Net) -> Value:
    """1 − mask, as transformers write it, and positions counted from the mask."""
    mask = net.b.input((1, 6), INT64, "mask")
    inverse = cast(net, net.b.elementwise("sub", net.b.constant(np.array(1), "1"), mask), FLOAT32)
    places = net.b.emit("cumulative", mask, op="cumsum", axis=1)
    scores = net.b.elementwise("mul", net.b.reshape(inverse, (1, 6, 1)), net.input(1, 6, 8))
    return net.b.elementwise("add", scores, embedded(net, places))


def slopes(net: Net) -> Value:
    """ALiBi: the distance of two positions as a number."""
    rows, columns = net.constant(np.arange(64)[:, None], "i", np.int64), net.constant(np.arange(64)[None], "j", np.int64)
    distance = net.b.elementwise("abs", net.b.elementwise("sub", rows, columns))
    return net.b.elementwise("add", net.input(1, 64, 64), net.b.elementwise("mul", cast(net, distance, FLOAT32), net.b.scalar(-0.3)))


def causal(net: Net) -> Value:
    rows, columns = net.constant(np.arange(16)[:, None], "i", np.int64), net.constant(np.arange(16)[None], "j", np.int64)
    mask = net.b.elementwise("greater_equal", rows, columns)
    scores = net.b.elementwise("where", mask, net.input(1, 16, 16), net.b.scalar(-np.inf))
    return net.b.emit("softmax", scores, op="softmax", axis=2)


def stored_mask(net: Net) -> Value:
    mask = net.constant(np.tril(np.ones((16, 16))), "mask", np.bool_)
    scores = net.b.elementwise("where", mask, net.input(1, 16, 16), net.b.scalar(-1e9))
    return net.b.emit("softmax", scores, op="softmax", axis=2)


def best(net: Net) -> Value:
    place = net.b.emit("select", net.input(1, 32), op="argmax", axis=1)
    return embedded(net, net.b.elementwise("mod", place, net.b.constant(np.array(7), "7")))


def buckets(net: Net) -> Value:
    """Numbers rounded to a row of a table, with bounds."""
    row = cast(net, net.b.elementwise("floor", net.input(1, 4)), INT64)
    held = net.b.elementwise("max", net.b.elementwise("min", row, net.b.constant(np.array(31), "31")), net.b.constant(np.array(0), "0"))
    return embedded(net, net.b.elementwise("add", held, net.constant(np.arange(4)[None], "column", np.int64)), 64)


def gates(net: Net) -> Value:
    """Both of two comparisons of activations, as a float."""
    x = net.input(1, 32)
    inside = net.b.elementwise("and", net.b.elementwise("greater", x, net.b.scalar(0.0)), net.b.elementwise("less", x, net.b.scalar(1.0)))
    return net.b.elementwise("mul", x, cast(net, inside, FLOAT32))


HONEST: dict[str, Callable[[Net], Value]] = {
    "tokens": tokens, "padding": padding, "slopes": slopes, "causal": causal, "stored mask": stored_mask, "argmax": best,
    "buckets": buckets, "gates": gates,
}  # fmt: skip


@pytest.mark.parametrize("network", HONEST)
def test_A6_honest_integers_forfeit_nothing(network: str) -> None:
    net = Net.new()
    count = net.count(HONEST[network](net))
    assert (count.forfeited, list(count.ledgers)) == ("", ["freebie", "quantized"])


def test_A6_a_mask_of_truth_values_is_no_weight() -> None:
    net = Net.new()
    mask = net.constant(RANDOM.random((1, 64)) < 0.5, "mask", np.bool_)
    assert not net.count(net.b.elementwise("where", mask, net.input(1, 64), net.b.scalar(0.0))).forfeited
