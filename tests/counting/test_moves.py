"""Laws of moves (rules O9, O10): what counts is which element ends where, not by which moves it got there."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from micronet_verify.facts.graph import Value
from tests.build import Net, dense, operations

Array = NDArray[np.int64]
Price = tuple[Fraction, Fraction]
FREE = (Fraction(0), Fraction(0))


def price(net: Net, y: Value) -> Price:
    """Words and operations of the moves alone, in fp32."""
    ledger = net.ledger(y, regime="quantized")
    return ledger.storage, ledger.operations


def matrix(chosen: int, extent: int, elements: int) -> Price:
    """``chosen`` ones under a mask of ``chosen`` × ``extent``, and a multiply per element moved (O9)."""
    return Fraction(chosen + chosen * extent, 32), Fraction(elements)


class Chain:
    """Moves of one tensor, and beside it the number of the element that stands at each place."""

    def __init__(self, shape: Sequence[int]) -> None:
        self.net = Net.new()
        self.y = self.net.input(*shape)
        self.map: Array = np.arange(math.prod(shape)).reshape(shape)

    def move(self, op: str, result: Array, **attributes: object) -> None:
        self.y = self.net.b.emit("move", self.y, op=op, **attributes)  # type: ignore[arg-type]
        self.map = result

    def reshape(self, shape: Sequence[int]) -> None:
        self.move("reshape", self.map.reshape(shape), shape=tuple(shape))

    def transpose(self, perm: Sequence[int]) -> None:
        self.move("transpose", self.map.transpose(perm), perm=tuple(perm))

    def slice(self, axis: int, start: int, end: int, step: int = 1) -> None:
        cut = (slice(None),) * axis + (slice(start, end, step),)
        self.move("slice", self.map[cut], axes=(axis,), starts=(start,), ends=(end,), steps=(step,))

    def index(self, axis: int, order: Sequence[int]) -> None:
        index = self.net.b.constant(np.array(order, np.int64), "order")
        self.y, self.map = self.net.b.emit("permute", self.y, index, op="index", axis=axis), self.map.take(order, axis)

    def flip(self, axis: int) -> None:
        self.y, self.map = self.net.b.emit("permute", self.y, op="flip", axis=axis), np.flip(self.map, axis)

    def pieces(self, axis: int, cuts: Sequence[tuple[int, int]]) -> None:
        """Pieces from … to …, joined in this order."""
        x, whole, parts, maps = self.y, self.map, [], []
        for start, end in cuts:
            self.y, self.map = x, whole
            self.slice(axis, start, end)
            parts.append(self.y)
            maps.append(self.map)
        self.y, self.map = self.net.b.emit("move", *parts, op="concat", axis=axis), np.concatenate(maps, axis)

    def stack(self, axis: int, parts: int, at: int) -> None:
        """Equal pieces of an axis, stacked along a new axis before ``at``."""
        size = self.map.shape[axis] // parts
        pieces = []
        x, whole = self.y, self.map
        for part in range(parts):
            self.y, self.map = x, whole
            self.slice(axis, part * size, (part + 1) * size)
            self.reshape((*self.map.shape[:at], 1, *self.map.shape[at:]))
            pieces.append((self.y, self.map))
        self.y = self.net.b.emit("move", *(piece for piece, _ in pieces), op="concat", axis=at)
        self.map = np.concatenate([places for _, places in pieces], at)

    def copies(self, axis: int, times: int) -> None:
        """Each slice of an axis ``times`` over, side by side."""
        shape = self.map.shape
        self.reshape((*shape[: axis + 1], 1, *shape[axis + 1 :]))
        wide = (*shape[: axis + 1], times, *shape[axis + 1 :])
        self.move("expand", np.broadcast_to(self.map, wide), shape=wide)
        self.reshape((*shape[:axis], shape[axis] * times, *shape[axis + 1 :]))

    @property
    def price(self) -> Price:
        return price(self.net, self.y)


def cuts(size: int, random: Random) -> tuple[int, int]:
    inner = [divisor for divisor in range(2, size) if size % divisor == 0]
    chosen = random.choice(inner) if inner else 1
    return size // chosen, chosen


def wander(chain: Chain, random: Random, steps: int) -> None:
    """Reshapes and transposes, single readers all."""
    for _ in range(steps):
        shape = chain.map.shape
        axis = random.randrange(len(shape))
        kind = random.choice(["cut", "merge", "transpose"])
        if kind == "cut":
            chain.reshape((*shape[:axis], *cuts(shape[axis], random), *shape[axis + 1 :]))
        elif kind == "merge" and axis + 1 < len(shape):
            chain.reshape((*shape[:axis], shape[axis] * shape[axis + 1], *shape[axis + 2 :]))
        else:
            chain.transpose(random.sample(range(len(shape)), len(shape)))


def alike(chain: Chain, random: Random) -> None:
    """A detour after which every element stands where it stood."""
    shape = chain.map.shape
    axis = random.randrange(len(shape))
    kind = random.choice(["transposes", "flips", "orders", "flat", "slices"])
    if kind == "transposes":
        perm = random.sample(range(len(shape)), len(shape))
        chain.transpose(perm)
        chain.transpose(np.argsort(perm).tolist())
    elif kind == "flips":
        chain.flip(axis)
        chain.flip(axis)
    elif kind == "orders":
        order = random.sample(range(shape[axis]), shape[axis])
        chain.index(axis, order)
        chain.index(axis, np.argsort(order).tolist())
    elif kind == "flat":
        chain.reshape((math.prod(shape),))
        chain.reshape(shape)
    elif kind == "slices":
        chain.index(axis, range(shape[axis]))


@given(st.integers(0, 10**6))
def test_a_detour_that_leads_back_costs_nothing(seed: int) -> None:
    """Whatever the moves, others that end with every element at its place are at no other price."""
    random = Random(seed)
    straight, detour = Chain((1, 4, 6, 4)), Chain((1, 4, 6, 4))
    for _ in range(3):
        state = random.getstate()
        wander(straight, random, 2)
        random.setstate(state)
        wander(detour, random, 2)
        alike(detour, random)
    assert np.array_equal(straight.map, detour.map)
    assert straight.price == detour.price


SPELLINGS: dict[str, Callable[[Chain, list[int]], None]] = {
    "index": lambda chain, order: chain.index(1, order),
    "pieces": lambda chain, order: chain.pieces(1, [(at, at + 1) for at in order]),
    "matrix": lambda chain, order: _product(chain, order),
    "index of the last axis": lambda chain, order: _behind(chain, order),
    "two orders": lambda chain, order: (chain.flip(1), chain.index(1, [7 - at for at in order]), None)[-1],
    "index of the flat tensor": lambda chain, order: _flat(chain, order),
}


def _product(chain: Chain, order: list[int]) -> None:
    weight = chain.net.constant(np.eye(8)[order], "matrix")
    chain.y = chain.net.b.emit("matmul", chain.y, weight, left="ncl", right="oc", out="nol")


def _behind(chain: Chain, order: list[int]) -> None:
    chain.transpose((0, 2, 1))
    chain.index(2, order)
    chain.transpose((0, 2, 1))


def _flat(chain: Chain, order: list[int]) -> None:
    """Blocks of three elements in another order are the same permutation where the axis is whole."""
    chain.reshape((1, 8, 1, 3))
    chain.index(1, order)
    chain.reshape((1, 8, 3))


@pytest.mark.parametrize("spelling", SPELLINGS)
@given(st.permutations(range(8)))
def test_an_order_has_one_price_in_every_spelling(spelling: str, order: list[int]) -> None:
    chain = Chain((1, 8, 3))
    SPELLINGS[spelling](chain, order)
    assert chain.price == (FREE if order == sorted(order) else matrix(8, 8, 8 * 3))


@given(st.integers(2, 5), st.integers(2, 5), st.integers(1, 3))
def test_a_channel_shuffle_by_stacking_is_one_by_transposing(groups: int, width: int, space: int) -> None:
    channels = groups * width
    stacked, split = Chain((1, channels, space)), Chain((1, channels, space))
    stacked.stack(1, groups, 2)
    split.reshape((1, groups, width, space))
    split.transpose((0, 2, 1, 3))
    assert price(split.net, split.y) == price(stacked.net, stacked.y) == FREE  # so far an axis of its own
    for chain in (stacked, split):
        chain.reshape((1, channels, space))
    assert np.array_equal(stacked.map, split.map)
    assert stacked.price == split.price == matrix(channels, channels, channels * space)


@given(st.lists(st.integers(1, 4), min_size=2, max_size=4), st.integers(0, 10**6))
def test_other_layouts_and_merged_axes_move_for_nothing(shape: list[int], seed: int) -> None:
    """Axes in any order, merged in any way: attention heads, channels last, a flattened map."""
    random = Random(seed)
    chain = Chain((1, *shape))
    chain.transpose(random.sample(range(len(shape) + 1), len(shape) + 1))
    sizes = list(chain.map.shape)
    while len(sizes) > 1 and random.random() < 0.7:
        at = random.randrange(len(sizes) - 1)
        sizes[at : at + 2] = [sizes[at] * sizes[at + 1]]
        chain.reshape(tuple(sizes))
    assert chain.price == FREE


def test_attention_heads_come_back_for_nothing() -> None:
    chain = Chain((1, 10, 32))
    chain.reshape((1, 10, 4, 8))
    chain.transpose((0, 2, 1, 3))
    chain.transpose((0, 2, 1, 3))
    chain.reshape((1, 10, 32))
    assert chain.price == FREE


@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 2))
def test_two_tensors_joined_move_for_nothing(one: int, other: int, axis: int) -> None:
    net = Net.new()
    shapes = [tuple(size if at == axis else 3 for at in range(3)) for size in (one, other)]
    parts = [net.input(*shape) for shape in shapes]
    y = net.b.emit("move", *parts, op="concat", axis=axis)
    assert price(net, net.b.reshape(y, (3 * 3 * (one + other),))) == FREE


def test_two_tensors_interleaved_are_joined_and_shuffled() -> None:
    """cat and shuffle, or stacked behind each element: eight channels, every second one of either."""
    joined, stacked = Net.new(), Net.new()
    y = joined.b.emit("move", joined.input(1, 4, 9), joined.input(1, 4, 9), op="concat", axis=1)
    y = joined.b.transpose(joined.b.reshape(y, (1, 2, 4, 9)), (0, 2, 1, 3))
    parts = [stacked.b.reshape(stacked.input(1, 4, 9), (1, 4, 1, 9)) for _ in range(2)]
    z = stacked.b.emit("move", *parts, op="concat", axis=2)
    assert price(joined, joined.b.reshape(y, (1, 8, 9))) == price(stacked, stacked.b.reshape(z, (1, 8, 9))) == matrix(8, 8, 8 * 9)


def test_heads_that_are_computed_one_by_one_are_joined_for_nothing() -> None:
    """[steps, heads, width] from tensors of [steps, width]: the heads stand before whole rows."""
    net = Net.new()
    parts = [net.b.reshape(net.input(1, 10, 8), (1, 10, 1, 8)) for _ in range(4)]
    y = net.b.emit("move", *parts, op="concat", axis=2)
    assert price(net, net.b.reshape(y, (1, 10, 32))) == FREE
    assert price(net, net.b.reshape(y, (1, 320))) == FREE


@given(st.integers(1, 3), st.integers(2, 4), st.sampled_from([1, 2]))
def test_copies_side_by_side_are_a_resize(size: int, times: int, axis: int) -> None:
    """One multiply per output (O10), as the operator and as an index; no matrix."""
    shape = [1, 2, 2]
    shape[axis] = size + 1
    outputs = math.prod(shape) * times
    copied, indexed, resized = Chain(shape), Chain(shape), Chain(shape)
    copied.copies(axis, times)
    indexed.index(axis, np.repeat(np.arange(shape[axis]), times).tolist())
    wide = tuple(extent * (times if at == axis else 1) for at, extent in enumerate(shape))
    resized.y = resized.net.b.emit("resize", resized.y, op="nearest", shape=wide)
    assert np.array_equal(copied.map, indexed.map)
    assert copied.price == indexed.price == resized.price == (0, outputs)


def test_a_resize_along_two_axes_is_one() -> None:
    chain = Chain((1, 4, 8, 8))
    chain.copies(2, 2)
    chain.copies(3, 2)
    assert chain.price == (0, 4 * 16 * 16)


def test_a_shuffle_before_or_after_a_resize_is_of_the_small_tensor() -> None:
    before, after = Chain((1, 8, 4)), Chain((1, 8, 4))
    before.flip(1)
    before.copies(2, 2)
    after.copies(2, 2)
    after.flip(1)
    assert np.array_equal(before.map, after.map)
    storage, moved = matrix(8, 8, 8 * 4)
    assert before.price == after.price == (storage, moved + 8 * 4 * 2)


@pytest.mark.parametrize("kind", ["expand", "tile", "concat"])
def test_whole_copies_and_axes_that_broadcast_are_free(kind: str) -> None:
    net = Net.new()
    x = net.input(1, 1, 6) if kind == "expand" else net.input(1, 4, 6)
    if kind == "expand":
        y = net.b.emit("move", x, op="expand", shape=(1, 4, 6))
    elif kind == "tile":
        y = net.b.emit("move", x, op="tile", repeats=(1, 2, 1))
    else:
        y = net.b.emit("move", x, x, op="concat", axis=1)
    assert price(net, y) == FREE


def test_keys_that_several_heads_share_are_broadcast() -> None:
    """Copied beside each other for a product that runs over the heads: the product would read the originals as well."""
    net = Net.new()
    q, k = net.input(1, 8, 5, 4), net.input(1, 2, 5, 4)
    wide = net.b.emit("move", net.b.reshape(k, (1, 2, 1, 5, 4)), op="expand", shape=(1, 2, 4, 5, 4))
    shared = net.b.emit("matmul", q, net.b.reshape(wide, (1, 8, 5, 4)), left="nhqd", right="nhkd", out="nhqk")
    assert price(net, shared) == (0, 8 * 5 * 5 * (4 + 3))
    summed = net.b.elementwise("add", q, net.b.reshape(wide, (1, 8, 5, 4)))
    assert price(net, summed) == (0, 8 * 5 * 4 + 8 * 5 * 4)  # a resize of the heads, and the sum


PADDED = {
    "reflected": [2, 1, 0, 1, 2, 3, 4, 5, 4, 3],
    "repeated": [0, 0, 0, 1, 2, 3, 4, 5, 5, 5],
    "wrapped": [4, 5, 0, 1, 2, 3, 4, 5, 0, 1],
}


@pytest.mark.parametrize("mode", PADDED)
def test_a_padding_is_a_padding_however_it_is_written(mode: str) -> None:
    """Padding moves data (O9), in every mode."""
    chain, pieces = Chain((1, 6, 2)), Chain((1, 6, 2))
    chain.index(1, PADDED[mode])
    pieces.pieces(1, [(at, at + 1) for at in PADDED[mode]])
    assert pieces.price == FREE
    assert chain.price == (chain.price[0], 0)


def test_elements_chosen_out_of_order_are_a_matrix_of_what_is_chosen() -> None:
    for order in ([5, 1, 3], [0, 3, 1, 3], [1, 0, 0, 4, 4]):
        chain = Chain((1, 6, 7))
        chain.index(1, order)
        assert chain.price == matrix(len(order), 6, len(order) * 7)


def test_a_rotation_of_an_axis_is_a_permutation() -> None:
    chain = Chain((1, 6, 2))
    chain.pieces(1, [(4, 6), (0, 4)])
    assert chain.price == matrix(6, 6, 12)


def test_pieces_of_two_tensors_keep_the_order_of_each() -> None:
    """A later half before an earlier one costs its elements, whatever stands between."""
    net = Net.new()
    x, other = net.input(1, 6, 2), net.input(1, 3, 2)
    halves = [net.b.emit("move", x, op="slice", axes=(1,), starts=(at,), ends=(at + 3,), steps=(1,)) for at in (0, 3)]
    assert price(net, net.b.emit("move", halves[0], other, halves[1], op="concat", axis=1)) == FREE
    assert price(net, net.b.emit("move", halves[1], other, halves[0], op="concat", axis=1)) == matrix(6, 6, 12)


@pytest.mark.parametrize("between", ["relu", "bias", "quantized"])
def test_a_permutation_cannot_hide_behind_a_function(between: str) -> None:
    net = Net.new()
    y = net.b.reshape(net.input(1, 8, 3), (1, 2, 4, 3))
    if between == "relu":
        y = net.b.elementwise("relu", y)
    elif between == "bias":
        y = net.b.elementwise("add", y, net.constant(dense((2, 4, 1))))
    else:
        scale = net.constant(np.float32(0.1), "scale")
        codes = net.b.emit("quantize", y, scale, axis=-1, fmt=net.b.constant(np.int8(0)).format)
        y = net.b.emit("dequantize", codes, scale, axis=-1)
    ledger = net.ledger(net.b.reshape(net.b.transpose(y, (0, 2, 1, 3)), (1, 8, 3)), regime="quantized")
    moved = [line for line in ledger.lines if line.rule == "O9" and line.axis == "operations"]
    assert [(line.quantity, line.bits) for line in moved] == [(24, 8 if between == "quantized" else 32)]


@pytest.mark.parametrize("signs", [[1] * 4, [-1] * 4, [1, -1, 1, -1]])
def test_signs_of_a_permutation_matrix_are_flipped_beside_it(signs: list[int]) -> None:
    """All of one sign cost nothing (a sign flip is free); several are a multiply by four signs of one bit each."""
    net = Net.new()
    weight = net.constant((np.eye(4)[[2, 0, 3, 1]].T * np.array(signs, np.float32)).T, "matrix")
    y = net.conv(net.input(1, 4, 5, 5), net.b.reshape(weight, (4, 4, 1, 1)), net.constant(dense((4,)), "bias"))
    storage, moved = matrix(4, 4, 100)
    mixed = len(set(signs)) > 1
    flips = Fraction(4 + 8, 32) if mixed else 0  # four signs and the scale 1, a power of two
    assert price(net, y) == (storage + 4 + flips, moved + 100 + (100 if mixed else 0))


def test_a_row_of_zeros_makes_no_signs_of_a_permutation() -> None:
    """Three of four rows choose an element each: elements moved at 32 bits, and not signs flipped at one."""
    net = Net.new()
    chosen = np.eye(4)[[2, 0, 3, 1]]
    chosen[1] = 0
    ledger = net.ledger(net.b.linear(net.input(1, 4), net.constant(chosen, "matrix")), regime="quantized")
    assert [(line.quantity, line.bits) for line in ledger.lines if line.axis == "operations"] == [(3, 32)]


def test_a_matrix_of_ones_on_the_diagonal_does_nothing() -> None:
    net = Net.new()
    assert price(net, net.b.linear(net.input(1, 4), net.constant(np.eye(4), "matrix"))) == FREE


def test_a_reshape_across_axes_hides_nothing() -> None:
    chain = Chain((1, 8, 9))
    chain.reshape((1, 6, 12))
    chain.reshape((1, 8, 9))
    chain.flip(1)
    assert chain.price == matrix(8, 8, 72)
    across = Chain((1, 8, 9))
    across.reshape((1, 6, 12))
    across.flip(2)
    assert operations(across.net.ledger(across.y), "multiply") == 72


def scattered(net: Net, x: Value, order: Sequence[int], places: str) -> Value:
    """Channel ``order[i]`` of x written to place i of a tensor of zeros."""
    channels, size = x.shape[1], x.shape[2]
    to = np.argsort(order)
    zeros = net.constant(np.zeros(x.shape), "zeros")
    if places == "slices":
        return net.b.emit("scatter", zeros, net.b.constant(to, "at"), x, op="replace", axis=1, places=places)
    if places == "elements":
        at = np.broadcast_to(to[None, :, None], x.shape)
        return net.b.emit("scatter", zeros, net.b.constant(np.array(at), "at"), x, op="replace", axis=1, places=places)
    flat, rows = net.b.reshape(x, (channels, size)), net.constant(np.zeros((channels, size)), "zeros")
    y = net.b.emit("scatter", rows, net.b.constant(to.reshape(-1, 1), "at"), flat, op="replace", axis=0, places=places)
    return net.b.reshape(y, x.shape)


@pytest.mark.parametrize("places", ["slices", "elements", "nd"])
@given(st.permutations(range(8)))
def test_A10_an_order_costs_the_same_scattered(places: str, order: list[int]) -> None:
    net = Net.new()
    y = scattered(net, net.input(1, 8, 3), order, places)
    assert price(net, y) == (FREE if order == sorted(order) else matrix(8, 8, 8 * 3))


@pytest.mark.parametrize("places", ["slices", "nd"])
def test_A10_the_channel_shuffle_of_O9_scattered(places: str) -> None:
    """116 channels at 28²: 90,944 multiplies; 116 one-bit values and 116² mask bits."""
    net = Net.new()
    order = np.arange(116).reshape(2, 58).T.reshape(-1).tolist()
    assert price(net, scattered(net, net.input(1, 116, 28 * 28), order, places)) == matrix(116, 116, 116 * 28 * 28)


def test_A10_a_shuffle_by_strided_assignment() -> None:
    """y[:, ::2] = x[:, :58]; y[:, 1::2] = x[:, 58:], of a tensor whose first values are all written over."""
    net = Net.new()
    x, y = net.input(1, 116, 4), net.constant(np.zeros((1, 116, 4)), "empty")
    for first, (start, end) in enumerate(((0, 58), (58, 116))):
        half = net.b.emit("move", x, op="slice", axes=(1,), starts=(start,), ends=(end,), steps=(1,))
        y = net.b.emit("scatter", y, net.b.constant(np.arange(first, 116, 2), "at"), half, op="replace", axis=1, places="slices")
    assert price(net, y) == matrix(116, 116, 116 * 4)


def test_A10_a_part_that_is_replaced_moves_for_nothing() -> None:
    net = Net.new()
    x = net.input(1, 8, 3)
    new = net.b.emit("move", net.b.elementwise("relu", x), op="slice", axes=(1,), starts=(0,), ends=(3,), steps=(1,))
    y = net.b.emit("scatter", x, net.b.constant(np.arange(2, 5), "at"), new, op="replace", axis=1, places="slices")
    assert price(net, y) == (0, 8 * 3)  # the relu


def test_A10_an_order_cannot_hide_beside_a_row_that_stays() -> None:
    """Eight rows out of order among nine: the order is a matrix, as before the nine were made."""
    net = Net.new()
    order = [3, 1, 4, 0, 5, 2, 7, 6]
    y = net.b.emit(
        "scatter", net.constant(np.zeros((1, 9, 3))), net.b.constant(np.array(order), "at"), net.input(1, 8, 3), op="replace", axis=1,
        places="slices",
    )  # fmt: skip
    found = price(net, y)
    assert found[0] >= matrix(8, 8, 0)[0]
    assert found[1] == 8 * 3


def test_A10_computed_places_select_as_a_look_up_does() -> None:
    """⌈log₂ 16⌉ selects for each of three elements written to one of sixteen rows."""
    net = Net.new()
    x, new = net.input(16, 3), net.input(1, 3)
    column = net.b.emit("move", x, op="slice", axes=(1,), starts=(0,), ends=(1,), steps=(1,))
    place = net.b.emit("select", column, op="argmax", axis=0)
    ledger = net.ledger(net.b.emit("scatter", x, place, new, op="replace", axis=0, places="slices"), regime="quantized")
    assert [line.quantity for line in ledger.lines if line.rule == "O20"] == [3 * 4]
