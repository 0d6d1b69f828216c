"""Every place of a PyTorch model in which weights can hide: found, stored once, charged (rules S2, S4, S6, S8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812, the field's name for it

from micronet_verify.counting.count import Count
from tests.spelling.counted import Plain, prices, pytorch, quantized, random

HIDDEN = torch.tensor(random(8))
ELSEWHERE = torch.tensor(random(8))


class Hiding(nn.Module):
    """x·w with w in one place; ``plain`` attributes are no parameters and no buffers."""

    CLASS_ATTRIBUTE = HIDDEN

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place
        if place in ("parameter", "frozen parameter"):
            self.w: Any = nn.Parameter(HIDDEN.clone(), requires_grad=place == "parameter")
        elif place.endswith("buffer"):
            self.register_buffer("w", HIDDEN.clone(), persistent=place == "buffer")
        elif place == "attribute":
            self.w = HIDDEN.clone()
        elif place == "in a list":
            self.many = [HIDDEN.clone()]
        elif place == "in a dictionary":
            self.named = {"w": HIDDEN.clone()}
        elif place == "of a module never called":
            self.never = nn.Linear(8, 8)
            with torch.no_grad():
                self.never.bias.copy_(HIDDEN)
        elif place == "closure":
            hidden = HIDDEN.clone()
            self.closure = lambda: hidden

    def forward(self, x: Tensor) -> Tensor:
        found: dict[str, Callable[[], Tensor]] = {
            "in a list": lambda: self.many[0],
            "in a dictionary": lambda: self.named["w"],
            "of a module never called": lambda: self.never.bias,
            "closure": lambda: self.closure(),
            "class attribute": lambda: self.CLASS_ATTRIBUTE,
            "global": lambda: ELSEWHERE,
            "literal in forward": lambda: torch.tensor([0.11, -0.23, 0.37, -0.41, 0.53, -0.67, 0.71, -0.83]),
        }
        return x * found.get(self.place, lambda: self.w)()


PLACES = [
    "parameter", "frozen parameter", "buffer", "unsaved buffer", "attribute", "in a list", "in a dictionary", "of a module never called",
    "closure", "class attribute", "global", "literal in forward",
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_eight_weights_are_eight_values_wherever_they_are(place: str) -> None:
    assert prices(pytorch(Hiding(place), (8,))) == Plain(8, 0, 8).prices


def test_a_module_that_is_never_called_is_listed_and_not_charged() -> None:
    ledger = pytorch(Hiding("of a module never called"), (8,)).ledgers["freebie"]
    unused = {line.subject: (line.amount, line.formula) for line in ledger.lines if line.rule == "S6"}
    assert unused == {"never.weight": (0, "64 values")}


class Tied(nn.Module):
    """Two layers of one weight, by assignment, by use, or as a copy that an export made."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.first, self.second, self.how = nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False), how
        with torch.no_grad():
            self.first.weight.copy_(torch.tensor(random(8, 8)))
            self.second.weight.copy_(self.first.weight)
        if how == "assigned":
            self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Any:
        h = self.first(x)
        return {"assigned": self.second, "called twice": self.first, "copied": self.second}.get(self.how, lambda h: h @ self.first.weight)(
            h
        )


@pytest.mark.parametrize("how", ["assigned", "called twice", "copied", "transposed"])
def test_tied_weights_are_stored_once_and_work_twice(how: str) -> None:
    assert prices(pytorch(Tied(how), (8,))) == Plain(2 * 64, 2 * 56, 64).prices


def test_a_tied_embedding_and_softmax() -> None:
    """Looking up is free; the softmax's product is 3 words by 6 by 12."""
    count = pytorch(lambda words, table: F.linear(F.embedding(words, table), table), torch.zeros(2, 3, dtype=torch.int64), random(12, 6))
    assert prices(count) == Plain(3 * 6 * 12, 3 * 5 * 12, 12 * 6).prices


def codebook(written: bool) -> Count:
    entries, places = random(4), np.random.default_rng(0).integers(0, 4, (8, 8))
    if written:
        return pytorch(F.linear, (8,), entries[places])
    return pytorch(lambda x, table: F.linear(x, table[torch.tensor(places)]), (8,), entries)


