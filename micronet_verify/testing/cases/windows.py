"""Convolutions of every kind, and pools whose stride is not their kernel."""

from __future__ import annotations

from micronet_verify.testing.cases.case import Case, dense, one, with_zeros

_THIN = {"weight": with_zeros(dense(4, 4, 3, 3, seed=4), (9, 1, 0, 36))}
_BIAS = {"bias": dense(4, seed=1)}

CONVOLUTIONS: tuple[Case, ...] = (
    Case(
        one("conv", (3, 8, 8), arrays={"weight": dense(4, 3, 3, 3), **_BIAS}, stride=2, padding=1),
        16 * (4 * 3 * 9 + 4),
        4 * 4 * 4 * 27,
        4 * 4 * 4 * (26 + 1),
    ),
    # Height (9 + 2·1 − 3) / 2 + 1 = 5, width 10 + 2·2 − 2 + 1 = 13.
    Case(
        one("conv", (3, 9, 10), "conv-uneven", {"weight": dense(4, 3, 3, 2), **_BIAS}, stride=(2, 1), padding=(1, 2)),
        16 * (4 * 3 * 6 + 4),
        5 * 13 * 4 * 18,
        5 * 13 * 4 * (17 + 1),
    ),
    Case(one("conv", (3, 6, 6), "conv-1x1", {"weight": dense(4, 3, 1, 1)}), 16 * 4 * 3, 6 * 6 * 4 * 3, 6 * 6 * 4 * 2),
    # Height and width (8 + 0 + 1 − 3) / 2 + 1 = 4: what is padded at one end alone may not come to the other.
    Case(
        one("conv", (3, 8, 8), "conv-padded-at-the-end", {"weight": dense(4, 3, 3, 3, seed=6)}, stride=2, padding=0, padding_end=1),
        16 * 4 * 3 * 9,
        4 * 4 * 4 * 27,
        4 * 4 * 4 * 26,
    ),
    # As many channels out as in: outputs and inputs of the kernel could be swapped.
    Case(
        one("conv", (4, 6, 6), "conv-square", {"weight": dense(4, 4, 3, 3, seed=5), **_BIAS}, padding=1),
        16 * (4 * 4 * 9 + 4),
        6 * 6 * 4 * 36,
        6 * 6 * 4 * (35 + 1),
    ),
    Case(
        one("conv", (4, 6, 6), "conv-grouped", {"weight": dense(6, 2, 3, 3), "bias": dense(6, seed=1)}, groups=2, padding=1),
        16 * (6 * 2 * 9 + 6),
        6 * 6 * 6 * 18,
        6 * 6 * 6 * (17 + 1),
    ),
    Case(
        one("conv", (4, 6, 6), "conv-depthwise", {"weight": dense(4, 1, 3, 3)}, groups=4, padding=1),
        16 * 4 * 9,
        6 * 6 * 4 * 9,
        6 * 6 * 4 * 8,
    ),
    # Height 9 − 2·2, width 9 − 3·1.
    Case(
        one("conv", (2, 9, 9), "conv-dilated", {"weight": dense(3, 2, 3, 2)}, dilation=(2, 3)),
        16 * 3 * 2 * 6,
        5 * 6 * 3 * 12,
        5 * 6 * 3 * 11,
    ),
    Case(
        one("conv", (4, 6, 6), "conv-pruned", _THIN, padding=1),
        16 * (9 + 1 + 0 + 36) + 4 * 4 * 9,
        6 * 6 * (9 + 1 + 0 + 36),
        6 * 6 * (8 + 0 + 0 + 35),
    ),
)

# Every input makes a multiple of its kernel, and these are summed where they overlap: an add for each but the first of a sum. Sums:
# height (4 − 1)·2 + 3 = 9, width (5 − 1)·1 + 2 = 6. Then a row is cut off at each end (padding), and one is added (output padding).
TRANSPOSED: tuple[Case, ...] = (
    Case(
        one(
            "conv_transposed",
            (3, 4, 5),
            arrays={"weight": dense(3, 4, 3, 2), **_BIAS},
            stride=(2, 1),
            padding=(1, 0),
            output_padding=(1, 0),
        ),
        16 * (3 * 4 * 6 + 4),
        4 * 5 * 3 * 4 * 6,
        4 * 5 * 3 * 4 * 6 - 4 * 9 * 6 + 4 * 8 * 6,
    ),
    Case(
        one("conv_transposed", (4, 4, 4), "conv-transposed-grouped", {"weight": dense(4, 2, 3, 3)}, stride=2, groups=2),
        16 * 4 * 2 * 9,
        4 * 4 * 4 * 2 * 9,
        4 * 4 * 4 * 2 * 9 - 4 * 9 * 9,
    ),
)

POOLS: tuple[Case, ...] = (
    Case(one("max_pool", (2, 6, 6), kernel=2, stride=2), 0, 2 * 3 * 3 * 3),
    # 4 by 4 windows of 9; padded positions are full work (O6).
    Case(one("max_pool", (2, 7, 7), "max-pool-padded", kernel=3, stride=2, padding=1), 0, 2 * 4 * 4 * 8),
    # Height (7 − 3) / 2 + 1 = 3, width 7 − 2 + 1 = 6.
    Case(one("max_pool", (2, 7, 7), "max-pool-uneven", kernel=(3, 2), stride=(2, 1)), 0, 2 * 3 * 6 * 5),
    Case(one("average_pool", (2, 6, 6), kernel=3, stride=3), 0, 2 * 2 * 2, 2 * 2 * 2 * 8),
    Case(one("average_pool", (2, 7, 7), "average-pool-padded", kernel=3, stride=2, padding=1), 0, 2 * 4 * 4, 2 * 4 * 4 * 8),
    Case(
        one("average_pool", (2, 7, 7), "average-pool-counts-padding", kernel=3, stride=2, padding=1, counts_padding=True),
        0,
        2 * 4 * 4,
        2 * 4 * 4 * 8,
    ),
    Case(one("average_pool", (2, 7, 7), "average-pool-uneven", kernel=(3, 2), stride=(2, 1)), 0, 2 * 3 * 6, 2 * 3 * 6 * 5),
    # As many channels as rows and columns.
    Case(one("global_average", (4, 4, 4)), 0, 4, 4 * 15),
)
