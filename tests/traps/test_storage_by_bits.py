"""Values are compared and measured by their bits, at their own width: the storage lines of CASES, each with its price by hand."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from micronet_verify.analysis.tensors.constants import Codes, Constant
from micronet_verify.analysis.tensors.measured import Measured
from micronet_verify.counting.count import Count
from micronet_verify.counting.forms.cheapest import quantized_form
from micronet_verify.facts.formats import numeric_format, numpy_dtype
from micronet_verify.track.rules import CountingRules
from tests.build import Net
from tests.plugins.onnx.support import node
from tests.spelling.counted import onnx_count, onnx_model, prices, pytorch, random

Array = NDArray[Any]
F = np.float32


def bits(array: Array, axes: tuple[int, ...] = (0,), **given: Any) -> int:
    """Bits of a tensor in the quantized regime."""
    constant = Constant("w", "w", array.shape, numeric_format(array.dtype.name), lambda: array, **given)
    return quantized_form(Measured(constant, axes), CountingRules()).bits


def storage(count: Count, regime: Any = "quantized") -> Fraction:
    return count.ledgers[regime].storage * 32


# --- A1: signs of zeros ----------------------------------------------------------------------------------------------


def zeros_of(shape: tuple[int, ...], seed: int = 0) -> Array:
    return np.copysign(F(0), np.random.default_rng(seed).choice([-1, 1], shape)).astype(F)


@pytest.mark.parametrize("reader", ["Clip", "QuantizeLinear"])
def test_A1_signs_that_a_reciprocal_of_constants_tells(reader: str) -> None:
    """They fold to ±1: 64·64·3·3 bits and a scale that is a power of two, 1,152.25 words."""
    nodes = [node("Sin", "w", "s"), node("Reciprocal", "s", "r")]
    if reader == "Clip":
        nodes += [node("Clip", "r low high", "c"), node("Conv", "x c")]
        model = onnx_model(nodes, (64, 3, 3), {"w": zeros_of((64, 64, 3, 3)), "low": F(-1), "high": F(1)})
        assert storage(onnx_count(model)) == 64 * 64 * 3 * 3 + 8
    else:
        nodes += [node("QuantizeLinear", "r two z", "q"), node("DequantizeLinear", "q two z", "v"), node("Conv", "x v")]
        model = onnx_model(nodes, (64, 3, 3), {"w": zeros_of((64, 64, 3, 3)), "two": F(2), "z": np.int8(0)})
        assert storage(onnx_count(model)) >= 64 * 64 * 3 * 3 + 8


def test_A1_signs_that_a_reciprocal_tells_are_a_bit_each() -> None:
    """Four tensors of ±0 times a number of the data, as four bits of a weight: 4·64·64 bits, and the numbers 2, 4 and 8 of 8 bits."""

    def function(x: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
        positive = x.sum().exp()
        planes = [(1 / (part * positive).sin()).clamp(-1, 1) for part in (a, b, c, d)]
        return x @ (planes[0] + 2 * planes[1] + 4 * planes[2] + 8 * planes[3])

    parts = [zeros_of((64, 64), seed) for seed in range(4)]
    assert storage(pytorch(function, (64,), *parts, fixed=True)) == 4 * 64 * 64 + 3 * 8


@pytest.mark.parametrize("divides", [False, True])
def test_A1_masked_weights_hold_negative_zeros_for_nothing(divides: bool) -> None:
    """w · mask makes −0 of negative weights. Nobody tells it from +0: not sums, and not a quotient behind them."""
    mask = np.random.default_rng(1).random((64, 64)) < 0.5
    counts = []
    for weight in (random(64, 64) * mask, np.where(mask, random(64, 64), 0).astype(F)):
        nodes = [node("Gemm", "x w b", "h"), node("Div", "h h")] if divides else [node("Gemm", "x w b")]
        counts.append(storage(onnx_count(onnx_model(nodes, (64,), {"w": weight, "b": random(64)}))))
    assert counts[0] == counts[1]


# --- A2, B14, B15: numbers of the program ----------------------------------------------------------------------------


def test_A2_numbers_of_64_bits_are_compared_and_measured_as_such() -> None:
    """63 numbers 2⁵² + D of 28 further bits: 126 words, which fp32 would take for one power of two."""
    numbers = 2.0**52 + np.random.default_rng(0).integers(1, 2**28, 63)
    net = Net.new()
    y = net.b.input((1, 8), numeric_format("float64"))
    for number in numbers:
        y = net.b.elementwise("add", y, net.b.scalar(float(number), numeric_format("float64")))
    for ledger in net.count(y).ledgers.values():
        assert ledger.storage == 63 * 64 / 32


def test_A2_payloads_of_nan_are_numbers() -> None:
    """16×16 numbers that are none, each with one of four payloads: 2 bits an index and four entries of 32."""
    payloads = np.random.default_rng(0).integers(0, 4, (16, 16)).astype(np.uint32)
    payloads[0, :4] = range(4)
    array = (np.uint32(0x7FC00001) + payloads).view(F)
    assert bits(array) == 16 * 16 * 2 + 4 * 32


@pytest.mark.parametrize(("number", "width"), [(0.1, 64), (float(F(0.1)), 32), (1.5, 16), (2.0**-9, 8)])
def test_B15_a_number_of_fp64_is_as_wide_as_it_has_to_be(number: float, width: int) -> None:
    net = Net.new()
    x = net.b.input((1, 8), numeric_format("float64"))
    count = net.count(net.b.elementwise("mul", x, net.b.scalar(number, numeric_format("float64"))))
    assert storage(count) == width
    assert storage(count, "freebie") == (64 if width == 64 else 16)


def test_B15_a_scale_of_fp64_is_64_bits() -> None:
    codes = np.random.default_rng(0).integers(-7, 8, (16, 40))
    codes[:, 0], codes[:, 1] = 7, -7
    assert bits((codes * 0.0123).astype(F)) == 16 * 40 * 4 + 64
    assert bits(codes.astype(F) * F(0.0123)) == 16 * 40 * 4 + 32


@pytest.mark.parametrize(
    ("dtype", "zero", "width"), [(np.uint8, 100, 8), (np.int8, 7, 8), (np.uint8, 127, 8), (np.uint8, 128, 0), (np.int8, 0, 0)]
)
def test_B14_a_zero_point_of_8_bits(dtype: Any, zero: int, width: int) -> None:
    """And the middle of unsigned codes is the 0 of signed ones."""
    nodes = [node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z")]
    assert storage(onnx_count(onnx_model(nodes, (8,), {"s": F(0.3), "z": dtype(zero)}))) == 32 + width


# --- A3, B5, B6, B10, B13: grids and codebooks -----------------------------------------------------------------------


def test_A3_neighbours_of_a_grid_point_are_values_of_their_own() -> None:
    """±c, each weight one of four neighbouring floats: 3 bits an index into eight entries, not a sign and a tolerance."""
    random_ = np.random.default_rng(0)
    near = (np.nextafter(F(2), F(0)).view(np.int32) - random_.integers(0, 4, (64, 64, 3, 3)).astype(np.int32)).view(F)
    assert bits(near * random_.choice([-1, 1], near.shape).astype(F)) == 64 * 64 * 3 * 3 * 3 + 8 * 32


def test_A3_by_rows() -> None:
    """Each row has a c of its own; a row is on no grid with its neighbours, so every weight stands as it is."""
    random_ = np.random.default_rng(0)
    tops = random_.uniform(1, 2, (64, 1)).astype(F)
    near = (tops.view(np.int32) - random_.integers(0, 4, (64, 64 * 9)).astype(np.int32)).view(F)
    assert bits(near * random_.choice([-1, 1], near.shape).astype(F)) >= 64 * 64 * 9 * 3


@pytest.mark.parametrize("declared", [False, True])
def test_B5_rows_have_widths_of_their_own(declared: bool) -> None:
    """16 rows of 512 codes of 2 bits, 16 of 8, and 32 scales: 16·512·2 + 16·512·8 + 32·32 bits = 2,592 words.

    Which of two widths a row has lies in the sign of its scale.
    """
    random_ = np.random.default_rng(0)
    codes = np.concatenate([random_.integers(-2, 2, (16, 512)), random_.integers(-128, 128, (16, 512))]).astype(np.int8)
    scales = random_.uniform(0.001, 0.1, 32).astype(F)
    array = codes.astype(F) * scales[:, None]
    given = {"codes": Codes(lambda: codes, scales, 0, 0, 8)} if declared else {}
    assert bits(array, **given) == 2592 * 32 == 16 * 512 * 2 + 16 * 512 * 8 + 32 * 32


@pytest.mark.parametrize("seed", range(20))
def test_B6_a_depthwise_weight_of_8_bits(seed: int) -> None:
    """960 rows of nine codes, each with a scale of fp32."""
    random_ = np.random.default_rng(seed)
    codes = random_.integers(-127, 128, (960, 1, 3, 3)).astype(F)
    assert bits(codes * random_.uniform(0.001, 0.1, (960, 1, 1, 1)).astype(F)) == 960 * 9 * 8 + 960 * 32


@pytest.mark.parametrize("name", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("width", [5, 6, 7])
@pytest.mark.parametrize("rows", [False, True])
def test_B6_codes_of_few_bits_in_every_format(name: str, width: int, rows: bool) -> None:
    """In half precision a scale of 16 bits may give the same floats."""
    random_ = np.random.default_rng(width)
    codes = random_.integers(-(2 ** (width - 1)) + 1, 2 ** (width - 1), (64, 144))
    scales = random_.uniform(0.001, 0.1, (64, 1) if rows else ()).astype(F)
    array = (codes.astype(F) * scales).astype(numpy_dtype(numeric_format(name)))
    scale_bits = {32} if name == "float32" else {16, 32}
    assert bits(array) in {64 * 144 * width + (64 if rows else 1) * each for each in scale_bits}


@pytest.mark.parametrize("width", [13, 14, 15])
@pytest.mark.parametrize("rows", [False, True])
def test_B6_wide_codes_in_fp32(width: int, rows: bool) -> None:
    random_ = np.random.default_rng(width)
    codes = random_.integers(-(2 ** (width - 1)) + 1, 2 ** (width - 1), (64, 576))
    scales = random_.uniform(0.001, 0.1, (64, 1) if rows else ()).astype(F)
    assert bits(codes.astype(F) * scales) == 64 * 576 * width + (64 if rows else 1) * 32


def test_B6_few_codes_far_apart() -> None:
    """Rows of ±20 and ±29: six bits in two's complement, or one of four values."""
    random_ = np.random.default_rng(0)
    array = random_.choice([20, 29, -20, -29], (64, 64)).astype(F) * random_.uniform(0.001, 0.1, (64, 1)).astype(F)
    assert bits(array) == 64 * 64 * 6 + 64 * 32


