"""Grids and crops: AffineGrid, GridSample, CenterCropPad, and Hardmax, by the primitives of their usual formulas."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from micronet_verify.plugin import INT64, MOST_GENERATED, Result, Value
from micronet_verify_onnx.op import Op

_LINEAR = ("linear", "bilinear")


def hardmax(op: Op) -> Value:
    """1 at the first greatest value along an axis, 0 elsewhere; before opset 13 all axes from there on are one."""
    x = op.x()
    axis, shape = op.axis(op.integer("axis", 1 if op.version < 13 else -1), len(x.shape)), x.shape
    if op.version < 13:
        x, axis = op.builder.reshape(x, (math.prod(shape[:axis]), math.prod(shape[axis:]))), 1
    place = op.emit("select", x, op="argmax", axis=axis, keepdims=True)
    lined = tuple(size if at == axis else 1 for at, size in enumerate(x.shape))
    classes = op.builder.reshape(op.builder.constant(np.arange(x.shape[axis]), "classes", INT64), lined)
    hit = op.elementwise("equal", place, classes)
    return op.builder.reshape(op.emit("move", hit, op="cast", fmt=x.format), shape)


def center_crop_pad(op: Op) -> Result:
    """CenterCropPad: cut or filled with zeros on both sides; an odd rest is cut off, or filled, behind."""
    x, wanted = op.operand(0), op.known_ints(1)
    rank = len(x.shape)
    axes = tuple(op.axis(axis, rank) for axis in op.integers("axes", tuple(range(rank))))
    if len(wanted) != len(axes) or min(wanted, default=0) < 0:
        op.refuse(f"sizes {wanted} for axes {axes}", "be one per axis")
    y, padding = x.value, [0] * (2 * rank)
    for axis, size in zip(axes, wanted, strict=True):
        more = size - x.shape[axis]
        if more < 0:
            y = op.slice(y, axis, -more // 2, -more // 2 + size)
        else:
            padding[axis], padding[rank + axis] = more // 2, more - more // 2
    if any(padding):
        y = op.emit("move", y, op="pad", padding=tuple(padding), value=0.0)
    return x if y is x.value else y


def affine_grid(op: Op) -> Value:
    """AffineGrid: theta [N, D, D + 1] times the coordinates of every position, axis by axis: [N, *space, D]."""
    theta, size = op.x(0), op.known_ints(1)
    space = size[2:]
    rank = len(space)
    if rank not in (2, 3) or theta.shape != (size[0], rank, rank + 1) or min(space) < 1 or math.prod(space) > MOST_GENERATED:
        op.refuse(f"theta of shape {theta.shape} for size {size}", "be [N, 2, 3] or [N, 3, 4]")
    align = bool(op.integer("align_corners", 0))

    def column(at: int) -> Value:
        return op.builder.reshape(op.slice(theta, 2, at, at + 1), (size[0], *(1,) * rank, rank))

    total = column(rank)
    for at in range(rank):
        axis = rank - 1 - at  # x, the last axis of space, comes first
        lined = tuple(space[axis] if other == axis else 1 for other in range(rank))
        coordinates = op.builder.constant(_coordinates(space[axis], align).astype(np.float32), "coordinates", theta.format)
        total = op.elementwise("add", total, op.elementwise("mul", column(at), op.builder.reshape(coordinates, (1, *lined, 1))))
    return op.expand(total, (size[0], *space, rank))


def _coordinates(size: int, align: bool) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """−1 to 1 at the centres of the first and last element if ``align``, else at their outer edges."""
    return np.linspace(-1, 1, size) if align else (2 * np.arange(size) + 1) / size - 1


@dataclass(frozen=True, slots=True)
class _Side:
    """The element on one side of a coordinate: its place on the axis [N, P], its weight, and whether there is one at all."""

    place: Value
    weight: Value | None
    inside: Value | None


def grid_sample(op: Op) -> Value:
    """GridSample: x [N, C, *space] at the coordinates grid [N, *out, D] from −1 to 1, the last axis of space first."""
    x, grid, padding = op.x(0), op.x(1), op.text("padding_mode", "zeros")
    mode = op.text("mode", "bilinear" if op.version < 20 else "linear")
    space, rank = x.shape[2:], len(x.shape) - 2
    if mode not in (*_LINEAR, "nearest"):
        op.refuse(f"GridSample of mode {mode!r}", "be linear or nearest", "sample with mode linear")
    if padding not in ("zeros", "border", "reflection") or grid.shape[:1] + grid.shape[-1:] != (x.shape[0], rank):
        op.refuse(f"padding {padding!r} and a grid of shape {grid.shape} for {x.shape}", "fit")
    positions = math.prod(grid.shape[1:-1])
    axes = []
    for axis, size in enumerate(space):
        given = op.slice(grid, len(grid.shape) - 1, rank - 1 - axis, rank - axis)
        place = _place(op, op.builder.reshape(given, (x.shape[0], positions)), size, padding)
        axes.append(_sides(op, place, size, padding == "zeros", mode in _LINEAR))
    flat = op.builder.reshape(x, (*x.shape[:2], math.prod(space)))
    total: Value | None = None
    for corner in itertools.product(*axes):
        value = _value(op, flat, corner, space, (x.shape[0], 1, positions))
        total = value if total is None else op.elementwise("add", total, value)
    assert total is not None
    return op.builder.reshape(total, (*x.shape[:2], *grid.shape[1:-1]))


def _place(op: Op, given: Value, size: int, padding: str) -> Value:
    """Coordinates from −1 to 1 as places on an axis, brought inside as ``padding`` says."""
    align = bool(op.integer("align_corners", 0))

    def by(function: str, x: Value, number: float) -> Value:
        return op.elementwise(function, x, op.scalar(number, x))

    # (g + 1) / 2 · (size − 1), or ((g + 1) · size − 1) / 2
    place = by("add", by("mul", given, (size - 1) / 2 if align else size / 2), (size - 1) / 2)
    if padding == "reflection":
        # A triangle wave between the outermost centres, or the outermost edges.
        low, span = (0.0, size - 1.0) if align else (-0.5, float(size))
        turned = op.builder.emit("elementwise", by("sub", place, low), op.scalar(2 * span, place), op="mod", rounding="floor")
        far = op.elementwise("abs", by("sub", turned, span))
        place = op.elementwise("sub", op.scalar(span + low, place), far)
    return place if padding == "zeros" else op.elementwise("clip", place, low=0.0, high=size - 1.0)


def _sides(op: Op, place: Value, size: int, zeros: bool, linear: bool) -> list[_Side]:
    if not linear:
        return [_side(op, op.elementwise("round", place), None, size, zeros)]
    low = op.elementwise("floor", place)
    far = op.elementwise("sub", place, low)
    near = op.elementwise("sub", op.scalar(1.0, place), far)
    return [_side(op, low, near, size, zeros), _side(op, op.elementwise("add", low, op.scalar(1.0, low)), far, size, zeros)]


def _side(op: Op, place: Value, weight: Value | None, size: int, zeros: bool) -> _Side:
    inside = None
    if zeros:
        bounds = [op.elementwise(test, place, op.scalar(edge, place)) for test, edge in (("greater_equal", 0.0), ("less", size))]
        inside = op.elementwise("and", *bounds)
        if weight is not None:
            weight, inside = op.elementwise("where", inside, weight, op.scalar(0.0, weight)), None
    kept = op.elementwise("clip", place, low=0.0, high=size - 1.0)
    return _Side(op.emit("move", kept, op="cast", fmt=INT64), weight, inside)


def _value(op: Op, flat: Value, corner: tuple[_Side, ...], space: tuple[int, ...], shape: tuple[int, int, int]) -> Value:
    """The elements of one corner [N, C, P], weighted; 0 where there is none."""
    index, weight, inside = corner[0].place, corner[0].weight, corner[0].inside
    for side, size in zip(corner[1:], space[1:], strict=True):
        index = op.elementwise("add", op.elementwise("mul", index, op.builder.scalar(size, INT64)), side.place)
        if weight is not None and side.weight is not None:
            weight = op.elementwise("mul", weight, side.weight)
        if inside is not None and side.inside is not None:
            inside = op.elementwise("and", inside, side.inside)
    found = op.emit("lookup", flat, index, op="gather", axis=2, batch=1)
    if weight is not None:
        return op.elementwise("mul", found, op.builder.reshape(weight, shape))
    if inside is not None:
        return op.elementwise("where", op.builder.reshape(inside, shape), found, op.scalar(0.0, found))
    return found
