"""Elements chosen and written by constant places: what they really are, at one price in every spelling (CASES A0, A10)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from micronet_verify_pytorch.program import read_program
from micronet_verify_pytorch.runner import Taken, build
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from tests.plugins.pytorch.support import Function, archive, example, executed
from tests.spelling.counted import Plain, prices, pytorch, random

ROWS = np.arange(64)[::-1].copy()
WEIGHT = random(64, 64)
PADDED = np.zeros((80, 64), np.float32)
PADDED[ROWS] = WEIGHT
EACH = torch.from_numpy(np.broadcast_to(ROWS[:, None], (64, 64)).copy())
READ: dict[str, Callable[[Tensor], Tensor]] = {
    "gather": lambda table: table.gather(0, EACH),
    "take_along_dim": lambda table: torch.take_along_dim(table, EACH, 0),
    "index": lambda table: table[torch.from_numpy(ROWS)],
    "index_select": lambda table: table.index_select(0, torch.from_numpy(ROWS)),
}


@pytest.mark.parametrize("name", READ)
def test_a0_weights_read_out_of_a_padded_table_are_the_weights(name: str) -> None:
    """64 products of 64 weights, none of them a row of zeros: 64·64 multiplies, 64·63 adds, 64·64 values."""
    dense = Plain(64 * 64, 64 * 63, 64 * 64)
    assert prices(pytorch(lambda x, table: F.linear(x, READ[name](table)), (64,), PADDED)) == dense.prices


@pytest.mark.parametrize("name", READ)
def test_a0_the_graph_reads_what_torch_reads(name: str, tmp_path: Path) -> None:
    model = Function(lambda x, table: F.linear(x, READ[name](table)), torch.from_numpy(PADDED))
    path = archive(model, example((64,)), tmp_path)
    (apart,) = executed(path, example((64,)), build(read_program(path), Taken()).forward)
    assert apart <= 8


ORDER = torch.tensor([3, 0, 2, 1])
BACK = torch.tensor([1, 3, 2, 0])


def each(index: Tensor, x: Tensor) -> Tensor:
    return index.view(1, 4, 1, 1).expand_as(x)


SHUFFLES: dict[str, Callable[[Tensor], Tensor]] = {
    "index_select": lambda x: x.index_select(1, ORDER),
    "gather": lambda x: x.gather(1, each(ORDER, x)),
    "gather by a whole index": lambda x: x.gather(1, each(ORDER, x[:1]).clone().expand_as(x)),
    "index_put": lambda x: torch.zeros_like(x).index_put((torch.arange(x.shape[0])[:, None], BACK[None]), x),
    "index_copy": lambda x: torch.zeros_like(x).index_copy(1, BACK, x),
    "scatter": lambda x: torch.zeros_like(x).scatter(1, each(BACK, x), x),
}


@pytest.mark.parametrize("name", SHUFFLES)
def test_a10_a_shuffle_of_channels_has_one_price(name: str) -> None:
    weight = random(2, 4, 1, 1)
    wanted = prices(pytorch(lambda x, w: F.conv2d(x[:, ORDER], w), (4, 8, 8), weight))
    assert prices(pytorch(lambda x, w: F.conv2d(SHUFFLES[name](x), w), (4, 8, 8), weight)) == wanted


@pytest.mark.parametrize("name", SHUFFLES)
def test_a10_a_shuffle_gives_torchs_answers(name: str, tmp_path: Path) -> None:
    path = archive(Function(SHUFFLES[name]), example((4, 3, 3)), tmp_path)
    (apart,) = executed(path, example((4, 3, 3)), build(read_program(path), Taken()).forward)
    assert apart == 0
