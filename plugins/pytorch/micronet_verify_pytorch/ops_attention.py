"""Scaled dot-product attention and weight normalisation, written out as what they compute."""

from __future__ import annotations

import math
import string

import numpy as np

from micronet_verify.plugin import Value
from micronet_verify_pytorch.call import Call


def attention(call: Call) -> Value:
    """softmax(scale · Q·Kᵀ + mask) · V: product, one multiply per score, mask, softmax, product.

    A causal mask is a constant like any other. Truth-value masks select between the score and minus infinity, number
    masks are added; what a constant one hides is not charged (O15), which the core sees.
    """
    call.ignore("return_debug_mask")
    query, key, value = call.tensor("query"), call.tensor("key"), call.tensor("value")
    if call.number("dropout_p", 0.0) != 0:
        call.refuse("attention with dropout", "be exported after model.eval()", "pass dropout_p=0.0 when not training")
    if call.flag("enable_gqa"):
        key, value = _repeated(call, key, query), _repeated(call, value, query)
    scores = _product(call, query, key, "xz", "yz", "xy")
    scale = call.number("scale", 1 / math.sqrt(query.shape[-1]))
    if scale != 1:
        scores = call.elementwise("mul", scores, scale)
    mask = call.optional("attn_mask")
    if call.flag("is_causal"):
        mask = call.builder.constant(np.tril(np.ones(scores.shape[-2:], dtype=bool)), "causal mask")
    hides = mask is not None and not call.flag("is_causal")  # torch answers 0 to a query that sees no key
    if mask is not None and mask.format.family == "bool":
        fill = call.builder.scalar(-math.inf, scores.format)
        scores = call.builder.elementwise("where", mask, scores, fill, fmt=scores.format)
    elif mask is not None:
        scores = call.elementwise("add", scores, mask)
    weights = call.emit("softmax", scores, op="softmax", axis=len(scores.shape) - 1, safe=True if hides else None)
    return _product(call, weights, value, "xy", "yz", "xz")


def _product(call: Call, a: Value, b: Value, left: str, right: str, out: str) -> Value:
    """Index notation with leading axes that broadcast, aligned at the end."""
    n, m = len(a.shape) - 2, len(b.shape) - 2
    lead = string.ascii_lowercase[: max(n, m)]
    return call.emit("matmul", a, b, left=lead[len(lead) - n :] + left, right=lead[len(lead) - m :] + right, out=lead + out)


def _repeated(call: Call, x: Value, query: Value) -> Value:
    """Grouped queries: each head of ``x`` serves several heads of the query, one after the other."""
    *lead, heads, steps, width = x.shape
    times = query.shape[-3] // heads
    y = call.builder.reshape(x, (*lead, heads, 1, steps, width))
    y = call.expand(y, (*lead, heads, times, steps, width))
    return call.builder.reshape(y, (*lead, heads * times, steps, width))


def weight_norm(call: Call) -> Value:
    """g · v / ‖v‖, the norm over all axes but ``dim``. An un-removed weight norm is work for every example."""
    v, g = call.tensor("v"), call.tensor("g")
    dim = call.dim("dim", len(v.shape), 0)
    axes = tuple(axis for axis in range(len(v.shape)) if axis != dim)
    norm = call.emit("reduce", v, op="l2", axes=axes, keepdims=True)
    return call.elementwise("mul", v, call.elementwise("div", g, norm))
