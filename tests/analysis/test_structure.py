"""S9: how the graph is wired, in bits, and what it costs where the knob charges it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from micronet_verify.analysis.structure import bits_for, structure_bits
from micronet_verify.facts.functions import OPS
from micronet_verify.facts.graph import Graph
from micronet_verify.facts.kinds import KINDS
from micronet_verify.track.rules import CountingRules
from tests.build import Net, dense

KIND = bits_for(len(KINDS))


def test_bits_are_logarithms_rounded_up() -> None:
    assert [bits_for(choices) for choices in (0, 1, 2, 3, 4, 5, 8, 9, 1024)] == [0, 0, 1, 2, 2, 3, 3, 4, 10]


def test_S9_by_hand() -> None:
    """A product and a relu: kinds, operands among 2 and 3 values (one absent), three and three indices of three, one output of 3."""
    net = Net.new()
    y = net.b.elementwise("relu", net.b.linear(net.input(1, 8), net.constant(dense((4, 8)))))
    product = KIND + 2 * bits_for(2 + 1) + 6 * bits_for(3)  # az, yz, ay
    relu = KIND + bits_for(3 + 1) + bits_for(len(OPS["elementwise"]))
    assert structure_bits(net.finish(y)) == product + relu + bits_for(4)


def test_S9_whole_numbers_of_a_node_are_counted() -> None:
    def bits(stride: int, groups: int) -> int:
        net = Net.new()
        return structure_bits(
            net.finish(net.conv(net.input(1, 4, 9, 9), net.constant(dense((4, 4 // groups, 3, 3))), stride=stride, groups=groups))
        )

    assert bits(3, 1) - bits(1, 1) == 2 * (bits_for(5) - bits_for(3))
    assert bits(1, 4) - bits(1, 1) == bits_for(6) - bits_for(3)


def wires(count: int) -> Graph:
    """``count`` products of two values drawn at random: a network of wires and nothing else."""
    net, random = Net.new(), np.random.default_rng(0)
    tensors = [net.input(1, 1), net.b.elementwise("sin", net.input(1, 1))]
    for _ in range(count):
        one, two = random.integers(len(tensors), size=2)
        tensors.append(net.b.elementwise("mul", tensors[one], tensors[two]))
    return net.finish(tensors[-1])


def test_S9_of_wires_is_what_it_takes_to_name_their_ends() -> None:
    """Two operands for each product, among the values before it: three or more at first, and one more each time."""
    own, function = 300, bits_for(len(OPS["elementwise"]))
    sine = KIND + function + bits_for(2 + 1)
    products = sum(KIND + function + 2 * bits_for(3 + at + 1) for at in range(own))
    assert structure_bits(wires(own)) == sine + products + bits_for(3 + own)


@pytest.mark.parametrize("regime", ["freebie", "quantized"])
def test_S9_is_charged_where_the_knob_says_so(regime: str) -> None:
    def ledger(structure: str) -> tuple[Fraction, int]:
        net = Net.new()
        rules = CountingRules(structure=structure)  # type: ignore[arg-type]
        y = net.b.elementwise("relu", net.b.linear(net.input(1, 8), net.constant(dense((4, 8)))))
        count = net.count(y, rules=rules)
        return count.ledgers[regime].storage, count.structure[regime]  # type: ignore[index]

    (free, bits), (charged, again) = ledger("free"), ledger("charged")
    assert bits == again > 0
    assert charged == free + Fraction(bits, 32)
