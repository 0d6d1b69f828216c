"""B11: softmax with the maximum taken off, clip and softplus written out cost what their operators cost, in PyTorch and in ONNX."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.plugins.onnx.support import node
from tests.spelling.counted import Plain, onnx_count, onnx_model, prices, pytorch

ROWS, N = 3, 8
ALL = ROWS * N
SOFTMAX, LOG_SOFTMAX = Plain(2 * ALL, ALL - ROWS), Plain(ALL + ROWS, ALL - ROWS + ALL)


def shifted(x: Tensor) -> Tensor:
    return x - x.amax(-1, keepdim=True)


def softmax(x: Tensor) -> Tensor:
    power = torch.exp(shifted(x))
    return power / power.sum(-1, keepdim=True)


def clip(x: Tensor) -> Tensor:
    x = torch.where(x < 0.3, 0.3, x)
    return torch.where(x > 0.7, 0.7, x)


def log_softmax(x: Tensor) -> Tensor:
    return shifted(x) - torch.log(torch.exp(shifted(x)).sum(-1, keepdim=True))


PYTORCH: dict[str, tuple[Callable[[Tensor], Tensor], Plain]] = {
    "softmax": (softmax, SOFTMAX),
    "the softmax": (lambda x: x.softmax(-1), SOFTMAX),
    "log-softmax": (log_softmax, LOG_SOFTMAX),
    "the log-softmax": (lambda x: x.log_softmax(-1), LOG_SOFTMAX),
    "relu": (lambda x: torch.where(x > 0, x, 0.0), Plain(ALL, 0)),
    "clip from below": (lambda x: torch.where(x < 0.3, 0.3, x), Plain(ALL, 0, scalars=(32,))),
    "clip from above": (lambda x: torch.where(x < 0.3, x, 0.3), Plain(ALL, 0, scalars=(32,))),
    "clip": (clip, Plain(2 * ALL, 0, scalars=(32, 32))),
    "the clip": (lambda x: x.clamp(0.3, 0.7), Plain(2 * ALL, 0, scalars=(32, 32))),
    "softplus": (lambda x: torch.log(1 + torch.exp(x)), Plain(2 * ALL, ALL)),
    "softplus by log1p": (lambda x: torch.log1p(torch.exp(x)), Plain(2 * ALL, ALL)),
    "another bound": (lambda x: torch.where(x < 0.3, 0.7, x), Plain(2 * ALL, 0, scalars=(32, 32))),
}


@pytest.mark.parametrize("name", PYTORCH)
def test_B11_written_out_in_pytorch(name: str) -> None:
    function, expected = PYTORCH[name]
    assert prices(pytorch(function, (ROWS, N))) == expected.prices


SHIFT = [node("ReduceMax", "x", "m", axes=[-1]), node("Sub", "x m", "d"), node("Exp", "d", "e"), node("ReduceSum", "e last", "s")]
ONNX = {
    "softmax": ([*SHIFT, node("Div", "e s")], SOFTMAX),
    "the softmax": ([node("Softmax", "x", axis=-1)], SOFTMAX),
    "log-softmax": ([*SHIFT, node("Log", "s", "l"), node("Sub", "d l")], LOG_SOFTMAX),
    "the log-softmax": ([node("LogSoftmax", "x", axis=-1)], LOG_SOFTMAX),
    "clip": (
        [node("Less", "x a", "p"), node("Where", "p a x", "k"), node("Less", "b k", "q"), node("Where", "q b k")],
        Plain(2 * ALL, 0, scalars=(32, 32)),
    ),
    "the clip": ([node("Clip", "x a b")], Plain(2 * ALL, 0, scalars=(32, 32))),
    "softplus": ([node("Exp", "x", "e"), node("Add", "e one", "t"), node("Log", "t")], Plain(2 * ALL, ALL)),
    "the softplus": ([node("Softplus", "x")], Plain(2 * ALL, ALL)),
}


@pytest.mark.parametrize("name", ONNX)
def test_B11_written_out_in_onnx(name: str) -> None:
    nodes, expected = ONNX[name]
    constants = {"a": np.float32(0.3), "b": np.float32(0.7), "one": np.float32(1), "last": np.array([-1], np.int64)}
    assert prices(onnx_count(onnx_model(nodes, (ROWS, N), constants))) == expected.prices


def test_B11_powers_that_something_else_reads_stay() -> None:
    """The sum of the powers is an answer, too: nothing is taken for a softmax whose parts somebody sees."""

    def both(x: Tensor) -> Tensor:
        power = torch.exp(shifted(x))
        return torch.cat([power / power.sum(-1, keepdim=True), power], -1)

    # The maximum (n − 1 compares of each row), the differences, powers, sums and quotients.
    assert prices(pytorch(both, (ROWS, N))) == Plain(ALL - ROWS + 2 * ALL, ALL + ALL - ROWS).prices
