"""S7: where a batch normalisation folds (before it, behind it, slice by slice), to the value; and where it would not be exact."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.analysis.rewrites.fold_batch_norm_forward import fold_batch_norms_forward
from micronet_verify.analysis.rewrites.fold_constants import stored_constants
from micronet_verify.analysis.rewrites.norms import channel_scale_and_shift
from micronet_verify.analysis.tensors.constants import values_of
from micronet_verify.analysis.tensors.measurements import Measurements
from micronet_verify.counting.forms.cheapest import CheapestForms
from micronet_verify.counting.ledger import Ledger
from micronet_verify.facts.graph import Value
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.track.rules import CountingRules
from tests.build import Net, dense, operations


def totals(ledger: Ledger) -> tuple[Fraction, int, int]:
    """(values stored, multiplies, adds) under the freebie."""
    return ledger.storage * 2, operations(ledger, "multiply"), operations(ledger, "add")


def joined(net: Net, *widths: int) -> tuple[Value, list[Value]]:
    """1×1 convolutions of 3 channels on 5×5, their results side by side."""
    x = net.input(1, 3, 5, 5)
    parts = [net.conv(x, net.constant(dense((width, 3, 1, 1), seed), f"conv{seed}.weight")) for seed, width in enumerate(widths)]
    return net.b.emit("move", *parts, op="concat", axis=1), parts


def test_behind_a_concatenation_each_convolution_takes_its_slice() -> None:
    net = Net.new()
    y, _ = joined(net, 4, 6)
    count = net.count(net.batch_norm(y, 10))
    assert totals(count.ledgers["freebie"]) == (10 * 3 + 10, 25 * 10 * 3, 25 * 10 * 2 + 25 * 10)
    assert [line.note for line in count.ledgers["freebie"].lines if line.rule == "S7"] == ["folded into move"]


def test_norms_behind_each_other_fold_one_after_the_other() -> None:
    net = Net.new()
    y, _ = joined(net, 4, 6)
    assert totals(net.ledger(net.batch_norm(net.batch_norm(y, 10), 10, seed=5))) == (40, 25 * 30, 25 * 20 + 25 * 10)


@pytest.mark.parametrize("what", ["read elsewhere", "twice", "no linear operator", "another axis"])
def test_a_concatenation_that_holds_anything_else_is_charged_whole(what: str) -> None:
    """DenseNet's features are read by every layer behind them."""
    net = Net.new()
    y, parts = joined(net, 4, 4)
    norm = Fraction(2 * 8), 25 * 8, 25 * 8  # scales and shifts, a·x, + c
    outputs, work = [], 0
    if what == "read elsewhere":
        outputs, work = [parts[0]], 0
    elif what == "twice":
        y, norm = net.b.emit("move", parts[0], parts[1], parts[1], op="concat", axis=1), (Fraction(24), 25 * 12, 25 * 12)
    elif what == "no linear operator":
        y, work = net.b.emit("move", net.b.elementwise("relu", parts[0]), parts[1], op="concat", axis=1), 100
    else:
        y, norm = net.b.emit("move", *parts, op="concat", axis=2), (Fraction(8), 25 * 8, 25 * 8)
    ledger = net.ledger(net.batch_norm(y, y.shape[1]), *outputs)
    assert totals(ledger) == (8 * 3 + norm[0], 25 * 8 * 3 + norm[1] + work, 25 * 8 * 2 + norm[2])


def test_before_a_linear_layer_scale_and_shift_go_into_weights_and_bias() -> None:
    net = Net.new()
    y = net.batch_norm(net.b.elementwise("relu", net.input(1, 8)), 8)
    ledger = net.ledger(net.b.linear(y, net.constant(dense((4, 8))), net.constant(dense((4,)))))
    assert totals(ledger) == (4 * 8 + 4, 8 + 4 * 8, 4 * 7 + 4)


def test_before_several_linear_layers_all_of_them_take_it() -> None:
    net = Net.new()
    y = net.batch_norm(net.b.elementwise("relu", net.input(1, 8)), 8)
    heads = [net.b.linear(y, net.constant(dense((4, 8), seed)), net.constant(dense((4,), seed))) for seed in (1, 2)]
    assert totals(net.ledger(*heads)) == (2 * (4 * 8 + 4), 8 + 2 * 4 * 8, 2 * (4 * 7 + 4))
    heads.append(net.b.elementwise("relu", y))
    assert totals(net.ledger(*heads)) == (2 * (4 * 8 + 4) + 16, 8 + 2 * 4 * 8 + 8 + 8, 2 * (4 * 7 + 4) + 8)


def before_a_convolution(pad: int, made: int = 4, bias: bool = True, zero: bool = False) -> Ledger:
    net = Net.new()
    x = net.b.elementwise("relu", net.input(1, 8, 5, 5))
    mean, variance, scale, shift = (net.constant(dense((8,), seed) ** 2 + 0.1, f"bn.{seed}") for seed in range(4))
    if zero:
        scale = net.constant(np.arange(8), "bn.2")
    y = net.b.emit("normalise", x, mean, variance, scale, shift, op="batch_norm", eps=1e-5)
    weight = net.constant(dense((made, 8, 3, 3)), "conv.weight")
    return net.ledger(net.conv(y, weight, net.constant(dense((made,)), "conv.bias") if bias else None, pad=pad))


