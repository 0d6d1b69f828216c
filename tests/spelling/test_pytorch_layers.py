"""Attention, encoder layers, recurrent layers and branches in PyTorch: fused and written out, one price."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812, the field's name for it

from micronet_verify.track.rules import CountingRules
from tests.refused import refused
from tests.spelling.counted import Plain, prices, pytorch, random

T, E, H = 5, 8, 2  # steps, width, heads
D = E // H


def randomized(module: nn.Module, seed: int = 0) -> Any:
    """Every parameter on no grid, biases included, so that none is cheaper than another and no two are equal (S4)."""
    with torch.no_grad():
        for index, parameter in enumerate(module.parameters()):
            parameter.copy_(torch.as_tensor(random(*parameter.shape, seed=seed + 3 * index)))
    return module.eval()


ATTENTION = randomized(nn.MultiheadAttention(E, H, batch_first=True))
# Projections of T·E by 4·E·E, two products of H·T·T·D, a scale for each score, softmax; the scale 1/√4 is a power of two.
SCORES = H * T * T
ATTENDED = Plain(
    T * 4 * E * E + 2 * SCORES * D + SCORES + 2 * SCORES,
    T * 4 * E * (E - 1) + T * 4 * E + SCORES * (D - 1) + H * T * D * (T - 1) + (SCORES - H * T),
    4 * E * E + 4 * E,
    (8,),
)
Attend = Callable[[Tensor, Tensor, Tensor], Tensor]


class Fused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = ATTENTION

    def forward(self, x: Tensor) -> Any:
        return self.layer(x, x, x, need_weights=False)[0]


class Written(Fused):
    """Projections, heads and the merge spelled out around ``attend``."""

    def __init__(self, attend: Attend, separate: bool = False) -> None:
        super().__init__()
        self.attend, self.separate = attend, separate

    def forward(self, x: Tensor) -> Any:
        layer, (batch, steps, _) = self.layer, x.shape
        if self.separate:
            pairs = zip(layer.in_proj_weight.chunk(3), layer.in_proj_bias.chunk(3), strict=True)
            parts: Any = [F.linear(x, weight, bias) for weight, bias in pairs]
        else:
            parts = F.linear(x, layer.in_proj_weight, layer.in_proj_bias).chunk(3, -1)
        q, k, v = (part.reshape(batch, steps, H, D).transpose(1, 2) for part in parts)
        y = self.attend(q, k, v).transpose(1, 2).reshape(batch, steps, E)
        return layer.out_proj(y)


def _powers(scores: Tensor) -> Tensor:
    powers = scores.exp()
    return powers / powers.sum(-1, keepdim=True)


SPELLINGS: dict[str, Callable[[], nn.Module]] = {
    "MultiheadAttention": Fused,
    "scaled_dot_product_attention": lambda: Written(F.scaled_dot_product_attention),
    "matmul": lambda: Written(lambda q, k, v: torch.softmax(q @ k.mT * D**-0.5, -1) @ v),
    "divided scores": lambda: Written(lambda q, k, v: torch.softmax(q @ k.transpose(2, 3) / D**0.5, -1) @ v),
    "einsum": lambda: Written(
        lambda q, k, v: torch.einsum("bhqk,bhkd->bhqd", torch.softmax(torch.einsum("bhqd,bhkd->bhqk", q, k) * D**-0.5, -1), v)
    ),
    "softmax written out": lambda: Written(lambda q, k, v: _powers(q @ k.mT * D**-0.5) @ v),
    "three projections": lambda: Written(F.scaled_dot_product_attention, separate=True),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_attention(spelling: str) -> None:
    # 1/√4 as a multiply is ½, as a divide 2: both one power of two.
    assert prices(pytorch(SPELLINGS[spelling](), (T, E))) == ATTENDED.prices


def test_scaling_the_queries_is_other_arithmetic() -> None:
    """T·E multiplies instead of H·T·T; torch does so itself where it also returns the weights."""
    written = Written(lambda q, k, v: torch.softmax((q * D**-0.5) @ k.mT, -1) @ v)
    expected = Plain(ATTENDED.multiplies - SCORES + T * E, ATTENDED.adds, ATTENDED.values, (8,))
    assert prices(pytorch(written, (T, E))) == expected.prices
    with_weights = pytorch(lambda x, layer: layer(x, x, x, need_weights=True)[0], (T, E), ATTENTION)
    assert prices(with_weights) == expected.prices


MASK = torch.ones(T, T, dtype=torch.bool).tril()
ADDED = torch.zeros(T, T).masked_fill(~MASK, float("-inf"))
LEAST = torch.triu(torch.full((T, T), torch.finfo(torch.float32).min), 1)
CAUSAL: dict[str, Attend] = {
    "is_causal": lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
    "mask": lambda q, k, v: F.scaled_dot_product_attention(q, k, v, attn_mask=MASK),
    "added mask": lambda q, k, v: F.scaled_dot_product_attention(q, k, v, attn_mask=ADDED),
    "masked_fill": lambda q, k, v: torch.softmax((q @ k.mT * D**-0.5).masked_fill(~MASK, float("-inf")), -1) @ v,
    "masked before the scale": lambda q, k, v: torch.softmax((q @ k.mT).masked_fill(~MASK, float("-inf")) * D**-0.5, -1) @ v,
    "where": lambda q, k, v: torch.softmax(torch.where(MASK, q @ k.mT * D**-0.5, float("-inf")), -1) @ v,
    "add": lambda q, k, v: torch.softmax(q @ k.mT * D**-0.5 + ADDED, -1) @ v,
    "add the least number": lambda q, k, v: torch.softmax(LEAST + q @ k.mT * D**-0.5, -1) @ v,
    "sub": lambda q, k, v: torch.softmax(q @ k.mT * D**-0.5 - torch.zeros(T, T).masked_fill(~MASK, float("inf")), -1) @ v,
    "triu of ones": lambda q, k, v: torch.softmax((q @ k.mT * D**-0.5).masked_fill(torch.ones(T, T).triu(1).bool(), float("-inf")), -1) @ v,
    "a mask for every head": lambda q, k, v: torch.softmax(q @ k.mT * D**-0.5 + ADDED.expand(1, H, T, T).clone(), -1) @ v,
    "part of a longer mask": lambda q, k, v: torch.softmax((q @ k.mT * D**-0.5).masked_fill(~LONG[:T, :T], float("-inf")), -1) @ v,
    "softmax written out": lambda q, k, v: _powers((q @ k.mT * D**-0.5).masked_fill(~MASK, float("-inf"))) @ v,
    "heads merged": lambda q, k, v: _merged(q, k, v),
    "einsum": lambda q, k, v: torch.einsum(
        "bhqk,bhkd->bhqd", torch.softmax(torch.einsum("bhqd,bhkd->bhqk", q, k) * D**-0.5 + ADDED, -1), v
    ),
}
LONG = torch.ones(3 * T, 3 * T, dtype=torch.bool).tril()
# Of T scores in each of H·T rows, the r-th row keeps r: fifteen of twenty-five.
KEPT = H * T * (T + 1) // 2
SKIPPED = ATTENDED.multiplies - (SCORES - KEPT) * (2 * D + 1 + 2), ATTENDED.adds - (SCORES - KEPT) * (2 * D - 1 + 1)


def _merged(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """As torch's functional attention has it: batch and heads are one axis."""
    merged = [part.reshape(-1, T, D) for part in (q, k, v)]
    return (torch.softmax(torch.bmm(merged[0], merged[1].mT) * D**-0.5 + ADDED, -1) @ merged[2]).reshape(q.shape)


