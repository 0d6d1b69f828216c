"""Activation functions as modules, as functions and written out: one price (rule O4)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812, the field's name for it

from tests.spelling.counted import Plain, prices, pytorch

SHAPE = (4, 3, 2)
N = 4 * 3 * 2
ROOT = math.sqrt(2 / math.pi)

Spelling = nn.Module | Callable[[Tensor], Tensor]


def _softmax(x: Tensor) -> Tensor:
    powers = x.exp()
    return powers / powers.sum(-1, keepdim=True)


# name: what one element costs (multiply class, add class), the different numbers' widths, and the spellings
GROUPS: dict[str, tuple[tuple[int, int], tuple[int, ...], dict[str, Spelling]]] = {
    "sigmoid": (  # e^−x, 1 +, 1/
        (2, 1),
        (),
        {
            "module": nn.Sigmoid(),
            "written": lambda x: 1 / (1 + torch.exp(-x)),
            "reciprocal": lambda x: torch.reciprocal(torch.exp(-x) + 1),
            "power": lambda x: (1 + torch.exp(-1 * x)) ** -1,
        },
    ),
    "swish": (  # the sigmoid, and x·
        (3, 1),
        (),
        {
            "module": nn.SiLU(),
            "function": F.silu,
            "x*sigmoid(x)": lambda x: x * torch.sigmoid(x),
            "sigmoid(x)*x": lambda x: torch.sigmoid(x) * x,
            "x/(1+exp(-x))": lambda x: x / (1 + torch.exp(-x)),
            "x*(1/(1+exp(-x)))": lambda x: x * (1 / (1 + torch.exp(-x))),
        },
    ),
    "hard-swish": (  # x + 3, max, min, x·, /6; the numbers 3 and 6 fit in fp16
        (4, 1),
        (16, 16),
        {
            "module": nn.Hardswish(),
            "relu6": lambda x: x * F.relu6(x + 3) / 6,
            "clamp": lambda x: x * torch.clamp(x + 3, 0, 6) / 6,
            "hard-sigmoid": lambda x: x * F.hardsigmoid(x),
        },
    ),
    "hard-sigmoid": (
        (3, 1),
        (16, 16),
        {"module": nn.Hardsigmoid(), "relu6": lambda x: F.relu6(x + 3) / 6, "clamp": lambda x: torch.clamp(3 + x, 0, 6) / 6},
    ),
    "gelu": (  # x·½, x/√2, erf, 1 +, ·; ½ is a power of two
        (4, 1),
        (8, 32),
        {
            "module": nn.GELU(),
            "x*half": lambda x: x * 0.5 * (1 + torch.erf(x * 0.5**0.5)),
            "half*x": lambda x: 0.5 * x * (torch.erf(math.sqrt(0.5) * x) + 1),
        },
    ),
    "gelu of tanh": (  # ½·x, x·x, ·x, 0.044715·, x +, √(2/π)·, tanh, 1 +, ·
        (7, 2),
        (8, 32, 32),
        {
            "module": nn.GELU(approximate="tanh"),
            "product": lambda x: 0.5 * x * (1 + torch.tanh(ROOT * (x + 0.044715 * x * x * x))),
            "cube": lambda x: 0.5 * x * (1 + torch.tanh(ROOT * (x + 0.044715 * torch.pow(x, 3.0)))),
        },
    ),
    "inverse root": (
        (1, 0),
        (),
        {
            "function": torch.rsqrt,
            "quotient": lambda x: 1 / x.sqrt(),
            "reciprocal": lambda x: x.sqrt().reciprocal(),
            "power": lambda x: x**-0.5,
        },
    ),
    "log-sigmoid": (  # e^−x, 1 +, ln
        (2, 1),
        (),
        {"module": nn.LogSigmoid(), "log": lambda x: torch.log(torch.sigmoid(x)), "softplus": lambda x: -F.softplus(-x)},
    ),
    "softplus": (  # e^x, 1 +, ln
        (2, 1),
        (),
        {"module": nn.Softplus(), "log1p": lambda x: torch.log1p(torch.exp(x)), "log": lambda x: torch.log(1 + torch.exp(x))},
    ),
    "mish": (  # softplus, tanh, x·
        (4, 1),
        (),
        {
            "module": nn.Mish(),
            "softplus": lambda x: x * torch.tanh(F.softplus(x)),
            "written": lambda x: x * torch.tanh(torch.log(1 + torch.exp(x))),
        },
    ),
    "elu": (  # B11: a choice by x > 0, e^x, − 1; an alpha of 1 is no factor
        (2, 1),
        (),
        {
            "module": nn.ELU(),
            "celu": nn.CELU(),
            "where": lambda x: torch.where(x > 0, x, torch.expm1(x)),
            "exp": lambda x: torch.where(x <= 0, torch.exp(x) - 1, x),
        },
    ),
    "elu of 0.5": (  # B11: and a factor
        (3, 1),
        (8,),
        {"module": nn.ELU(0.5), "where": lambda x: torch.where(x >= 0, x, 0.5 * torch.expm1(x))},
    ),
    "relu": ((1, 0), (), {"module": nn.ReLU(), "clamp": lambda x: x.clamp(min=0), "max": lambda x: torch.maximum(x, torch.zeros(()))}),
    "relu6": (
        (2, 0),
        (16,),
        {
            "module": nn.ReLU6(),
            "hardtanh": nn.Hardtanh(0, 6),
            "clamp": lambda x: x.clamp(0, 6),
            "relu and clamp": lambda x: F.relu(x).clamp_max(6),
        },
    ),
    "leaky relu": (
        (2, 0),
        (8,),
        {"module": nn.LeakyReLU(0.125), "where": lambda x: torch.where(x > 0, x, 0.125 * x), "max": lambda x: torch.maximum(x, 0.125 * x)},
    ),
}
CASES = [pytest.param(group, spelling, id=f"{group}: {spelling}") for group, (_, _, found) in GROUPS.items() for spelling in found]


@pytest.mark.parametrize(("group", "spelling"), CASES)
def test_a_function_has_one_price(group: str, spelling: str) -> None:
    (multiplies, adds), scalars, spellings = GROUPS[group]
    expected = Plain(multiplies * N, adds * N, scalars=scalars)
    assert prices(pytorch(spellings[spelling], SHAPE, fixed=True)) == expected.prices


@pytest.mark.parametrize("spelling", [nn.Softmax(-1), _softmax], ids=["module", "written"])
def test_softmax_has_one_price(spelling: Spelling) -> None:
    """n exp, n − 1 adds, n divides in each of the 4·3 rows of 2."""
    assert prices(pytorch(spelling, SHAPE, fixed=True)) == Plain(2 * N, N - 4 * 3).prices


def test_what_is_written_twice_is_computed_once() -> None:
    """e^x / Σ e^x with the powers written twice is the softmax, and costs what it does."""
    spelled = pytorch(lambda x: torch.exp(x) / torch.exp(x).sum(-1, keepdim=True), SHAPE, fixed=True)
    assert prices(spelled) == Plain(2 * N, N - 4 * 3).prices


@pytest.mark.parametrize(
    "nothing",
    [
        lambda x: x * 1,
        lambda x: 1.0 * x,
        lambda x: x / 1,
        lambda x: x + 0,
        lambda x: x - 0.0,
        lambda x: x**1,
        lambda x: -x,
        lambda x: -1 * x,
        lambda x: x * torch.ones(2),
        lambda x: torch.zeros(3, 1) + x,
    ],
    ids=["x*1", "1*x", "x/1", "x+0", "x-0", "x**1", "neg", "-1*x", "x*ones", "zeros+x"],
)
def test_arithmetic_that_changes_nothing_or_the_sign_is_free(nothing: Any) -> None:
    assert prices(pytorch(nothing, SHAPE, fixed=True)) == Plain(0, 0).prices


@pytest.mark.parametrize("written", [False, True], ids=["without", "ones and zeros"])
def test_a_scale_of_ones_is_no_multiply(written: bool) -> None:
    """A layer norm of rows of 2: ONNX's operator must have a scale, and exporters write ones."""
    norm = nn.LayerNorm(2, elementwise_affine=written)
    rows, count = 4 * 3, N
    # A mean, differences, squares, a variance, + eps, 1/√, and a multiply: adds of rows of 2, and what each row has.
    expected = Plain(2 * count + 3 * rows, 2 * (count - rows) + count + rows, scalars=(32,))
    assert prices(pytorch(norm, SHAPE, fixed=True)) == expected.prices


def test_a_value_that_somebody_else_reads_keeps_its_price() -> None:
    """1 + e^−x is also an output here, so it is computed beside the swish: e^−x and 1 + again, and x/·."""
    count = pytorch(lambda x: (x / (y := 1 + torch.exp(-x)), y), SHAPE, fixed=True)
    assert prices(count) == Plain(2 * N, N).prices