@pytest.mark.parametrize("written", [False, True], ids=["entries and indices", "weights of four values"])
def test_a_codebook_is_its_indices_and_its_entries(written: bool) -> None:
    """S8: 64 indices of 2 bits and 4 entries of 32, whether the file holds them or the values that they choose."""
    found = codebook(written)
    assert prices(found)["quantized"] == quantized(64 * 2 + 4 * 32, operation_bits=64 * 32 + 56 * 32)["quantized"]


CODES = np.random.default_rng(1).integers(0, 16, (8, 16)).astype(np.uint8)
CODES[:, :4] = 15, 14, 0, 1
PACKED = CODES[:, :8] | (CODES[:, 8:] << 4)
UNPACK: dict[str, Callable[[Tensor], tuple[Tensor, Tensor]]] = {
    "& and >>": lambda p: (p & 15, p >> 4),
    "bitwise functions": lambda p: (torch.bitwise_and(p, 15), torch.bitwise_right_shift(p, 4)),
    "% and //": lambda p: (p % 16, p // 16),
}


@pytest.mark.parametrize("how", [*UNPACK, "not packed"])
def test_two_codes_in_a_byte_are_two_codes_of_4_bits(how: str) -> None:
    """128 codes of 4 bits and one scale; unpacking is done once. The zeros (code 8) are no work, and not worth a mask."""
    assert (CODES == 8).sum() * 4 < CODES.size

    def model(x: Tensor) -> Tensor:
        codes = torch.tensor(CODES) if how == "not packed" else torch.cat(UNPACK[how](torch.tensor(PACKED)), 1)
        return F.linear(x, (codes.float() - 8) * 0.013)

    products = int((CODES != 8).sum())
    expected = quantized(128 * 4 + 32, operation_bits=32 * products + 32 * (products - 8))
    assert prices(pytorch(model, (16,)))["quantized"] == expected["quantized"]


class Chosen(nn.Module):
    """Weights inside the bodies of a branch."""

    def __init__(self) -> None:
        super().__init__()
        self.yes, self.no = (nn.Parameter(torch.tensor(random(8, seed=seed))) for seed in (0, 5))

    def forward(self, x: Tensor) -> Any:
        return torch.cond(x.sum() > 0, lambda x: x * self.yes, lambda x: x * self.no, (x,))


def test_weights_of_both_bodies_of_a_branch_are_stored() -> None:
    """16 values; Σx and a compare, then a multiply per element in either body."""
    assert prices(pytorch(Chosen(), (8,), fixed=True)) == Plain(1 + 8 + 8, 7, 16).prices


GENERATED: dict[str, tuple[Callable[[Tensor], Tensor], Plain]] = {
    # Nothing of these is a weight of the file: what makes them is work for every example, and is in the ledger.
    "sin of a sequence": (lambda x: x * torch.sin(torch.arange(1.0, 9.0)), Plain(8 + 8, 0)),
    "arithmetic on ones": (lambda x: F.linear(x, torch.sin(torch.ones(8, 8).cumsum(0))), Plain(64 + 64, 56 + 56)),
    "an outer product": (
        lambda x: F.linear(x, torch.tensor(random(8, 1)) * torch.tensor(random(1, 8, seed=3))),
        Plain(64 + 64, 56, 8 + 8),
    ),
    "an outer product of repeated vectors": (
        lambda x: F.linear(x, torch.tensor(random(8, 1)).expand(8, 8) * torch.tensor(random(1, 8, seed=3)).expand(8, 8)),
        Plain(64 + 64, 56, 8 + 8),
    ),
}


@pytest.mark.parametrize("how", GENERATED)
def test_weights_from_nothing_are_work_for_every_example(how: str) -> None:
    model, expected = GENERATED[how]
    ledger = pytorch(model, (8,)).ledgers["freebie"]
    assert (ledger.quantity("operations", "multiply"), ledger.quantity("operations", "add")) == (expected.multiplies, expected.adds)
    if expected.values:
        assert ledger.storage == expected.prices["freebie"][0]


def test_a_sequence_is_stored_as_its_values() -> None:
    """1 … 8: eight values of 16 bits under the freebie, 4 bits and a scale of 8 (a power of two) when quantized."""
    found = prices(pytorch(GENERATED["sin of a sequence"][0], (8,)))
    assert found["freebie"][0] * 32 == 8 * 16
    assert found["quantized"][0] * 32 == 8 * 4 + 8