@pytest.mark.parametrize("spelling", CAUSAL)
def test_what_a_causal_mask_hides_is_not_computed(spelling: str) -> None:
    """Neither its score, nor its scale, power and quotient, nor its term of the product; the mask is stored, a bit a score."""
    found = prices(pytorch(Written(CAUSAL[spelling]), (T, E)))
    storage, operations = Plain(*SKIPPED, ATTENDED.values, ATTENDED.scalars).prices["freebie"]
    assert found["freebie"][1] == operations
    # 25 truth values are 25 bits; cheaper where one mask bit stands for a block.
    assert 0 < (found["freebie"][0] - storage) * 32 <= T * T
    assert found == prices(pytorch(Written(CAUSAL["is_causal"]), (T, E)))


@pytest.mark.parametrize("spelling", CAUSAL)
def test_a_causal_mask_that_counts_is_a_choice_per_score_and_stored(spelling: str) -> None:
    rules = CountingRules(attention_mask="counted")
    found = prices(pytorch(Written(CAUSAL[spelling]), (T, E), rules=rules))
    free, plain = found["freebie"], ATTENDED.prices["freebie"]
    assert free[1] - plain[1] == SCORES / 2  # one selection at 16 bits
    assert 0 < (free[0] - plain[0]) * 32 <= T * T


