"""``resize``: each axis on its own, by the places that an output's coordinate has in the input (ONNX Resize)."""

from __future__ import annotations

import numpy as np

from micronet_verify.facts.shapes import ints, number, text
from micronet_verify.interpreter.node_call import Array, NodeCall, Operands


def resize(call: NodeCall, operands: Operands) -> Array:
    """x, resized to ``shape``; an axis that keeps its size and is not scaled stays."""
    op, x, shape = text(call.attributes, "op"), operands[0], ints(call.attributes, "shape")
    scales = call.attributes.get("scales")
    for axis, outputs in enumerate(shape):
        size = x.shape[axis]
        scale = float(scales[axis]) if isinstance(scales, tuple) else None
        if size == outputs and scale in (None, 1.0):
            continue
        at = _coordinates(str(call.attributes.get("coordinates", "half_pixel")), size, outputs, scale, bool(call.attributes.get("single")))
        if op == "nearest":
            x = np.take(x, _nearest(str(call.attributes.get("nearest", "round_prefer_floor")), at, size), axis)
        else:
            x = _weighted(x.astype(call.dtype, copy=False), axis, _weights(call, op, at, size))
    return x


def _coordinates(mode: str, size: int, outputs: int, scale: float | None, single: bool = False) -> Array:
    """Where each output lies in the input; without ``scale`` it is outputs / size, exactly, or as float32 has it if ``single``.

    A product and a half taken off are rounded once then, as machines with a fused multiply-add compute them.
    """
    out, held = np.arange(outputs, dtype=np.float64), np.float32 if single else np.float64

    def shrunk(places: Array) -> Array:
        if single:
            return places * np.float64(np.float32(size) / np.float32(outputs) if scale is None else np.float32(1 / scale))
        return np.asarray(places * size / outputs if scale is None else places / scale)

    if mode == "align_corners":
        if outputs == 1:
            return np.zeros(1)
        return (
            (out * np.float64(np.float32(size - 1) / np.float32(outputs - 1))).astype(held) if single else out * (size - 1) / (outputs - 1)
        )
    if mode == "asymmetric":
        return shrunk(out).astype(held)
    if mode == "pytorch_half_pixel" and outputs == 1:
        return np.zeros(1)
    middle: Array = (shrunk(out + 0.5) - 0.5).astype(held)
    if mode == "half_pixel_symmetric":
        exact = outputs if scale is None else scale * size
        return np.asarray(middle + size / 2 * (1 - outputs / exact))
    return middle


def _nearest(mode: str, at: Array, size: int) -> Array:
    if mode == "floor":
        places = np.floor(at)
    elif mode == "ceil":
        places = np.ceil(at)
    elif mode == "round_prefer_ceil":
        places = np.floor(at + 0.5)
    else:
        places = np.ceil(at - 0.5)
    return np.asarray(np.clip(places, 0, size - 1).astype(np.int64))


def _weights(call: NodeCall, op: str, at: Array, size: int) -> Array:
    """[outputs, size]: how much each input gives to each output; places outside repeat the edge, or count for nothing."""
    first = np.floor(at).astype(np.int64)
    part = at - first
    if op == "linear":
        terms = [(0, 1 - part), (1, part)]
    else:
        a = number(call.attributes, "cubic_a", -0.75)
        terms = [(offset, _cubic(np.abs(part - offset), a)) for offset in (-1, 0, 1, 2)]
    matrix = np.zeros((len(at), size))
    for offset, share in terms:
        place = first + offset
        if call.attributes.get("exclude_outside"):
            share = np.where((place >= 0) & (place < size), share, 0.0)
        np.add.at(matrix, (np.arange(len(at)), np.clip(place, 0, size - 1)), share)
    if call.attributes.get("exclude_outside"):
        matrix /= matrix.sum(axis=1, keepdims=True)
    return matrix


def _cubic(distance: Array, a: float) -> Array:
    """Keys' kernel (1981)."""
    near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))


def _weighted(x: Array, axis: int, weights: Array) -> Array:
    return np.moveaxis(np.tensordot(weights.astype(x.dtype), x, axes=(1, axis)), 0, axis)
