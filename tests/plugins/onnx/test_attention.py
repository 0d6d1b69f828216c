"""Attention and rotary embedding: the formula written out gives onnxruntime's numbers."""

from __future__ import annotations

import numpy as np
import pytest

from tests.plugins.onnx.support import compare, ints, model, node, problems, random, saved, translate, x_to_y

B, HEADS, S, D = 1, 4, 5, 6


@pytest.mark.parametrize("kv_heads", [4, 2])
@pytest.mark.parametrize("attributes", [{}, {"is_causal": 1}, {"scale": 0.25}, {"softcap": 2.0}])
def test_attention_is_products_scale_mask_and_softmax(kv_heads: int, attributes: dict[str, float]) -> None:
    constants = {"k": random(B, kv_heads, S, D, seed=1), "v": random(B, kv_heads, S, D, seed=2)}
    found = compare([node("Attention", "x k v", **attributes)], {"x": random(B, HEADS, S, D)}, constants, opset=23, tolerance=1e-4)
    assert [kind for kind in found.work if kind in ("matmul", "softmax:softmax")] == ["matmul", "softmax:softmax", "matmul"]
    assert ("elementwise:where" in found.work) == ("is_causal" in attributes)
    assert ("elementwise:tanh" in found.work) == ("softcap" in attributes)


def test_attention_on_flat_heads() -> None:
    constants = {"k": random(B, S, 2 * D, seed=1), "v": random(B, S, 2 * D, seed=2), "m": random(S, S)}
    nodes = [node("Attention", "x k v m", q_num_heads=HEADS, kv_num_heads=2)]
    found = compare(nodes, {"x": random(B, S, HEADS * D)}, constants, opset=23, tolerance=1e-4)
    assert "elementwise:add" in found.work


def test_a_mask_of_truth_values_selects() -> None:
    constants = {"k": random(B, HEADS, S, D, seed=1), "v": random(B, HEADS, S, D, seed=2), "m": np.tril(np.ones((S, S), bool))}
    found = compare([node("Attention", "x k v m")], {"x": random(B, HEADS, S, D)}, constants, opset=23, tolerance=1e-4)
    assert "elementwise:where" in found.work


def test_past_keys_are_put_in_front() -> None:
    constants = {name: random(B, HEADS, n, D, seed=n) for name, n in (("k", S), ("v", S), ("pk", 3), ("pv", 3))}
    nodes = [node("Attention", "x k v - pk pv", "y nk nv")]
    found = compare(nodes, {"x": random(B, HEADS, S, D)}, constants, "y nk nv", opset=23, tolerance=1e-4)
    assert found.shapes() == [(B, HEADS, S, D), (B, HEADS, S + 3, D), (B, HEADS, S + 3, D)]


@pytest.mark.parametrize("interleaved", [0, 1])
@pytest.mark.parametrize("turned", [0, 4])
def test_rotary_embedding(interleaved: int, turned: int) -> None:
    half = (turned or D) // 2
    constants = {"c": random(9, half, seed=1), "s": random(9, half, seed=2), "p": np.array([[4, 0, 1, 8, 2]], np.int64)}
    attributes = {"rotary_embedding_dim": turned, "num_heads": HEADS} if turned else {}
    body = [node("RotaryEmbedding", "x c s p", interleaved=interleaved, **attributes)]
    found = compare(body, {"x": random(B, HEADS, S, D)}, constants, opset=23)
    muls = [n for n in found.nodes if n.attributes.get("op") == "mul"]
    # a·cos, b·sin, a·sin, b·cos on every pair
    assert sum(found.graph.values[n.outputs[0]].numel for n in muls) == 4 * B * HEADS * S * half


@pytest.mark.parametrize("mode", [0, 1, 3])
def test_attention_hands_out_its_scores(mode: int) -> None:
    """As they are, capped, or as weights."""
    constants = {"k": random(B, HEADS, S, D), "v": random(B, HEADS, S, D)}
    nodes = [node("Attention", "x k v", "y - - s", qk_matmul_output_mode=mode, softcap=2.0)]
    compare(nodes, {"x": random(B, HEADS, S, D, seed=4)}, constants, "y s", opset=23)


def test_attention_with_lengths_of_keys_is_refused() -> None:
    constants = {"k": random(B, HEADS, S, D), "v": random(B, HEADS, S, D), "n": ints(S)}
    body = x_to_y([node("Attention", "x k v - - - n")], (HEADS, S, D), constants)
    assert problems(model(body, 24, 11)) == [
        "got Attention with nonpad_kv_seqlen but should be without [Attention in the_Attention] (mask by attn_mask)"
    ]


def test_written_out_and_fused_attention_have_the_same_work() -> None:
    constants = {"k": random(B, HEADS, S, D, seed=1), "v": random(B, HEADS, S, D, seed=2), "scale": np.float32(D**-0.5)}
    fused = compare([node("Attention", "x k v")], {"x": random(B, HEADS, S, D)}, constants, opset=23, tolerance=1e-4)
    nodes = [
        node("Transpose", "k", "kt", perm=[0, 1, 3, 2]),
        node("MatMul", "x kt", "s"),
        node("Mul", "s scale", "t"),
        node("Softmax", "t", "p"),
        node("MatMul", "p v"),
    ]
    written = translate(saved(model(x_to_y(nodes, (HEADS, S, D), constants))))
    assert fused.work == written.work
