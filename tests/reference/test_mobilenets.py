"""MobileNetV1, V2 (×1.4) and V3-Large against their papers' tables."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from micronet_verify.track.library import load_track
from tests.reference.arithmetic import (
    Cost,
    add,
    average,
    hard_sigmoid,
    hard_swish,
    linear,
    normed,
    relu,
    relu6,
    squeeze_excite,
    total,
)
from tests.reference.counts import Counts, agree
from tests.reference.networks import mobilenet
from tests.reference.networks.layers import multiple_of_8
from tests.reference.networks.mobilenet import CLASSES, V1_PAIRS, V1_STEM, Block

Activation = Callable[[int], Cost]


def v1() -> dict[str, Cost]:
    size, inputs = 112, V1_STEM
    found = {"stem": normed(3, 3, inputs, size**2) + relu(inputs * size**2)}
    for index, (outputs, stride) in enumerate(V1_PAIRS):
        size //= stride
        row = normed(3, inputs, inputs, size**2, groups=inputs) + relu(inputs * size**2)
        found[f"pairs.{index}"] = row + normed(1, inputs, outputs, size**2) + relu(outputs * size**2)
        inputs = outputs
    return found | {"pool": average(inputs, size**2), "fc": linear(inputs, CLASSES)}


def inverted(block: Block, size: int, activation: Activation) -> Cost:
    """One inverted residual on ``size``² inputs."""
    wide, new, row = block.expanded, size // block.stride, Cost()
    if wide != block.inputs:
        row += normed(1, block.inputs, wide, size**2) + activation(wide * size**2)
    row += normed(block.kernel, wide, wide, new**2, groups=wide) + activation(wide * new**2)
    if block.squeezed:
        row += squeeze_excite(wide, block.squeezed, new**2, relu(block.squeezed), hard_sigmoid(wide))
    row += normed(1, wide, block.outputs, new**2)
    return row + (add(block.outputs * new**2) if block.residual else Cost())


def v2(width: float) -> dict[str, Cost]:
    blocks, size = mobilenet.v2_blocks(width), 112
    head = multiple_of_8(mobilenet.V2_HEAD * width)
    found = {"stem": normed(3, 3, blocks[0].inputs, size**2) + relu6(blocks[0].inputs * size**2)}
    for index, block in enumerate(blocks):
        found[f"blocks.{index}"] = inverted(block, size, relu6)
        size //= block.stride
    found["head"] = normed(1, blocks[-1].outputs, head, size**2) + relu6(head * size**2)
    # relu6's upper bound is a number of the program, stored once (S2).
    return found | {"pool": average(head, size**2), "fc": linear(head, CLASSES), "": Cost(values=1)}


def v3() -> dict[str, Cost]:
    blocks, size = mobilenet.v3_blocks(), 112
    stem, head, hidden = mobilenet.V3_STEM, mobilenet.V3_HEAD, mobilenet.V3_HIDDEN
    found = {"stem": normed(3, 3, stem, size**2) + hard_swish(stem * size**2)}
    for index, block in enumerate(blocks):
        found[f"blocks.{index}"] = inverted(block, size, hard_swish if block.swish else relu)
        size //= block.stride
    found["head"] = normed(1, blocks[-1].outputs, head, size**2) + hard_swish(head * size**2)
    found |= {"pool": average(head, size**2), "hidden": linear(head, hidden), "act": hard_swish(hidden)}
    # Hard-swish is x·min(max(x + 3, 0), 6)/6 and hard-sigmoid the same without x: the numbers 3 and 6 (S2).
    return found | {"fc": linear(hidden, CLASSES), "": Cost(values=2)}


@pytest.mark.xdist_group("mobilenet-v1")
def test_v1(counts: Callable[[str], Counts]) -> None:
    """The paper prints 4.2 M parameters, 569 M multiply-adds."""
    whole = total(v1().values())
    assert (whole.parameters, whole.macs) == (4_231_976, 568_740_352)
    agree(counts("mobilenet-v1"), v1())


@pytest.mark.xdist_group("mobilenet-v2-1.4")
def test_v2_is_smaller_than_the_tracks_constants(counts: Callable[[str], Counts]) -> None:
    """The published 6.9 M and 1,170 M stay the track's constants; the definition has 6.11 M (scales of norms included) and 2 × 582 M."""
    expected = v2(1.4)
    whole = total(expected.values())
    parameters = whole.parameters - 1  # without relu6's bound
    assert f"{parameters / 1e6:.2f}" == "6.11"
    assert round(whole.macs / 1e6) == 582
    baseline = load_track("imagenet").baseline
    assert (baseline.parameters, baseline.operations) == (6_900_000, 1_170_000_000)
    agree(counts("mobilenet-v2-1.4"), expected)


@pytest.mark.xdist_group("mobilenet-v2-1.4")
def test_v2_scales_fold_into_the_weights() -> None:
    """Of the 6.11 M, one scale per normalised channel is not stored: 6.08 M values remain (S7)."""
    blocks, head = mobilenet.v2_blocks(1.4), 1792
    normalised = blocks[0].inputs + head
    normalised += sum(2 * block.expanded + block.outputs for block in blocks)
    normalised -= blocks[0].expanded  # the first block does not expand
    whole = total(v2(1.4).values())
    assert whole.folded == normalised
    assert f"{whole.values / 1e6:.2f}" == "6.08"


@pytest.mark.xdist_group("mobilenet-v3-large")
def test_v3_large(counts: Callable[[str], Counts]) -> None:
    """The paper prints 5.4 M parameters, 219 M multiply-adds; the definition comes to 5.48 M and 217 M."""
    whole = total(v3().values())
    assert (whole.parameters - 2, round(whole.macs / 1e6)) == (5_483_032, 217)
    agree(counts("mobilenet-v3-large"), v3())
