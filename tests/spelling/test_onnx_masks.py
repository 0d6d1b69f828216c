"""A causal mask in ONNX, whatever it is made of: one price (rule O15)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from micronet_verify.track.rules import CountingRules
from tests.plugins.onnx.support import node
from tests.spelling.counted import Plain, onnx_count, onnx_model, prices, random

STEPS, HEADS, WIDTH = 6, 2, 4
KEPT = np.tril(np.ones((STEPS, STEPS), bool))
CONSTANTS: dict[str, Any] = {
    "k": random(1, HEADS, WIDTH, STEPS, seed=3), "v": random(1, HEADS, STEPS, WIDTH, seed=5), "half": np.float32(0.5),
    "kept": KEPT, "hidden": ~KEPT, "least": np.float32(-np.inf), "none": np.float32(0), "ones": np.ones((STEPS, STEPS), np.float32),
    "added": np.where(KEPT, 0, -np.inf).astype(np.float32), "lowest": np.where(KEPT, 0, np.finfo(np.float32).min).astype(np.float32),
    "rows": np.arange(STEPS).reshape(-1, 1), "columns": np.arange(STEPS).reshape(1, -1), "zero": np.array(0),
    "four": np.broadcast_to(KEPT, (1, 1, STEPS, STEPS)).copy(),
}  # fmt: skip
# For each score kept four products, a scale, a power and a quotient, and four products with values; sums of n − 1 in each row.
SCORES, ROWS = HEADS * STEPS * (STEPS + 1) // 2, HEADS * STEPS
KEPT_WORK = Plain(SCORES * (4 + 1 + 2 + 4), SCORES * 3 + (SCORES - ROWS) * (1 + 4))
MASKS: dict[str, list[Any]] = {
    "Where": [node("Where", "kept s least", "m")],
    "Where, four axes": [node("Where", "four s least", "m")],
    "Where, the other way round": [node("Where", "hidden least s", "m")],
    "Add": [node("Add", "s added", "m")],
    "Add of the least number": [node("Add", "lowest s", "m")],
    "Trilu, Cast, Where": [
        node("Trilu", "ones zero", "t", upper=0),
        node("Cast", "t", "c", to=TensorProto.BOOL),
        node("Where", "c s least", "m"),
    ],
    "Where, Add": [node("Where", "kept none least", "a"), node("Add", "s a", "m")],
    "positions compared": [node("GreaterOrEqual", "rows columns", "c"), node("Where", "c s least", "m")],
    "positions compared, added": [
        node("Less", "rows columns", "c"),
        node("Where", "c least none", "a"),
        node("Add", "s a", "m"),
    ],
}


def masked(mask: list[Any]) -> list[Any]:
    behind = [node("Softmax", "m", "w", axis=-1), node("MatMul", "w v")]
    return [node("MatMul", "x k", "p"), node("Mul", "p half", "s"), *mask, *behind]


def count(mask: list[Any], rules: CountingRules | None = None) -> Any:
    nodes = masked(mask)
    read = {name for each in nodes for name in each.input}
    constants = {name: array for name, array in CONSTANTS.items() if name in read}
    return prices(onnx_count(onnx_model(nodes, (HEADS, STEPS, WIDTH), constants), rules))


@pytest.mark.parametrize("spelling", MASKS)
def test_a_causal_mask(spelling: str) -> None:
    """Of 36 scores in each of two heads 21 are kept, here with keys and values that are constants."""
    found = count(MASKS[spelling])
    assert found == count(MASKS["Where"])
    assert found["freebie"][1] == KEPT_WORK.prices["freebie"][1]
    assert count(MASKS[spelling], CountingRules(attention_mask="counted")) == count(MASKS["Where"], CountingRules(attention_mask="counted"))


def test_attention_is_causal_like_the_mask_written_out() -> None:
    """opset 23; 21 of 36 scores in each of two heads, products of width 4 with activations."""
    causal = [node("Attention", "x x x", is_causal=1, scale=0.5)]
    written = [
        node("Transpose", "x", "t", perm=[0, 1, 3, 2]),
        node("MatMul", "x t", "p"),
        node("Mul", "p half", "s"),
        node("Where", "kept s least", "m"),
        node("Softmax", "m", "w", axis=-1),
        node("MatMul", "w x"),
    ]
    masked = [node("Attention", "x x x kept", scale=0.5)]
    found = []
    for nodes in (causal, written, masked):
        constants = {name: CONSTANTS[name] for each in nodes for name in each.input if name in CONSTANTS}
        found.append(prices(onnx_count(onnx_model(nodes, (HEADS, STEPS, WIDTH), constants, opset=23))))
    assert found[0] == found[1] == found[2]
    assert found[0]["freebie"][1] == KEPT_WORK.prices["freebie"][1]