def test_B6_values_over_a_number() -> None:
    """round(w · 127) / 127 is a quotient, which times 1/127 is not to the last bit."""
    codes = np.random.default_rng(0).integers(-127, 128, (64, 64)).astype(F)
    assert bits(codes / F(127)) == 64 * 64 * 8 + 16


def test_B6_one_row_off_its_grid_takes_none_from_the_others() -> None:
    """15 rows of 4 bits with their scales, one of fp32 as it stands; which, says the sign of a scale or, without one, a bit a row."""
    random_ = np.random.default_rng(0)
    array = random_.integers(-7, 8, (16, 100)).astype(F) * random_.uniform(0.001, 0.1, (16, 1)).astype(F)
    array[5] = random_.normal(size=100)
    assert bits(array) == 15 * 100 * 4 + 15 * 32 + 100 * 32 + 16


def test_B10_divisors_go_into_the_scales_only_where_that_is_cheaper() -> None:
    """Codes of 3 bits times 3, and scales that are powers of two: 5 bits and scales of 8, or 3 bits and scales of 16."""
    random_ = np.random.default_rng(0)
    powers = 2.0 ** -random_.integers(3, 9, (64, 1)).astype(F)
    for columns, expected in ((3, 5 * 3 * 64 + 64 * 8), (64, 3 * 64 * 64 + 64 * 16)):
        codes = random_.integers(-3, 4, (64, columns))
        codes[:, 0], codes[:, 1] = 3, -2
        array = (3 * codes * powers).astype(F)
        assert bits(array) == min(expected, bits(array))
        assert bits(array) == expected or columns == 3


