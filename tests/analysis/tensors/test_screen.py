"""Short looks prove what all values say, or say nothing: with them and without them, every tensor has the same facts and forms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from micronet_verify.analysis.tensors import constant_grids, scan
from micronet_verify.analysis.tensors import measured as measured_facts
from micronet_verify.analysis.tensors.constants import Constant
from micronet_verify.analysis.tensors.exact_grids import rounding
from micronet_verify.analysis.tensors.grid import MOST_BITS
from micronet_verify.analysis.tensors.measured import Measured
from micronet_verify.analysis.tensors.screen import LOOK, beyond_half, first_values, looked_at, off_every_grid, on_no_grid
from micronet_verify.analysis.tensors.screen_many import screen_many
from micronet_verify.counting.forms.cheapest import freebie_form, quantized_form
from micronet_verify.facts.formats import FLOAT16, FLOAT32, FLOAT64, numeric_format
from micronet_verify.track.rules import CountingRules

Array = NDArray[Any]
KINDS = (
    "normal",
    "uniform",
    "grid",
    "wide grid",
    "grid per row",
    "signs",
    "codebook",
    "constant",
    "fp16",
    "fp16 but for the last",
    "grid but for the last",
    "denormal",
    "zeros",
)
SPOILS = ("", "sparse", "blocks", "one zero", "negative zeros", "nan", "infinity", "rows of zeros")
SHAPES = ((1,), (3,), (8,), (9,), (40,), (700,), (6, 4), (4, 9), (12, 30), (5, 7, 3, 3), (16, 1, 3, 3), (8, 600), (40, 130))
RULES = (
    CountingRules(),
    CountingRules(representation="dense"),
    CountingRules(representation="masked"),
    CountingRules(mask="absent"),
    CountingRules(mask="element"),
)


def values(kind: str, spoil: str, shape: tuple[int, ...], dtype: Any, seed: int) -> Array:
    """Random values of a kind, with something in them that spoils it."""
    random = np.random.default_rng(seed)
    step = np.float32(random.uniform(0.001, 3))
    levels = int(random.choice([1, 3, 7, 100, 127]))
    rows = (np.arange(shape[0], dtype=np.float32) + 1).reshape(-1, *[1] * (len(shape) - 1))
    found = {
        "normal": lambda: random.standard_normal(shape),
        "uniform": lambda: random.uniform(-1, 1, shape),
        "grid": lambda: random.integers(-levels, levels + 1, shape) * step,
        "wide grid": lambda: random.integers(-16383, 16384, shape) * step,
        "grid per row": lambda: random.integers(-levels, levels + 1, shape) * np.sqrt(rows) * step,
        "signs": lambda: random.choice([-1, 1], shape) * step,
        "codebook": lambda: random.choice(random.standard_normal(levels + 1), shape),
        "constant": lambda: np.full(shape, step),
        "fp16": lambda: random.standard_normal(shape).astype(np.float16),
        "fp16 but for the last": lambda: random.standard_normal(shape).astype(np.float16),
        "grid but for the last": lambda: random.integers(-levels, levels + 1, shape) * step,
        "denormal": lambda: random.integers(-50, 51, shape) * np.float32(1e-45),
        "zeros": lambda: np.zeros(shape),
    }[kind]()
    array = np.array(found).astype(np.float32).astype(dtype)
    flat = array.reshape(-1)
    if kind.endswith("last"):
        flat[-1] = step * np.float32(0.4137)
    if spoil == "sparse":
        array[random.random(shape) < 0.7] = 0
    elif spoil == "blocks":
        array[: len(array) // 2] = 0
    elif spoil == "one zero":
        flat[random.integers(flat.size)] = 0
    elif spoil == "negative zeros":
        flat[::5] = -0.0
    elif spoil in ("nan", "infinity"):
        flat[random.integers(flat.size, size=2)] = np.nan if spoil == "nan" else -np.inf
    elif spoil == "rows of zeros":
        array[::2] = 0
    return array


class Unhurried(Measured):
    """Takes no short look at anything."""

    least_distinct = (1, 1)

    def __init__(self, constant: Constant, axes: tuple[int, ...] = ()) -> None:
        super().__init__(constant, axes)
        self.remember("ordinary", lambda: False)


@contextmanager
def no_looks() -> Iterator[None]:
    with (
        patch.object(constant_grids, "lies_on_none", lambda *_: False),
        patch.object(measured_facts, "beyond_half", lambda few: np.zeros(few.shape, np.bool_)),
        patch.object(scan, "without_zeros", lambda _: False),
    ):
        yield


def facts(measured: Measured) -> dict[str, object]:
    return {
        "quantized": [quantized_form(measured, rules) for rules in RULES],
        "freebie": [freebie_form(measured, rules) for rules in RULES],
        "non-zeros": (measured.nonzeros, measured.nonzeros_per_row.tolist(), measured.all_zero),
        "grid": measured.grid,
        "fp16": measured.exact_half,
        "distinct": measured.distinct,
    }


@st.composite
def constants(draw: st.DrawFn) -> tuple[Constant, tuple[int, ...]]:
    """A constant of any kind with the axes of its rows, perhaps transposed, perhaps under a batch norm."""
    shape = draw(st.sampled_from(SHAPES))
    dtype = draw(st.sampled_from([np.float32, np.float32, np.float32, np.float64, np.float16]))
    array = values(draw(st.sampled_from(KINDS)), draw(st.sampled_from(SPOILS)), shape, dtype, draw(st.integers(0, 2**32 - 1)))
    if draw(st.booleans()):
        array = array.T
    axes = draw(st.sampled_from([(), *[(axis,) for axis in range(array.ndim)], *([(0, 1)] if array.ndim > 1 else [])]))
    scale, axis = None, 0
    if draw(st.booleans()):
        axis = axes[0] if axes else 0
        scale = np.linspace(0, 1, array.shape[axis])
    fmt = numeric_format(array.dtype.name)
    return Constant("w", "w", array.shape, fmt, lambda: array, row_scale=scale, row_axis=axis), axes


@settings(max_examples=250, deadline=None)
@given(st.lists(constants(), min_size=1, max_size=6))
def test_with_short_looks_and_without(given: list[tuple[Constant, tuple[int, ...]]]) -> None:
    with no_looks():
        slow = [facts(Unhurried(constant, axes)) for constant, axes in given]
    assert [facts(Measured(constant, axes)) for constant, axes in given] == slow
    together = [Measured(constant, axes) for constant, axes in given]
    screen_many(together)
    assert [facts(measured) for measured in together] == slow


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, MOST_BITS), st.sampled_from([FLOAT64, FLOAT32, FLOAT16]), st.integers(5, LOOK))
def test_nothing_on_a_grid_is_said_to_be_off_it(seed: int, bits: int, fmt: Any, width: int) -> None:
    """Integers of up to 15 bits, with a sign or an offset, times any scale, rounded to the format."""
    random = np.random.default_rng(seed)
    low = int(random.integers(-(2**bits) + 1, 1))
    integers = random.integers(low, low + 2**bits, (20, width))
    integers[:, 0] = random.choice([low, low + 2**bits - 1])
    scale = random.uniform(0.5, 1, (20, 1)) * 2.0 ** random.integers(-8, -2)
    rows = (integers * scale).astype(fmt.name)
    assert not off_every_grid(rows, rounding(fmt), MOST_BITS).any()


@pytest.mark.parametrize("width", [8, LOOK])
@pytest.mark.parametrize("draw", ["standard_normal", "random"])
def test_weights_that_nobody_quantized_are_off_every_grid(width: int, draw: str) -> None:
    rows = getattr(np.random.default_rng(0), draw)((1000, width)).astype(np.float32)
    assert np.count_nonzero(off_every_grid(rows, rounding(FLOAT32), MOST_BITS)) > 950


@pytest.mark.parametrize("shape", [(64, 3, 3, 3), (32, 1, 3, 3), (40, 5), (9,), (4096,)])
def test_so_are_the_tensors(shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    axes = (0,) if len(shape) > 1 else ()
    assert on_no_grid(array, axes, rounding(FLOAT32), MOST_BITS) == (shape != (40, 5))  # five values are too few


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, 0.0])
def test_numbers_that_are_none_prove_nothing_and_warn_of_nothing(odd: float) -> None:
    rows = np.random.default_rng(0).standard_normal((3, LOOK)).astype(np.float32)
    rows[0], rows[1, 4] = odd, odd
    found = off_every_grid(rows, rounding(FLOAT32), MOST_BITS)
    assert found.tolist() == [False, odd == 0, True]
    assert beyond_half(np.array([odd, 0.1, 2049, 2048], np.float32)).tolist() == [False, True, True, False]


@pytest.mark.parametrize(
    ("axes", "at", "first"),
    [
        ((), (), [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        ((0,), (1,), [12, 13, 14, 15, 16, 17, 18, 19, 20]),
        ((1,), (2,), [8, 9, 10, 11, 20, 21, 22, 23, 32]),
        ((2,), (0,), [0, 4, 8, 12, 16, 20, 24, 28, 32]),
        ((0, 1), (0, 0), [0, 1, 2, 3]),
        ((0, 1, 2), (2, 0, 0), [24]),
    ],
)
def test_first_values_of_a_row(axes: tuple[int, ...], at: tuple[int, ...], first: list[int]) -> None:
    """Of 0, 1, … in the shape 4×3×4."""
    assert first_values(np.arange(48).reshape(4, 3, 4), axes, at).tolist() == first


@pytest.mark.parametrize(("axes", "starts"), [((), [0]), ((0,), [0, 24, 36]), ((1,), [0, 4, 8]), ((0, 1), [0, 24, 44])])
def test_the_first_the_middle_and_the_last_row_are_looked_at(axes: tuple[int, ...], starts: list[int]) -> None:
    assert looked_at(np.arange(48).reshape(4, 3, 4), axes)[:, 0].tolist() == starts


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([np.float32, np.float64, np.float16, np.int8]), st.integers(0, 300))
def test_distinct_values_are_counted_as_numpy_does(seed: int, dtype: Any, size: int) -> None:
    array = np.random.default_rng(seed).integers(-20, 20, size).astype(dtype)
    if dtype != np.int8:
        array[::7], array[::11] = -0.0, np.nan
    found = np.unique(array.astype(np.float64))
    assert scan.count_distinct(array) == (len(found), int(np.count_nonzero(found)))
