"""DenseNet-BC-100 (k = 12) and ShuffleNetV2 ×1.0 against their papers' tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.reference.arithmetic import Cost, average, conv, linear, maximum, norm, normed, relu, shuffle, total
from tests.reference.counts import Counts, agree
from tests.reference.networks.dense_shuffle import (
    DENSE_CLASSES,
    DENSE_STEM,
    GROWTH,
    LAYERS_PER_BLOCK,
    SHUFFLE_CLASSES,
    SHUFFLE_HEAD,
    SHUFFLE_STAGES,
    SHUFFLE_STEM,
)


def dense() -> dict[str, Cost]:
    """A layer's first batch norm reads joined features, so it stands for itself; the second folds into the 1×1 convolution."""
    size, width, inner = 32, DENSE_STEM, 4 * GROWTH
    rows = []
    for block in range(3):
        for _ in range(LAYERS_PER_BLOCK):
            row = norm(width, size**2) + relu(width * size**2)
            row += normed(1, width, inner, size**2) + relu(inner * size**2)
            rows.append(row + conv(3, inner, GROWTH, size**2, bias=False))
            width += GROWTH
        if block < 2:
            row = norm(width, size**2) + relu(width * size**2) + conv(1, width, width // 2, size**2, bias=False)
            width, size = width // 2, size // 2
            rows.append(row + average(width * size**2, 2 * 2))
    found = {f"blocks.{index}": row for index, row in enumerate(rows)}
    found |= {"stem": conv(3, 3, DENSE_STEM, 32**2, bias=False), "bn": norm(width, size**2), "act": relu(width * size**2)}
    return found | {"pool": average(width, 8 * 8), "fc": linear(width, DENSE_CLASSES)}


def shuffled() -> dict[str, Cost]:
    """Each unit ends in a shuffle: a multiply per element moved, and the permutation's matrix (O9)."""
    inputs, size, rows = SHUFFLE_STEM, 56, []
    for width, repeats in SHUFFLE_STAGES:
        half = width // 2
        for index in range(repeats):
            taken, stride = (inputs, 2) if index == 0 else (half, 1)
            new = size // stride
            row = normed(1, taken, half, size**2) + relu(half * size**2)
            row += normed(3, half, half, new**2, groups=half) + normed(1, half, half, new**2) + relu(half * new**2)
            if index == 0:
                row += normed(3, inputs, inputs, new**2, groups=inputs) + normed(1, inputs, half, new**2) + relu(half * new**2)
            # Units of one stage shuffle alike, so the stage's matrix is stored with its first (S4).
            order = shuffle(width, new**2)
            rows.append(row + (order if index == 0 else replace(order, bits=0)))
            size = new
        inputs = width
    found = {f"blocks.{index}": row for index, row in enumerate(rows)}
    found["stem"] = normed(3, 3, SHUFFLE_STEM, 112**2) + relu(SHUFFLE_STEM * 112**2)
    found["maxpool"] = maximum(SHUFFLE_STEM * 56**2, 3 * 3)
    found["head"] = normed(1, inputs, SHUFFLE_HEAD, size**2) + relu(SHUFFLE_HEAD * size**2)
    return found | {"pool": average(SHUFFLE_HEAD, size**2), "fc": linear(SHUFFLE_HEAD, SHUFFLE_CLASSES)}


@pytest.mark.xdist_group("densenet-bc-100")
def test_densenet_bc_100(counts: Callable[[str], Counts]) -> None:
    """The paper prints 0.8 M parameters."""
    assert total(dense().values()).parameters == 800_032
    agree(counts("densenet-bc-100"), dense())


@pytest.mark.xdist_group("shufflenet-v2")
def test_shufflenet_v2(counts: Callable[[str], Counts]) -> None:
    """The paper prints 2.3 M parameters and 146 M multiply-adds; products of dot products alone are 145 M."""
    whole = total(shuffled().values())
    assert (whole.parameters, round(whole.macs / 1e6)) == (2_278_604, 145)
    # Sixteen shuffles of three orders.
    assert whole.bits == 116 + 116**2 + 232 + 232**2 + 464 + 464**2
    agree(counts("shufflenet-v2"), shuffled())
