"""WideResNet-28-10: the published baseline re-derived, and what batch norms cost where they cannot fold."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest

from micronet_verify.track.library import load_track
from tests.reference.arithmetic import Cost, add, average, conv, linear, norm, normed, relu, total
from tests.reference.counts import SAVE, Counts, agree, rows
from tests.reference.networks.wide_resnet import CLASSES, STEM, blocks

SIZE, WIDTH = 32, 640
PLACES = {1: "", 2: "-stride-2nd"}
by_stride = [pytest.param(place, marks=pytest.mark.xdist_group(f"wrn{place}")) for place in PLACES]


def shift(channels: int, space: int) -> Cost:
    """A batch norm under ``shift_only``: a bias per channel and its add, wherever it stands."""
    return Cost(values=channels, adds=channels * space)


def definition(stride_at: int, reading: str) -> dict[str, Cost]:
    """``reading``: "biases" (no batch norm, each convolution has a bias, as published), "folded" or "shift_only"."""
    biased, folds = reading == "biases", reading == "folded"
    loose = {"biases": lambda channels, space: Cost(), "folded": norm, "shift_only": shift}[reading]
    size = SIZE
    found = {"stem": normed(3, 3, STEM, size**2) if folds else conv(3, 3, STEM, size**2, bias=biased)}
    for index, block in enumerate(blocks()):
        new = size // block.stride
        mid = new if stride_at == 1 else size
        # The first block's first batch norm reads the stem alone, so it folds there; the others read a sum.
        row = Cost() if folds and index == 0 else loose(block.inputs, size**2)
        row += relu(block.inputs * size**2)
        row += normed(3, block.inputs, block.outputs, mid**2) if folds else conv(3, block.inputs, block.outputs, mid**2, bias=biased)
        row += Cost() if folds else loose(block.outputs, mid**2)
        row += relu(block.outputs * mid**2) + conv(3, block.outputs, block.outputs, new**2, bias=biased)
        row += conv(1, block.inputs, block.outputs, new**2, bias=biased) if block.inputs != block.outputs else Cost()
        found[f"blocks.{index}"] = row + add(block.outputs * new**2)
        size = new
    found |= {"bn": loose(WIDTH, size**2), "": relu(WIDTH * size**2)}
    return found | {"pool": average(WIDTH, size**2), "fc": linear(WIDTH, CLASSES)}


@pytest.mark.parametrize("stride_at", by_stride)
@pytest.mark.parametrize("file_format", SAVE)
def test_the_published_baseline(counts: Callable[[str], Counts], stride_at: int, file_format: str) -> None:
    """Convolution biases in place of every batch norm: the published sums, with nothing left out but the norms' scales.

    They hold every relu (a compare each), residual add and the pool: 5,243,386,368 products, 2,310,144 relus and 640 means
    make the multiply class; as many adds (n − 1, and one for the bias), 1,146,880 residual adds and 640·63 of the pool the adds.
    """
    ledger = counts(f"wrn-28-10-biases{PLACES[stride_at]}").ledger(file_format)
    whole = total(rows(ledger, ()).values())
    residual = 4 * (160 * 32**2 + 320 * 16**2 + 640 * 8**2)
    assert whole.values == 36_529_028
    assert whole.adds == whole.macs + residual + 640 * (8**2 - 1)
    if stride_at == 1:
        relus = (16 + 7 * 160) * 32**2 + (160 * 32**2 + 7 * 320 * 16**2) + (320 * 16**2 + 7 * 640 * 8**2) + 640 * 8**2
        assert whole.multiplies == whole.macs + relus + 640 == 5_245_697_152
        assert whole.adds == 5_244_573_568
    assert whole.multiplies + whole.adds == {1: 10_490_270_720, 2: 11_906_216_960}[stride_at]
    agree(counts(f"wrn-28-10-biases{PLACES[stride_at]}"), definition(stride_at, "biases"))


@pytest.mark.xdist_group("wrn")
def test_the_normaliser_is_the_tracks_constant() -> None:
    baseline = load_track("cifar100").baseline
    assert (baseline.parameters, baseline.operations) == (Fraction(36_500_000), Fraction(10_490_000_000))


@pytest.mark.parametrize("stride_at", by_stride)
def test_shift_only_differs_from_the_published_sum_by_the_shortcuts(counts: Callable[[str], Counts], stride_at: int) -> None:
    """No batch norm follows a shortcut's 1×1 convolution; the published sum gives it a bias all the same."""
    found = total(rows(counts(f"wrn-28-10{PLACES[stride_at]}").ledger(batch_norm="shift_only"), ()).values())
    published = total(definition(stride_at, "biases").values())
    shortcuts = Cost(values=160 + 320 + 640, adds=160 * 32**2 + 320 * 16**2 + 640 * 8**2)
    assert found.values + shortcuts.values == published.values
    assert found.adds + shortcuts.adds == published.adds
    assert found.multiplies == published.multiplies
    agree(counts(f"wrn-28-10{PLACES[stride_at]}"), definition(stride_at, "shift_only"), "shift_only")


@pytest.mark.parametrize("stride_at", by_stride)
def test_folded_charges_the_norms_that_no_convolution_takes(counts: Callable[[str], Counts], stride_at: int) -> None:
    expected = definition(stride_at, "folded")
    agree(counts(f"wrn-28-10{PLACES[stride_at]}"), expected)
    # Eleven blocks' first norms and the last one: a scale and a shift for each channel.
    loose = sum(block.inputs for block in blocks()[1:]) + WIDTH
    folded = STEM + sum(block.outputs for block in blocks())
    weights = 36_529_028 - (STEM + sum(2 * block.outputs for block in blocks()) + 160 + 320 + 640)
    assert total(expected.values()).values == weights + 2 * loose + folded
    assert total(expected.values()).parameters == 36_536_884
