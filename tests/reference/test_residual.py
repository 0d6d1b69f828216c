"""ResNet-50 and PyramidNet-110 against their papers' tables."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.reference.arithmetic import Cost, add, average, linear, maximum, norm, normed, relu, total
from tests.reference.counts import Counts, agree
from tests.reference.networks.residual import (
    PYRAMID_CLASSES,
    PYRAMID_STEM,
    RESNET_CLASSES,
    RESNET_STEM,
    pyramid_blocks,
    resnet_blocks,
)


def resnet() -> dict[str, Cost]:
    size = 112
    found = {"stem": normed(7, 3, RESNET_STEM, size**2) + relu(RESNET_STEM * size**2)}
    size = 56
    found["maxpool"] = maximum(RESNET_STEM * size**2, 3 * 3)
    for index, block in enumerate(resnet_blocks()):
        new = size // block.stride
        row = normed(1, block.inputs, block.inner, new**2) + relu(block.inner * new**2)
        row += normed(3, block.inner, block.inner, new**2) + relu(block.inner * new**2)
        row += normed(1, block.inner, block.outputs, new**2)
        row += normed(1, block.inputs, block.outputs, new**2) if block.inputs != block.outputs else Cost()
        found[f"blocks.{index}"] = row + add(block.outputs * new**2) + relu(block.outputs * new**2)
        size = new
    return found | {"pool": average(2048, size**2), "fc": linear(2048, RESNET_CLASSES)}


def pyramid() -> dict[str, Cost]:
    """Each block's first batch norm reads a sum (the first block's the stem, which others read, too) and is read by a convolution.

    That pads with zeros: the scale folds into its weights, and a shift for each channel is added before it.
    """
    size = 32
    found = {"stem": normed(3, 3, PYRAMID_STEM, size**2)}
    for index, step in enumerate(pyramid_blocks()):
        new, space = size // step.stride, (size // step.stride) ** 2
        row = Cost(values=step.inputs, adds=step.inputs * size**2, folded=step.inputs)
        row += normed(3, step.inputs, step.outputs, space) + relu(step.outputs * space)
        row += normed(3, step.outputs, step.outputs, space)
        row += average(step.inputs * space, 2 * 2) if step.stride == 2 else Cost()
        found[f"blocks.{index}"] = row + add(step.outputs * space)
        size = new
    width = pyramid_blocks()[-1].outputs
    found |= {"bn": norm(width, size**2), "act": relu(width * size**2)}
    return found | {"pool": average(width, 8 * 8), "fc": linear(width, PYRAMID_CLASSES)}


@pytest.mark.xdist_group("resnet-50")
def test_resnet_50(counts: Callable[[str], Counts]) -> None:
    """Table 1 of the paper: 3.8·10⁹ multiply-adds, cut off after the first digit; 25.6 M parameters."""
    whole = total(resnet().values())
    assert whole.parameters == 25_557_032
    assert whole.macs // 10**8 == 38
    agree(counts("resnet-50"), resnet())


@pytest.mark.xdist_group("pyramidnet-110")
def test_pyramidnet_110_widens_by_five_channels_a_block() -> None:
    widths = [step.outputs for step in pyramid_blocks()]
    assert widths == [16 + 5 * block for block in range(1, 55)]


@pytest.mark.xdist_group("pyramidnet-110")
def test_pyramidnet_110(counts: Callable[[str], Counts]) -> None:
    """The paper prints 28.3 M parameters with α = 270; the definition comes to 28.5 M, 100 classes and every scale included."""
    whole = total(pyramid().values())
    assert whole.parameters == 28_511_307
    assert whole.macs == 9 * (3 * 16 * 32**2 + sum(_products(index) for index in range(54))) + 286 * 100
    agree(counts("pyramidnet-110"), pyramid())


def _products(index: int) -> int:
    """Channels in times channels out over all positions, of both convolutions of a block; size halves at blocks 18 and 36."""
    before, after, space = 16 + 5 * index, 21 + 5 * index, (32 >> index // 18) ** 2
    return (before + after) * after * space
