"""Every form that is charged can decode itself: what was charged is enough to rebuild the tensor, to the last bit."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from micronet_verify.analysis.tensors.constants import Codes, Constant
from micronet_verify.analysis.tensors.exact_grids import product
from micronet_verify.analysis.tensors.measured import Measured
from micronet_verify.analysis.tensors.scan import same_bits
from micronet_verify.analysis.tensors.vectors import from_vectors
from micronet_verify.counting.forms.cheapest import quantized_form
from micronet_verify.counting.forms.encoding import Undecodable, as_seen, encode
from micronet_verify.facts.formats import numeric_format
from micronet_verify.track.rules import CountingRules
from tests.analysis.tensors.test_screen import KINDS, SHAPES, SPOILS, values

Array = NDArray[Any]
RULES = (CountingRules(), CountingRules(representation="dense"), CountingRules(representation="masked"), CountingRules(mask="element"))


def constant(array: Array, **given: Any) -> Constant:
    return Constant("w", "w", array.shape, numeric_format(array.dtype.name), lambda: array, **given)


def checked(one: Constant, axes: tuple[int, ...], rules: CountingRules, exact: bool = True) -> Array:
    measured = Measured(one, axes)
    form = quantized_form(measured, rules)
    encoded = encode(measured, form)
    assert encoded.bits == form.bits
    found, seen = encoded.decode(), as_seen(one)
    assert found.dtype == seen.dtype
    assert found.shape == seen.shape
    assert not np.signbit(found[found == 0].astype(np.float32)).any()
    if exact:
        assert same_bits(found, seen)
    return found


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.sampled_from(SPOILS),
    st.sampled_from(SHAPES),
    st.sampled_from([np.float32, np.float64, np.float16, ml_dtypes.bfloat16]),
    st.integers(0, 2**32 - 1),
    st.sampled_from(RULES),
    st.booleans(),
)
def test_decoding_what_was_encoded(
    kind: str, spoil: str, shape: tuple[int, ...], dtype: Any, seed: int, rules: CountingRules, turn: bool
) -> None:
    array = values(kind, spoil, shape, dtype, seed)
    array = array.T if turn else array
    for axes in ((), (0,), (array.ndim - 1,)):
        checked(constant(array), axes, rules)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(SHAPES),
    st.sampled_from(RULES),
    st.sampled_from(["tensor", "channel", "block"]),
    st.booleans(),
)
@example(128548, (1,), RULES[0], "tensor", True)  # a narrower scale is finer than the file's own: its integers are multiples of codes
def test_codes_that_a_graph_dequantizes(seed: int, shape: tuple[int, ...], rules: CountingRules, groups: str, shifted: bool) -> None:
    random = np.random.default_rng(seed)
    top = int(random.choice([1, 3, 7, 100]))
    raw = random.integers(-top, top + 1, shape).astype(np.int32) * int(random.choice([1, 1, 3]))
    axis, block = {"tensor": (-1, 0), "channel": (0, 0), "block": (len(shape) - 1, 2)}[groups]
    extent = [1] if axis < 0 else [shape[0]] if not block else [*shape[:-1], -(-shape[-1] // 2)]
    scales = random.uniform(0.001, 1, extent).astype(np.float32)
    zeros = random.integers(-5, 6, extent) if shifted and not block else np.zeros(extent, int)
    spread = zeros.reshape([-1 if at == max(axis, 0) and not block and axis >= 0 else 1 for at in range(len(shape))]) if not block else 0
    centred = raw - spread
    codes = Codes(lambda: centred, scales, axis if scales.size > 1 else -1, block, 10, zeros.size if zeros.any() else 0)

    def load() -> Array:
        return product(centred, codes.spread(scales, shape), np.dtype(np.float32))

    one = Constant("w", "w", shape, numeric_format("float32"), load, codes)
    for axes in ((), (0,)):
        checked(one, axes, rules)


@pytest.mark.parametrize("kind", ["normal", "grid", "grid per row", "codebook", "fp16", "signs"])
@pytest.mark.parametrize("spoil", ["", "sparse"])
def test_rows_that_a_batch_norm_scales(kind: str, spoil: str) -> None:
    """The scales multiply what is stored, so a product is rounded once more than the values of a file would be."""
    array = values(kind, spoil, (16, 40), np.float32, 3)
    scale = np.random.default_rng(1).uniform(0.5, 2, 16)
    one = constant(array, row_scale=scale)
    found = checked(one, (0,), CountingRules(), exact=False)
    assert np.allclose(found, array * scale[:, None], rtol=2**-21, atol=0)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.bool_])
def test_whole_numbers(dtype: Any) -> None:
    array = np.random.default_rng(0).integers(0, 2 if dtype == np.bool_ else 100, (6, 7)).astype(dtype)
    checked(constant(array), (), CountingRules())
    if dtype in (np.int8, np.int64):
        checked(constant(-array), (), CountingRules())


def test_masks_that_a_reading_does_not_store_decode_to_nothing() -> None:
    array = values("normal", "sparse", (12, 30), np.float32, 0)
    measured, rules = Measured(constant(array), (0,)), CountingRules(mask="absent")
    with pytest.raises(Undecodable):
        encode(measured, quantized_form(measured, rules))


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_vectors_of_a_table(axis: int) -> None:
    random = np.random.default_rng(0)
    length = 9 if axis < 0 else 4
    shape = (64, 16, 3, 3) if axis < 0 else (32, 16, 8)
    vectors = random.normal(size=(16, length)).astype(np.float32)[random.integers(0, 16, int(np.prod(shape)) // length)]
    one = constant(from_vectors(vectors, shape, axis))
    assert quantized_form(Measured(one, (0,)), CountingRules()).kind == "vectors"
    checked(one, (0,), CountingRules())