def test_B13_zero_needs_its_entry() -> None:
    """Seven values in 64×64, zero among them and no mask: 3 bits an index and seven entries, 12,512 bits."""
    random_ = np.random.default_rng(0)
    array = random_.choice(np.array([0, *random_.normal(size=6)], F), (64, 64))
    assert bits(array) == 64 * 64 * 3 + 7 * 32 == 12_512


def test_B18a_two_centroids_and_zeros_under_a_batch_norm() -> None:
    """The codebook stays, and each row has a scale: a mask, a bit for each that is not zero, two entries, 64 scales."""
    random_ = np.random.default_rng(0)
    array = random_.choice(np.array([0, 0.31, -0.47], F), (64, 64, 3, 3), p=[0.6, 0.2, 0.2])
    scale = random_.uniform(0.5, 2, 64)
    kept = int(np.count_nonzero(array))
    assert bits(array, row_scale=scale) == 64 * 64 * 9 + kept + 2 * 32 + 64 * 32


def test_B7_codes_in_half_precision() -> None:
    """dequantize(codes).half(): 4 bits a value and a scale."""
    net = Net.new()
    codes = np.random.default_rng(0).integers(-7, 8, (16, 32)).astype(np.int8)
    codes[0, :2] = -7, 7
    weight = net.b.emit("dequantize", net.b.constant(codes, "q"), net.constant(F(0.0123), "s"), axis=-1)
    half = net.b.emit("move", weight, fmt=numeric_format("float16"), op="cast")
    count = net.count(net.b.linear(net.b.input((1, 32), numeric_format("float16")), half))
    assert storage(count) == 16 * 32 * 4 + 32
    assert list(count.ledgers) == ["quantized"]


