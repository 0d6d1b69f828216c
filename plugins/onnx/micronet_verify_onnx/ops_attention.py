"""Attention and rotary position embedding (opset 23): the formulas written out."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from micronet_verify.plugin import BOOL, MOST_GENERATED, Value
from micronet_verify_onnx.op import Op
from micronet_verify_onnx.ops_linear import scaled


def attention(op: Op) -> tuple[Value | None, ...]:
    """softmax(scale·Q·Kᵀ + mask)·V, heads in groups that share keys and values; past keys are put in front.

    Q [N, heads, queries, D] or [N, queries, heads·D]; likewise K and V with their own number of heads.
    """
    if op.has(6):
        op.refuse("Attention with nonpad_kv_seqlen", "be without", "mask by attn_mask")
    flat = len(op.x(0).shape) == 3
    q = _heads(op, op.x(0), "q_num_heads")
    k, v = _heads(op, op.x(1), "kv_num_heads"), _heads(op, op.x(2), "kv_num_heads")
    past = 0
    if op.has(4) and op.has(5):
        past = op.x(4).shape[2]
        k, v = (op.emit("move", op.x(4 + index), new, op="concat", axis=2) for index, new in enumerate((k, v)))
    batch, heads, queries, width = q.shape
    groups, keys = k.shape[1], k.shape[2]
    if not groups or heads % groups:
        op.refuse(f"{heads} heads of queries and {groups} of keys", "be a multiple")
    # [N, groups, heads of the group, queries, D] against [N, groups, keys, D]
    grouped = op.builder.reshape(q, (batch, groups, heads // groups, queries, width))
    scores = op.emit("matmul", grouped, k, left="nghqd", right="ngkd", out="nghqk")
    scores = op.builder.reshape(scores, (batch, heads, queries, keys))
    scores = scaled(op, scores, op.number("scale", 1 / math.sqrt(width)))
    read = [scores]  # what qk_matmul_output_mode counts: as they are, capped, masked, weights
    cap = op.number("softcap", 0.0)
    if cap:
        scores = scaled(op, op.elementwise("tanh", op.elementwise("div", scores, op.scalar(cap, scores))), cap)
    masked = _masked(op, scores, past)
    weights = op.emit("softmax", masked, op="softmax", axis=3)
    read += [scores, masked, weights]
    weights = op.builder.reshape(weights, (batch, groups, heads // groups, queries, keys))
    y = op.emit("matmul", weights, v, left="nghqk", right="ngkd", out="nghqd")
    y = op.builder.reshape(y, (batch, heads, queries, v.shape[3]))
    if flat:
        y = op.builder.reshape(op.builder.transpose(y, (0, 2, 1, 3)), (batch, queries, heads * v.shape[3]))
    return (y, k, v, read[op.integer("qk_matmul_output_mode", 0)])


def _heads(op: Op, x: Value, count: str) -> Value:
    if len(x.shape) == 4:
        return x
    heads = op.integer(count)
    if len(x.shape) != 3 or heads < 1 or x.shape[2] % heads:
        op.refuse(f"an operand of shape {x.shape} for {heads} heads", "be [N, length, heads·width]")
    return op.builder.transpose(op.builder.reshape(x, (*x.shape[:2], heads, x.shape[2] // heads)), (0, 2, 1, 3))


def _masked(op: Op, scores: Value, past: int) -> Value:
    """A mask of truth values selects, one of numbers is added; a causal mask and a window are constant."""
    if op.has(3):
        mask = _lengthened(op, op.x(3), scores.shape[3])
        if mask.format == BOOL:
            scores = op.elementwise("where", mask, scores, op.scalar(-math.inf, scores))
        else:
            scores = op.elementwise("add", scores, mask)
    allowed = _window(op, scores.shape[2], scores.shape[3], past)
    if allowed is None:
        return scores
    mask = op.builder.constant(allowed, "causal mask" if op.integer("is_causal", 0) else "window of keys")
    return op.elementwise("where", mask, scores, op.scalar(-math.inf, scores))


def _window(op: Op, queries: int, keys: int, past: int) -> NDArray[np.bool_] | None:
    """Which keys a query may look at by its place, the same for every input; ``None``: all of them."""
    left, right = op.integer("left_window_size", -1), op.integer("right_window_size", -1)
    right = 0 if op.integer("is_causal", 0) else right
    if left < 0 and right < 0:
        return None
    if queries * keys > MOST_GENERATED:
        op.refuse(f"a mask of {queries}×{keys} places", f"have at most {MOST_GENERATED:,} elements")
    ahead = np.arange(keys) - (np.arange(queries)[:, None] + past)
    return ((ahead >= -left) | (left < 0)) & ((ahead <= right) | (right < 0))


def _lengthened(op: Op, mask: Value, keys: int) -> Value:
    """A mask that is shorter than the keys hides the others."""
    rank, missing = len(mask.shape), keys - mask.shape[-1]
    if missing <= 0:
        return mask
    return op.emit("move", mask, op="pad", padding=(*(0,) * (2 * rank - 1), missing), value=0.0 if mask.format == BOOL else -math.inf)


def rotary_embedding(op: Op) -> Value:
    """Pairs (a, b) of each head become (a·cos − b·sin, a·sin + b·cos); the pairs are halves, or neighbours if interleaved."""
    x = op.x(0)
    flat = len(x.shape) == 3
    y = _heads(op, x, "num_heads")
    batch, heads, length, width = y.shape
    turned = op.integer("rotary_embedding_dim", 0) or width
    cos, sin = (_angles(op, index, length) for index in (1, 2))
    rest = op.slice(y, 3, turned, width) if turned < width else None
    y = op.slice(y, 3, 0, turned)
    interleaved, half = bool(op.integer("interleaved", 0)), turned // 2
    pairs = op.builder.reshape(y, (batch, heads, length, half, 2) if interleaved else (batch, heads, length, 2, half))
    axis, shape = (4 if interleaved else 3), (batch, heads, length, half)
    a, b = (op.builder.reshape(op.slice(pairs, axis, index, index + 1), shape) for index in (0, 1))
    real = op.elementwise("sub", op.elementwise("mul", a, cos), op.elementwise("mul", b, sin))
    imaginary = op.elementwise("add", op.elementwise("mul", a, sin), op.elementwise("mul", b, cos))
    rows = [op.builder.reshape(part, (*shape, 1) if interleaved else (*shape[:3], 1, half)) for part in (real, imaginary)]
    y = op.builder.reshape(op.emit("move", *rows, op="concat", axis=axis), (batch, heads, length, turned))
    if rest is not None:
        y = op.emit("move", y, rest, op="concat", axis=3)
    return op.builder.reshape(op.builder.transpose(y, (0, 2, 1, 3)), x.shape) if flat else y


def _angles(op: Op, index: int, length: int) -> Value:
    """cos or sin for every position, [N, 1, length, half]: chosen by position_ids from [positions, half], or given as such."""
    table = op.x(index)
    if op.has(3):
        position = op.operand(3)
        if position.static:
            order = op.builder.reshape(position.value, (position.numel,))
            table = op.builder.reshape(op.emit("permute", table, order, op="index", axis=0), (*position.shape, table.shape[1]))
        else:
            table = op.emit("lookup", table, position.value, op="gather", axis=0)
    if len(table.shape) != 3 or table.shape[1] != length:
        op.refuse(f"angles of shape {table.shape} for {length} positions", "be one row per position")
    return op.builder.reshape(table, (table.shape[0], 1, length, table.shape[2]))