def test_a_mask_that_an_input_changes_hides_nothing() -> None:
    written = Written(lambda q, k, v: torch.softmax((q @ k.mT * D**-0.5).masked_fill(q.sum(-1, keepdim=True) > 0, float("-inf")), -1) @ v)
    found = prices(pytorch(written, (T, E)))
    # A sum for each row of q, a compare, and a choice for each score.
    assert found["freebie"][1] - ATTENDED.prices["freebie"][1] == H * T * (D - 1) + Fraction(H * T, 2) + Fraction(SCORES, 2)


@pytest.fixture
def fast_path() -> Any:
    before = torch.backends.mha.get_fastpath_enabled()
    yield torch.backends.mha.set_fastpath_enabled
    torch.backends.mha.set_fastpath_enabled(before)


LAYER = randomized(nn.TransformerEncoderLayer(E, H, 16, dropout=0.0, batch_first=True))


class WrittenLayer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = LAYER

    def forward(self, x: Tensor) -> Any:
        layer, inner = self.layer, Written(F.scaled_dot_product_attention)
        inner.layer = layer.self_attn
        x = layer.norm1(x + inner(x))
        return layer.norm2(x + layer.linear2(F.relu(layer.linear1(x))))


def test_an_encoder_layer_with_and_without_its_fast_path(fast_path: Callable[[bool], None]) -> None:
    """Attention; 2·16·E more products; relu; two sums and two layer norms of T rows with scale, shift and eps."""
    feed = 2 * T * 16 * E
    # a layer norm of n: n·(square, 1/σ, scale) + (mean, mean, root); (n − 1) + n + (n − 1) + 1 + shifts n
    norm = (T * (3 * E + 3), T * ((E - 1) + E + (E - 1) + 1 + E))
    expected = Plain(
        ATTENDED.multiplies + feed + T * 16 + 2 * norm[0],
        ATTENDED.adds + feed + 2 * T * E + 2 * norm[1],  # n − 1 adds and a bias are n again
        ATTENDED.values + 2 * 16 * E + 16 + E + 4 * E,
        (8, 32),  # the scale ½ and eps
    )
    for enabled in (True, False):
        fast_path(enabled)
        assert prices(pytorch(LAYER, (T, E))) == expected.prices
    assert prices(pytorch(WrittenLayer(), (T, E))) == expected.prices


STEPS, INPUTS, HIDDEN = 4, 3, 4


class Layer(nn.Module):
    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.layer = randomized(kind(INPUTS, HIDDEN, batch_first=True))

    def forward(self, x: Tensor) -> Any:
        return self.layer(x)[0]


class Cells(nn.Module):
    """The same weights in a cell, called once for every step."""

    def __init__(self, kind: type[nn.RNNBase], cell: type[nn.RNNCellBase]) -> None:
        super().__init__()
        layer = Layer(kind).layer
        self.cell, self.long = cell(INPUTS, HIDDEN), kind is nn.LSTM
        self.cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})

    def forward(self, x: Tensor) -> Tensor:
        state: Any = torch.zeros(x.shape[0], HIDDEN)
        state, outputs = (state, state) if self.long else state, []
        for step in range(STEPS):
            state = self.cell(x[:, step], state)
            outputs.append(state[0] if self.long else state)
        return torch.stack(outputs, 1)


def _cells(gates: int, multiplies: int, adds: int, biases: int = 1) -> Plain:
    """``gates`` products with x and with h, their biases, and what happens element by element, at every step.

    Two biases of one sum are one (B17); those of a GRU are not, because its reset gate stands between them.
    """
    products, sums = gates * HIDDEN * (INPUTS + HIDDEN), gates * HIDDEN * (INPUTS - 1 + HIDDEN - 1 + biases)
    each = (products + HIDDEN * multiplies, sums + HIDDEN * adds)
    return Plain(STEPS * each[0], STEPS * each[1], products + biases * gates * HIDDEN)


