"""What is found from a few values and checked on all is what all values say."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from micronet_verify.analysis.tensors import scan
from micronet_verify.analysis.tensors.constants import Codes, Constant
from micronet_verify.analysis.tensors.find_grid import find_grid
from micronet_verify.analysis.tensors.grid import grid_of_codes
from micronet_verify.analysis.tensors.measured import Measured
from micronet_verify.analysis.tensors.zero_blocks import best_blocks, lossless_blocks
from micronet_verify.counting.forms.cheapest import freebie_form, quantized_form
from micronet_verify.facts.formats import FLOAT32, numeric_format
from micronet_verify.track.rules import CountingRules

Array = NDArray[Any]
LONG = 40_000  # more values than are looked at to guess a grid of a whole tensor
STEP = np.float32(0.0123)


def codes(shape: tuple[int, ...], low: int, high: int, seed: int = 0) -> Array:
    """Integers from ``low`` to ``high``, both of them among the first."""
    found = np.random.default_rng(seed).integers(low, high + 1, shape)
    found.reshape(-1)[:2] = low, high
    return found


def measured(array: Array, axes: tuple[int, ...] = (0,)) -> Measured:
    return Measured(Constant("w", "w", array.shape, numeric_format(array.dtype.name), lambda: array), axes)


def brute_force(array: Array, bits: int) -> int:
    """Fewest bits over single elements and all blocks of zeros of the tensor and of its matrix (see ``blocks.is_structure``, B18c)."""
    views = [array] if array.ndim <= 2 else [array, array.reshape(len(array), -1)]
    nonzeros = int(np.count_nonzero(array))
    found = [nonzeros * bits + array.size]
    for view in views:
        for shape in product(*([size for size in range(1, n + 1) if n % size == 0] for n in view.shape)):
            cut = [part for size, block in zip(view.shape, shape, strict=True) for part in (size // block, block)]
            kept = np.count_nonzero((view != 0).reshape(cut).any(axis=tuple(range(1, len(cut), 2))))
            blocks, chance = view.size // prod(shape), 1 - (1 - nonzeros / view.size) ** prod(shape)
            strewn = kept * prod(shape) != nonzeros and (blocks < 256 or 3 * kept > 2 * blocks * chance)
            if prod(shape) >= 4 and not strewn:
                found.append(kept * prod(shape) * bits + blocks)
    return int(min(found))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([(6,), (4, 6), (8, 9), (4, 6, 3, 3), (3, 4, 2)]),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.1, 0.5, 0.9]),
    st.sampled_from([1, 4, 16]),
)
def test_S3_the_best_block_of_all_shapes(shape: tuple[int, ...], seed: int, zeros: float, bits: int) -> None:
    random = np.random.default_rng(seed)
    # Zeros in blocks of a random dividing shape, and a few single ones.
    block = [int(random.choice([size for size in range(1, n + 1) if n % size == 0])) for n in shape]
    mask = random.random([n // size for n, size in zip(shape, block, strict=True)]) < zeros
    for axis, size in enumerate(block):
        mask = np.repeat(mask, size, axis)
    array = np.where(mask | (random.random(shape) < 0.05), 0, 1).astype(np.float32)
    nonzeros = int(np.count_nonzero(array))
    assert best_blocks(array, bits, lossless_blocks(array, nonzeros)).bits(bits) == brute_force(array, bits)


def test_blocks_of_nothing_end() -> None:
    empty = np.zeros((0, 3), np.float32)
    assert best_blocks(empty, 16, lossless_blocks(empty, 0)).bits(16) == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64])
def test_a_long_tensor_on_one_grid(dtype: type) -> None:
    array = (codes((LONG,), -100, 90) * 2.0**-7).astype(dtype)
    grid = find_grid(array, numeric_format(np.dtype(dtype).name), ())
    assert grid is not None
    assert (grid.low, grid.high, grid.bits, grid.scale_bits) == (-100, 90, 8, 8)


@pytest.mark.parametrize("value", [STEP * np.float32(0.4137), np.float32(np.nan), np.float32(np.inf)])
def test_one_value_off_the_grid_is_enough(value: np.float32) -> None:
    array = codes((LONG,), -100, 90).astype(np.float32) * STEP
    array[LONG - 7] = value
    assert find_grid(array, FLOAT32, ()) is None
    rows = find_grid(array.reshape(8, -1), FLOAT32, (0,))
    assert rows is not None
    assert np.flatnonzero(np.isnan(rows.steps)).tolist() == [7]  # it takes none from the other rows (B6)


def test_a_finer_step_late_in_the_tensor_is_found() -> None:
    """Even codes everywhere but in one place, which no few values show."""
    even = 2 * codes((LONG,), -50, 50)
    even[LONG - 7] = 33
    grid = find_grid(even.astype(np.float32) * STEP, FLOAT32, ())
    assert grid is not None
    assert (grid.low, grid.high) == (-100, 100)


def test_rows_on_grids_of_their_own() -> None:
    """One of them a row of zeros, and one of multiples of 3."""
    found = codes((5, LONG), -7, 7)
    found[:, :2] = -7, 7
    found[1] = 0
    found[3] *= 3
    steps = np.array([0.01, 0.02, 0.03, 0.04, 0.05], np.float32)
    grid = find_grid(found.astype(np.float32) * steps[:, None], FLOAT32, (0,))
    assert grid is not None
    assert (grid.groups, grid.low, grid.high, grid.bits) == (5, -7, 7, 4)


def test_a_row_of_zeros_but_for_one_value_is_that_value_times_one() -> None:
    array = np.where(codes((2, LONG), 0, 1) == 1, np.float32(1), np.float32(-1))
    array[1] = 0
    array[1, 1] = 40
    grid = find_grid(array, FLOAT32, (0,))
    assert grid is not None
    assert (grid.low, grid.high, grid.sign_only) == (-1, 1, True)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int64])
def test_codes_are_reduced_by_their_divisor(dtype: type) -> None:
    found = codes((4, 3000), -30, 30).astype(dtype)
    found[1] = found[1] // 2 * 2 * 2
    found[1, :2] = -120, 120
    found[2] = 0
    found[3, :-1] = 6  # the last value alone leaves no divisor but 1
    found[3, -1] = 5
    grid = grid_of_codes(found, np.full(4, 0.5), (0,))
    assert grid is not None
    assert (grid.low, grid.high, grid.bits) == (-30, 30, 6)


@pytest.mark.parametrize(("binary", "spelling"), [(False, "grid"), (True, "grid per channel")])
def test_grids_per_channel_are_charged_where_they_are_narrower(binary: bool, spelling: str) -> None:
    """±1 times a whole number for each row lies on one grid too, a wide one."""
    random = np.random.default_rng(1)
    signs = random.choice([-1, 1], (16, LONG // 16))
    found = signs * np.arange(1, 17)[:, None] if binary else codes((16, LONG // 16), -20, 20)
    form = quantized_form(measured(found.astype(np.float32) * STEP), CountingRules())
    assert form.kind == spelling
    assert form.values * form.value_bits == LONG * (1 if binary else 6)


def test_S8_a_codebook_is_charged_where_a_grid_is_wide() -> None:
    """Four values far apart: two bits an index, where their grid would need eight."""
    array = np.random.default_rng(2).choice(np.array([-100, -3, 50, 101], np.float32), (16, LONG // 16)) * STEP
    form = quantized_form(measured(array), CountingRules())
    assert (form.kind, form.bits) == ("codebook", LONG * 2 + 4 * 32)


@pytest.mark.parametrize("representation", ["dense", "masked"])
def test_the_knob_holds_for_every_form(representation: Any) -> None:
    array = codes((16, LONG // 16), -7, 7).astype(np.float32) * STEP
    form = quantized_form(measured(array), CountingRules(representation=representation))
    assert form.masked == (representation == "masked")


@pytest.mark.parametrize("axis", [-1, 0, 1])
@pytest.mark.parametrize("block", [0, 2, 5])
def test_values_of_a_part_are_those_of_the_whole(axis: int, block: int) -> None:
    data = codes((6, 8, 3), -128, 127).astype(np.int8)
    if axis < 0:
        scales, spread = np.array([0.5], np.float32), np.float32(0.5)
    elif block:
        shape = [-(-size // block) if at == axis else size for at, size in enumerate(data.shape)]
        scales = np.random.default_rng(3).random(shape, np.float32)
        spread = np.repeat(scales, block, axis)[:6, :8, :3]
    else:
        scales = np.random.default_rng(3).random(data.shape[axis], np.float32)
        spread = scales.reshape([-1 if at == axis else 1 for at in range(3)])
    part = (slice(0, 4), slice(0, 256), slice(0, 1))
    assert np.array_equal(Codes(lambda: data, scales, axis, block if axis >= 0 else 0, 8).values(part), (data * spread)[part])


def test_negative_zeros_of_fp16_are_one_value() -> None:
    array = (codes((3000,), -4, 4) * 0.0075).astype(np.float16)
    array[::5] = -0.0
    assert len(scan.unique(array)) == 9


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("zeros", [0.5, 0.9])
def test_B18c_zeros_strewn_about_have_a_mask_of_elements(seed: int, zeros: float) -> None:
    """Small blocks that zeros happen to fill are no structure, even where they would save a few words."""
    random = np.random.default_rng(seed)
    array = np.where(random.random((24, 36)) < zeros, 0, random.normal(size=(24, 36))).astype(np.float32)
    form = freebie_form(measured(array), CountingRules())
    assert (form.block, form.bits) == ((), np.count_nonzero(array) * 16 + 24 * 36)


@pytest.mark.parametrize(("top", "bits"), [(7, 4), (1, 2)])
def test_B18c_blocks_of_codes_keep_their_mask(top: int, bits: int) -> None:
    """Half of 512 blocks of 4×4 is zero; codes of the others may be 0, too: 512 mask bits, 256 blocks whole, a scale."""
    random = np.random.default_rng(0)
    kept = np.zeros(32 * 16, np.bool_)
    kept[random.permutation(512)[:256]] = True
    mask = np.repeat(np.repeat(kept.reshape(32, 16), 4, 0), 4, 1)
    array = (mask * random.integers(-top, top + 1, mask.shape)).astype(np.float32) * STEP
    form = quantized_form(measured(array, ()), CountingRules())
    assert (form.block, form.bits) == ((4, 4), 256 * 16 * bits + 512 + 32)
