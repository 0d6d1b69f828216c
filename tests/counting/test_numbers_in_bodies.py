"""A number is stored once per model, also where two bodies and the graph around them use it (S2)."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from torch import Tensor, nn

from micronet_verify.facts.graph import Graph, Value
from tests.build import Net
from tests.spelling.counted import pytorch


def body(net: Net, x: Value | None) -> Graph:
    """3.3 times a value from outside, or times what a loop carries."""
    inner = net.b.body()
    operand = inner.input((1, 4)) if x is None else x
    return inner.finish([inner.elementwise("mul", operand, inner.scalar(3.3))])


@pytest.mark.parametrize("kind", ["branch", "loop"])
def test_a_number_in_bodies_is_stored_once(kind: str) -> None:
    net = Net.new()
    x = net.input(1, 4)
    if kind == "branch":
        positive = net.b.elementwise("greater", net.b.emit("reduce", x, op="sum", axes=(0, 1), keepdims=False), net.b.scalar(0.0))
        (y,) = net.b.emit_bodies("branch", (positive,), [body(net, x), body(net, x)], id="0")
    else:
        (y,) = net.b.loop(body(net, None), (x,), trips=4)
    ledger = net.ledger(net.b.elementwise("add", y, net.b.scalar(3.3)))
    assert ledger.storage == Fraction(16, 32)


class Choice(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cond(x.sum() > 0, lambda x: x * 3.3, lambda x: x + 3.3, (x,))  # type: ignore[no-any-return]


def test_a_number_in_both_ways_of_a_cond_is_stored_once() -> None:
    assert pytorch(Choice(), (4,), fixed=True).ledgers["freebie"].storage == Fraction(16, 32)
