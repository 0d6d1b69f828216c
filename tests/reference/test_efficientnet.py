"""EfficientNet-B0 to B4 against COUNTING_RULES, *Reference totals*, and against their definitions."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import ceil

import pytest

from micronet_verify.counting.score import Score
from micronet_verify.track.library import load_track
from tests.reference.arithmetic import Cost, add, average, linear, normed, sigmoid, squeeze_excite, swish, total
from tests.reference.counts import SAVE, Counts, agree, rows
from tests.reference.networks.efficientnet import CLASSES, HEAD, SCALING, STEM, blocks
from tests.reference.networks.layers import multiple_of_8

B0 = "efficientnet-b0"
on_b0 = pytest.mark.xdist_group(B0)
# Printed row by row in the public notebook: MB at 16 bit, millions of multiplies at 16 bit, millions of adds.
PRINTED = {
    "stem": (".002", "6.021", "11.239"),
    "blocks.0": (".003", "5.821", "10.839"),
    "head": (".822", "10.129", "20.133"),
    "pool": ("0", ".001", ".061"),
    "fc": ("2.562", ".640", "1.280"),
}
# Parameters and multiply-adds in millions that the definition comes to. The paper's Table 2 prints 5.3 M and 390 M, 7.8 and 700,
# 9.2 and 1,000, 12 and 1,800, 19 and 4,200: its second, third and fifth row are rounded otherwise than these.
SIZES = {0: (5_288_548, 386), 1: (7_794_184, 687), 2: (9_109_994, 994), 3: (12_233_232, 1_827), 4: (19_341_616, 4_394)}


def definition(variant: int) -> dict[str, Cost]:
    """Every module's price; a batch norm is its convolution's bias, and a strided layer's size is rounded up ("SAME")."""
    width, depth, size = SCALING[variant]
    inner, head = blocks(width, depth), multiple_of_8(HEAD * width)
    size = ceil(size / 2)
    stem = multiple_of_8(STEM * width)
    found = {"stem": normed(3, 3, stem, size**2) + swish(stem * size**2)}
    for index, block in enumerate(inner):
        wide, row = block.expanded, Cost()
        if wide != block.inputs:
            row += normed(1, block.inputs, wide, size**2) + swish(wide * size**2)
        size = ceil(size / block.stride)
        row += normed(block.kernel, wide, wide, size**2, groups=wide) + swish(wide * size**2)
        row += squeeze_excite(wide, block.squeezed, size**2, swish(block.squeezed), sigmoid(wide))
        row += normed(1, wide, block.outputs, size**2)
        row += add(block.outputs * size**2) if block.residual else Cost()
        found[f"blocks.{index}"] = row
    found["head"] = normed(1, inner[-1].outputs, head, size**2) + swish(head * size**2)
    return found | {"pool": average(head, size**2), "fc": linear(head, CLASSES)}


@on_b0
def test_the_rows_of_the_definition_are_the_printed_ones() -> None:
    for name, (megabytes, multiplies, adds) in PRINTED.items():
        cost = definition(0)[name]
        assert round(cost.values * 2 / 1e6, 3) == float(megabytes)
        assert round(cost.multiplies / 2 / 1e6, 3) == float(multiplies)
        assert round(cost.adds / 1e6, 3) == float(adds)


@on_b0
@pytest.mark.parametrize("file_format", SAVE)
def test_b0_costs_the_reference_total_to_the_last_integer(counts: Callable[[str], Counts], file_format: str) -> None:
    ledger = counts(B0).ledger(file_format)
    whole = total(rows(ledger, ()).values())
    assert (whole.values, whole.bits) == (5_267_540, 0)
    assert (whole.multiplies, whole.adds) == (406_623_188, 394_550_748)
    track = load_track("imagenet")
    score = Score.of(ledger, track.baseline)
    assert score.value == Fraction(5_267_540 * 16, 32) / 6_900_000 + (Fraction(406_623_188, 2) + 394_550_748) / 1_170_000_000
    assert f"{float(score.value):.6f}" == "0.892699"


@on_b0
def test_the_public_notebook_adds_residuals_on_the_expanded_width(counts: Callable[[str], Counts]) -> None:
    """A known defect: it prints 395.601 M adds and .893597. A residual add is as wide as the block's output."""
    whole = total(rows(counts(B0).ledger(), ()).values())
    size, surplus = 112, 0
    for block in blocks():
        size //= block.stride
        surplus += size**2 * (block.expanded - block.outputs) if block.residual else 0
    # 24 channels at 56² once, 40 at 28² once, 80 at 14² twice, 112 at 14² twice, 192 at 7² thrice; each five widths too many.
    assert surplus == 5 * (24 * 56**2 + 40 * 28**2 + 2 * 80 * 14**2 + 2 * 112 * 14**2 + 3 * 192 * 7**2)
    assert f"{(whole.adds + surplus) / 1e6:.3f}" == "395.601"
    wrong = Fraction(16 * whole.values, 32) / 6_900_000 + (Fraction(whole.multiplies, 2) + whole.adds + surplus) / 1_170_000_000
    assert f"{float(wrong):.6f}" == "0.893597"


@pytest.mark.parametrize(
    "variant", [pytest.param(variant, marks=pytest.mark.xdist_group(f"efficientnet-b{variant}")) for variant in range(5)]
)
def test_every_module_costs_what_its_definition_comes_to(counts: Callable[[str], Counts], variant: int) -> None:
    expected = definition(variant)
    whole = total(expected.values())
    assert (whole.parameters, round(whole.macs / 1e6)) == SIZES[variant]
    agree(counts(f"efficientnet-b{variant}"), expected)