def test_before_a_convolution_that_pads_nothing_all_of_it_folds() -> None:
    assert totals(before_a_convolution(0)) == (4 * 72 + 4, 200 + 9 * 4 * 72, 9 * 4 * 71 + 9 * 4)


def test_before_a_convolution_that_pads_with_zeros_only_the_scale_folds() -> None:
    """At the borders fewer weights meet the shift: c/a stays, one add per element."""
    assert totals(before_a_convolution(1)) == (4 * 72 + 4 + 8, 200 + 25 * 4 * 72, 25 * 4 * 71 + 25 * 4 + 200)


def test_where_a_scale_is_zero_there_is_no_shift_to_add_before_it() -> None:
    norm = 8 + 7 + Fraction(8, 16)  # shifts, and the scales under a mask
    assert totals(before_a_convolution(1, zero=True)) == (4 * 72 + 4 + norm, 200 + 25 * 4 * 72 + 200, 25 * 4 * 71 + 25 * 4 + 200)


def test_where_new_biases_would_be_dearer_than_the_shift_only_the_scale_folds() -> None:
    """40 biases against 8 shifts."""
    assert totals(before_a_convolution(0, 40, bias=False)) == (40 * 72 + 8, 200 + 9 * 40 * 72, 9 * 40 * 71 + 200)


def test_weights_on_a_grid_stay_on_it() -> None:
    """A factor for each input channel would make 32-bit products of 4-bit weights; the norm is charged."""
    net = Net.new()
    y = net.batch_norm(net.b.elementwise("relu", net.input(1, 8)), 8)
    codes = np.random.default_rng(0).integers(-7, 8, (4, 8)) * np.float32(0.11)
    ledger = net.ledger(net.b.linear(y, net.constant(codes)), regime="quantized")
    assert sum(line.quantity for line in ledger.lines if line.rule == "S7" and line.axis == "operations") == 16
    assert max(line.bits for line in ledger.lines if line.axis == "storage" and line.rule == "S1" and "4×8" in line.formula) <= 4


def test_the_other_readings_fold_nothing() -> None:
    net = Net.new()
    y = net.batch_norm(net.input(1, 8), 8)
    out = net.b.linear(y, net.constant(dense((4, 8))))
    assert totals(net.ledger(out, rules=CountingRules(batch_norm="charged"))) == (16 + 32, 8 + 32, 8 + 28)
    assert totals(net.ledger(out, rules=CountingRules(batch_norm="shift_only"))) == (8 + 32, 32, 8 + 28)


def folded_forward(net: Net, y: Value) -> tuple[NDArray[np.floating], ...]:
    """Scale and shift of the norm that a linear operator reads, and its weight and bias when the norm is folded into them."""
    plain = net.finish(y)
    graph = EditableGraph(plain, stored_constants(plain, ConstantStore(net.folder, net.folder)), CheapestForms())
    found = channel_scale_and_shift(graph.nodes[0], graph.constants)
    assert found is not None
    fold_batch_norms_forward(graph, Measurements())
    (linear,) = graph.nodes
    return (*found, *(values_of(graph.constants[name]) for name in linear.inputs[1:]))


KERNELS = {"dense": (4, 6, 3, 3, 1), "grouped": (4, 3, 3, 3, 2), "depthwise": (6, 1, 3, 3, 6), "multiplier": (12, 1, 3, 3, 6)}


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_folded_convolution_computes_the_same(kernel: str) -> None:
    """One position of a convolution as long as its input: W (a·x + c) + b, whatever the groups."""
    *shape, groups = KERNELS[kernel]
    net = Net.new()
    x = net.input(1, 6, 3, 3)
    weight, bias = dense(shape, 3), dense((shape[0],), 4)
    y = net.conv(net.batch_norm(x, 6), net.constant(weight), net.constant(bias), groups=groups)
    scale, shift, new_weight, new_bias = folded_forward(net, y)
    data = dense((6, 3, 3), 7).astype(np.float64)
    normed = scale[:, None, None] * data + shift[:, None, None]
    assert np.allclose(dot(weight, normed, groups) + bias, dot(new_weight, data, groups) + new_bias, rtol=1e-4, atol=1e-4)


def dot(weight: NDArray[np.floating], x: NDArray[np.floating], groups: int) -> NDArray[np.floating]:
    made, taken = weight.shape[:2]
    return np.array([(weight[o] * x[o // (made // groups) * taken :][:taken]).sum() for o in range(made)])


def test_the_folded_product_computes_the_same() -> None:
    """x [rows, channels, steps] against w [made, steps, channels], all but rows and made summed."""
    net = Net.new()
    x = net.input(3, 4, 5)
    weight, bias = dense((2, 5, 4), 1), dense((2,), 2)
    normed = net.batch_norm(x, 4)
    y = net.b.emit("matmul", normed, net.constant(weight), net.constant(bias), left="ncs", right="osc", out="no")
    scale, shift, new_weight, new_bias = folded_forward(net, y)
    data = dense((3, 4, 5), 7).astype(np.float64)
    wanted = np.einsum("ncs,osc->no", scale[:, None] * data + shift[:, None], weight) + bias
    assert np.allclose(np.einsum("ncs,osc->no", data, new_weight) + new_bias, wanted, atol=1e-4)
