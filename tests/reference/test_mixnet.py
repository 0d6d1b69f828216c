"""MixNet-S: depthwise convolutions of mixed kernels, joined again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.reference.arithmetic import Cost, add, average, linear, normed, relu, sigmoid, squeeze_excite, swish, total
from tests.reference.counts import Counts, agree
from tests.reference.networks.mixnet import BLOCKS, CLASSES, HEAD, STEM, Block, shares

NAME = "mixnet-s"


def mixed(inputs: int, outputs: int, kernels: tuple[int, ...], space: int, depthwise: bool = False) -> Cost:
    """One convolution per part; the batch norm behind the joined parts folds into each of them, slice by slice."""
    if len(kernels) == 1:
        return normed(kernels[0], inputs, outputs, space, groups=inputs if depthwise else 1)
    parts = zip(kernels, shares(inputs, len(kernels)), shares(outputs, len(kernels)), strict=True)
    return total(normed(k, i, o, space, groups=i if depthwise else 1) for k, i, o in parts)


def block_cost(block: Block, size: int) -> Cost:
    wide, new, row = block.expanded, size // block.stride, Cost()
    activation = swish if block.swish else relu
    if block.expansion > 1:
        row += mixed(block.inputs, wide, (1,) * block.expand_parts, size**2) + activation(wide * size**2)
    row += mixed(wide, wide, block.kernels, new**2, depthwise=True) + activation(wide * new**2)
    if block.squeezed:
        row += squeeze_excite(wide, block.squeezed, new**2, activation(block.squeezed), sigmoid(wide))
    row += mixed(wide, block.outputs, (1,) * block.project_parts, new**2)
    return row + (add(block.outputs * new**2) if block.residual else Cost())


def definition() -> dict[str, Cost]:
    size = 112
    found = {"stem": normed(3, 3, STEM, size**2) + relu(STEM * size**2)}
    for index, block in enumerate(BLOCKS):
        found[f"blocks.{index}"] = block_cost(block, size)
        size //= block.stride
    found["head"] = normed(1, BLOCKS[-1].outputs, HEAD, size**2) + relu(HEAD * size**2)
    return found | {"pool": average(HEAD, size**2), "fc": linear(HEAD, CLASSES)}


@pytest.mark.xdist_group(NAME)
def test_mixnet_s(counts: Callable[[str], Counts]) -> None:
    """The paper prints 4.1 M parameters and 256 M multiply-adds; the definition comes to 4.13 M and 239 M products of dot products."""
    expected = definition()
    whole = total(expected.values())
    assert (whole.parameters, round(whole.macs / 1e6)) == (4_134_606, 239)
    agree(counts(NAME), expected)
