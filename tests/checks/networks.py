"""Evaluated networks to which one rule each applies."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from micronet_verify.evaluation import Evaluation
from micronet_verify.facts.formats import numeric_format
from micronet_verify.facts.graph import Value
from tests.build import Net, dense
from tests.checks.facts import evaluation, track


def masked() -> Evaluation:
    """512 × 64 weights of which every second row is zero."""
    net, weight = Net.new(), dense((512, 64))
    weight[::2] = 0
    weight[1, :7] = 0
    return evaluation(net, net.b.linear(net.input(1, 64), net.constant(weight, "fc.weight")))


def with_a_bias_of_zeros() -> Evaluation:
    net = Net.new()
    weight, bias = net.constant(dense((8, 8)), "fc.weight"), net.constant(np.zeros(8, np.float32), "fc.bias")
    return evaluation(net, net.b.linear(net.input(1, 8), weight, bias))


def tied() -> Evaluation:
    """An export that lost a tie: two stored tensors of equal values."""
    net, x = Net.new(), dense((8, 8))
    one, other = net.constant(x, "one"), net.constant(x, "other")
    return evaluation(net, net.b.linear(net.b.elementwise("relu", net.b.linear(net.input(1, 8), one)), other))


def with_dead_ends() -> Evaluation:
    net = Net.new()
    x = net.input(1, 8)
    net.b.linear(x, net.constant(dense((50, 8)), "head.weight"))
    return evaluation(net, net.b.elementwise("relu", x))


def normalised() -> Evaluation:
    """One batch normalisation that folds into a convolution, one that stands alone."""
    net = Net.new()
    folded = net.batch_norm(net.conv(net.input(1, 1, 4, 4), net.constant(dense((3, 1, 3, 3)), "conv.weight"), pad=1), 3)
    return evaluation(net, net.batch_norm(net.b.elementwise("relu", folded), 3, seed=9))


def codebook() -> Evaluation:
    """64 × 64 weights of 12 different values on no grid: indices of ceil(log2 12) = 4 bits."""
    net = Net.new()
    entries = dense((12,), 5)
    weight = entries[np.random.default_rng(0).integers(0, 12, (64, 64))]
    x = quantized(net, net.input(1, 64))
    return evaluation(net, net.b.linear(x, net.constant(weight, "fc.weight")))


def quantized(net: Net, x: Value, bits: int = 8) -> Value:
    """``x`` through quantize and dequantize of ``bits`` bits."""
    scale = net.constant(np.float32(0.037), "scale")
    codes = net.b.emit("quantize", x, scale, fmt=numeric_format(f"int{bits}"), axis=-1)
    return net.b.emit("dequantize", codes, scale, axis=-1)


def eight_bits() -> Evaluation:
    net = Net.new()
    return evaluation(net, net.b.linear(quantized(net, net.input(1, 16)), net.constant(dense((4, 16)), "fc.weight")))


def on_a_grid() -> Evaluation:
    """Floats whose 4-bit grid makes the quantized regime cheaper although nothing forfeits the freebie."""
    net, codes = Net.new(), np.random.default_rng(0).integers(-7, 8, (64, 64))
    codes[:, 0], codes[:, 1] = 7, 6
    return evaluation(net, net.b.linear(net.input(1, 64), net.constant(codes * np.float32(0.3), "fc.weight")))


def binary() -> Evaluation:
    net = Net.new()
    signs = np.sign(dense((64, 64)))
    return evaluation(net, net.b.linear(net.input(1, 64), net.constant(signs * np.float32(0.3), "fc.weight")))


def residual() -> Evaluation:
    net = Net.new()
    x = net.input(1, 8)
    return evaluation(net, net.b.elementwise("add", x, net.b.elementwise("relu", x)))


def permuted() -> Evaluation:
    net = Net.new()
    order = net.constant(np.array([2, 0, 1, 3]), "order", np.int64)
    return evaluation(net, net.b.emit("permute", net.input(1, 4, 2, 2), order, op="index", axis=1))


def branching(share: Fraction | None = Fraction(1, 3)) -> Evaluation:
    net = Net.new()
    x = net.input(1, 8)
    predicate = net.b.elementwise("greater", net.b.emit("reduce", x, op="sum", axes=(0, 1), keepdims=False), net.b.scalar(0.5))
    bodies = []
    for op in ("relu", "sigmoid"):
        body = net.b.body()
        bodies.append(body.finish([body.elementwise(op, x)]))
    (y,) = net.b.emit_bodies("branch", (predicate,), bodies, id="exit")
    return evaluation(net, y, shares={} if share is None else {"exit": share})


def charged_norms() -> Evaluation:
    net = Net.new()
    y = net.batch_norm(net.conv(net.input(1, 1, 4, 4), net.constant(dense((3, 1, 3, 3)), "conv.weight"), pad=1), 3)
    return evaluation(net, y, priced=track(batch_norm="charged"))