def test_prices_are_those_of_both_regimes() -> None:
    """A plain fp32 weight stays what it is."""
    assert prices(pytorch(lambda x, w: x @ w, (8,), random(8, 4)))["freebie"][0] == 8 * 4 * 16 / 32


# --- B4: tables of vectors -------------------------------------------------------------------------------------------

TABLE = random(16, 4)
CHOSEN = np.random.default_rng(0).integers(0, 16, 4096)
CHOSEN[:16] = range(16)


@pytest.mark.parametrize("spelling", ["embedding", "index", "index_select", "gather", "values"])
def test_B4_a_table_of_vectors_in_every_spelling(spelling: str) -> None:
    """4,096 indices of 4 bits into 16 vectors of 4 values: 4,096·4 + 64·32 bits = 576 words, for a weight of 128×128."""
    index = torch.from_numpy(CHOSEN)
    spellings: dict[str, Any] = {
        "embedding": lambda t: torch.nn.functional.embedding(index, t),
        "index": lambda t: t[index],
        "index_select": lambda t: t.index_select(0, index),
        "gather": lambda t: t.gather(0, index[:, None].expand(-1, 4)),
    }
    if spelling == "values":
        count = pytorch(lambda x, w: x @ w, (128,), TABLE[CHOSEN].reshape(128, 128))
    else:
        count = pytorch(lambda x, t: x @ spellings[spelling](t).reshape(128, 128), (128,), TABLE)
    assert storage(count) == 4096 * 4 + 64 * 32 == 576 * 32


def test_B4_as_ONNX_Gather_and_transposed() -> None:
    nodes = [node("Gather", "t i", "g"), node("Reshape", "g shape", "w"), node("Gemm", "x w", transB=1)]
    model = onnx_model(nodes, (128,), {"t": TABLE, "i": CHOSEN, "shape": np.array([128, 128])})
    assert storage(onnx_count(model)) == 4096 * 4 + 64 * 32


def test_B4_ternary_values_are_no_vectors() -> None:
    """All 27 combinations of three come up: a mask, a sign for each that is not zero, and a scale."""
    codes = np.random.default_rng(0).integers(-1, 2, (64, 96)).astype(F) * F(0.3)
    assert bits(codes, ()) == 64 * 96 + np.count_nonzero(codes) + 32