RECURRENT = {
    # x + h per gate; three sigmoids (2 + 1), two tanh, f·c, i·g, their sum, o·tanh(c)
    "lstm": (nn.LSTM, nn.LSTMCell, _cells(4, 3 * 2 + 2 + 3, 4 + 3 + 1)),
    # x + h per gate; two sigmoids, tanh, r·n, (1 − z)·n + z·h
    "gru": (nn.GRU, nn.GRUCell, _cells(3, 2 * 2 + 1 + 3, 3 + 2 + 2, biases=2)),
    # x + h, tanh
    "rnn": (nn.RNN, nn.RNNCell, _cells(1, 1, 1)),
}


@pytest.mark.parametrize("kind", RECURRENT)
def test_a_recurrent_layer_and_its_unrolled_cells(kind: str) -> None:
    layer, cell, expected = RECURRENT[kind]
    assert prices(pytorch(Layer(layer), (STEPS, INPUTS))) == expected.prices
    assert prices(pytorch(Cells(layer, cell), (STEPS, INPUTS))) == expected.prices


def test_an_lstm_written_out() -> None:
    weights = Layer(nn.LSTM).layer

    def written(x: Tensor, w: Tensor, u: Tensor, a: Tensor, b: Tensor) -> Tensor:
        h = c = torch.zeros(x.shape[0], HIDDEN)
        outputs = []
        for step in range(STEPS):
            i, f, g, o = (x[:, step] @ w.T + a + (h @ u.T + b)).chunk(4, 1)
            c = c * torch.sigmoid(f) + torch.tanh(g) / (1 + torch.exp(-i))
            h = torch.sigmoid(o) * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs, 1)

    parts = (weights.weight_ih_l0, weights.weight_hh_l0, weights.bias_ih_l0, weights.bias_hh_l0)
    # tanh(g)/(1 + e^−i) divides once where the layer takes a reciprocal and multiplies.
    expected = RECURRENT["lstm"][2]
    one_less = Plain(expected.multiplies - STEPS * HIDDEN, expected.adds, expected.values)
    assert prices(pytorch(written, (STEPS, INPUTS), *parts)) == one_less.prices


class Exit(nn.Module):
    """An early exit, by ``torch.cond`` or by a Python ``if`` on the data."""

    def __init__(self, conditional: bool) -> None:
        super().__init__()
        self.first, self.second, self.short = (randomized(nn.Linear(8, n), 10 * seed) for seed, n in enumerate((8, 4, 4)))
        self.conditional = conditional

    def forward(self, x: Tensor) -> Any:
        if self.conditional:
            return torch.cond(x.sum() > 0, lambda x: self.short(x), lambda x: self.second(self.first(x)), (x,))
        return self.short(x) if x.sum() > 0 else self.second(self.first(x))


def test_a_branch_is_charged_in_both_bodies_until_predictions_say_how_often() -> None:
    """Σx and a compare; then 8·4, and 8·8 + 8·4, products with a bias each."""
    products = 8 * 4 + 8 * 8 + 8 * 4
    count = pytorch(Exit(True), (8,), fixed=True)
    assert prices(count) == Plain(products + 1, products + 7, products + 4 + 8 + 4).prices
    assert any(line.rule == "O13" and "both bodies charged in full" in line.note for line in count.ledgers["freebie"].lines)


def test_a_branch_by_a_python_if_does_not_export() -> None:
    """torch.export itself refuses it, by name: there is no file to count."""
    with pytest.raises(Exception, match="data-dependent expression"):
        pytorch(Exit(False), (8,), fixed=True)


REFUSED: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "FFT convolution": (
        lambda x: torch.fft.irfft(torch.fft.rfft(x) * torch.fft.rfft(torch.ones(8))),
        "got aten.fft_rfft: a Fourier transform but should be written with operators that have a price [aten.fft_rfft] "
        "(matrix products and element-wise arithmetic have one)",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_price_is_refused_by_name(name: str) -> None:
    function, sentence = REFUSED[name]
    assert sentence in refused(lambda: pytorch(function, (8,), fixed=True))
