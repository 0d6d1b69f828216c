"""Resize and Upsample: to given sizes or by scales, with the coordinates and the rounding that the node states."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from micronet_verify.plugin import Result, Shape
from micronet_verify_onnx.op import Op

_MODES = {"nearest": "nearest", "linear": "linear", "bilinear": "linear", "cubic": "cubic"}
_COORDINATES = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric")
_NEAREST = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


@dataclass(frozen=True, slots=True)
class _Target:
    """The whole output's shape, and output over input of every axis where that is not the ratio of sizes."""

    shape: Shape
    scales: tuple[float, ...]


def resize(op: Op) -> Result:
    """Resize and Upsample (which is Resize with asymmetric coordinates, rounded down)."""
    x, mode = op.operand(0), op.text("mode", "nearest")
    if mode not in _MODES:
        op.refuse(f"mode {mode!r}", f"be one of {', '.join(_MODES)}")
    if op.integer("antialias", 0):
        op.refuse("a resize with antialias", "be without", "set antialias=0: its window depends on the scale")
    old = op.kind == "Upsample" or op.version < 11
    target = _upsampled(op, x.shape) if old else _target(op, x.shape)
    if target.shape == x.shape and all(scale == 1 for scale in target.scales):
        return x
    coordinates = "asymmetric" if old else op.text("coordinate_transformation_mode", "half_pixel")
    nearest = "floor" if old else op.text("nearest_mode", "round_prefer_floor")
    if coordinates == "tf_crop_and_resize":
        op.refuse("a resize with tf_crop_and_resize", "resize the whole tensor", "slice first, then resize")
    if coordinates not in _COORDINATES or nearest not in _NEAREST:
        op.refuse(f"coordinates {coordinates!r}, rounded by {nearest!r}", "be of ONNX's list")
    exact = tuple(out / size if size else 1.0 for out, size in zip(target.shape, x.shape, strict=True))
    cubic = mode == "cubic"
    return op.emit(
        "resize",
        x.value,
        op=_MODES[mode],
        shape=target.shape,
        coordinates=coordinates if coordinates != "half_pixel" else None,
        nearest=nearest if mode == "nearest" and nearest != "round_prefer_floor" else None,
        cubic_a=op.number("cubic_coeff_a", -0.75) if cubic else None,
        exclude_outside=True if cubic and op.integer("exclude_outside", 0) else None,
        scales=target.scales if target.scales and target.scales != exact else None,
    )


def _upsampled(op: Op, shape: Shape) -> _Target:
    scales = op.numbers("scales", ()) if op.version < 9 else _numbers(op, 1)
    return _by_scales(op, shape, tuple(range(len(shape))), scales)


def _target(op: Op, shape: Shape) -> _Target:
    axes = tuple(op.axis(axis, len(shape)) for axis in op.integers("axes", tuple(range(len(shape)))))
    if not op.has(3) or not op.operand(3).numel:
        return _by_scales(op, shape, axes, _numbers(op, 2))
    sizes = op.known_ints(3, what="sizes")
    if len(sizes) != len(axes) or min(sizes, default=1) < 1:
        op.refuse(f"sizes {sizes} for axes {axes}", "be one per axis, at least 1")
    policy = op.text("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch":
        return _Target(_replaced(shape, axes, sizes), ())
    if policy not in ("not_larger", "not_smaller"):
        op.refuse(f"keep_aspect_ratio_policy {policy!r}", "be stretch, not_larger or not_smaller")
    ratios = [size / shape[axis] for axis, size in zip(axes, sizes, strict=True)]
    ratio = min(ratios) if policy == "not_larger" else max(ratios)
    kept = [math.floor(shape[axis] * ratio + 0.5) for axis in axes]
    return _Target(_replaced(shape, axes, kept), tuple(ratio if axis in axes else 1.0 for axis in range(len(shape))))


def _by_scales(op: Op, shape: Shape, axes: Sequence[int], scales: Sequence[float]) -> _Target:
    if len(scales) != len(axes):
        op.refuse(f"{len(scales)} scales for {len(axes)} axes", "be one per axis")
    if not all(0 < scale < 1e6 for scale in scales):
        op.refuse(f"scales of {tuple(scales)}", "be positive")
    sizes = [math.floor(shape[axis] * scale) for axis, scale in zip(axes, scales, strict=True)]
    spread = dict(zip(axes, scales, strict=True))
    return _Target(_replaced(shape, axes, sizes), tuple(spread.get(axis, 1.0) for axis in range(len(shape))))


def _replaced(shape: Shape, axes: Sequence[int], sizes: Sequence[int]) -> Shape:
    out = list(shape)
    for axis, size in zip(axes, sizes, strict=True):
        out[axis] = size
    return tuple(out)


def _numbers(op: Op, index: int) -> tuple[float, ...]:
    return tuple(float(scale) for scale in op.known(index, "scales").reshape(-1))
