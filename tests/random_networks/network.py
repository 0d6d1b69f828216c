"""A small network as plain data, and a Hypothesis strategy that draws one, operator by operator.

Tensors are [1, channels, height, width] or, behind ``flatten``, [1, numbers]; value 0 is the input, value i + 1 what operator i
makes; the last one is the output. Weights are scaled by the terms of their sums, so that values stay near one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Array = NDArray[Any]
Shape = tuple[int, ...]
Draw = Callable[[st.SearchStrategy[Any]], Any]
MOST = 4096
"""Most elements of a tensor."""


@dataclass(frozen=True)
class Op:
    """One operator: ``inputs`` are values, ``arrays`` constants."""

    name: str
    inputs: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    shape: Shape
    ops: tuple[Op, ...]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(op.name for op in self.ops)


class Unsupported(Exception):
    """A framework has no way to say an operator."""


ACTIVATIONS = ("relu", "relu6", "sigmoid", "tanh", "hard_swish", "silu", "leaky_relu", "elu", "softplus", "abs", "square", "neg", "gelu")
DISCRETE = frozenset({"quantize", "where", "topk", "branch"})
"""Operators that a last bit can tip; not every example need agree."""


def _normal(draw: Draw, *shape: int) -> Array:
    seed = draw(st.integers(0, 1 << 16))
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def _some(draw: Draw, size: int, least: int = 1, most: int = 6) -> list[int]:
    return [draw(st.integers(0, size - 1)) for _ in range(draw(st.integers(least, most)))]


def _conv(draw: Draw, at: int, shape: Shape) -> tuple[Op, Shape] | None:
    _, channels, *space = shape
    kernel = draw(st.sampled_from([1, 2, 3]))
    stride, padding, dilation = draw(st.sampled_from([1, 2])), draw(st.integers(0, kernel - 1)), draw(st.sampled_from([1, 1, 2]))
    stride = 1 if dilation > 1 else stride
    groups = draw(st.sampled_from([1, channels]))
    made = channels if groups > 1 else draw(st.integers(1, 6))
    out = [(size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1 for size in space]
    if min(out) < 1:
        return None
    terms = channels // groups * kernel * kernel
    arrays = {"weight": _normal(draw, made, channels // groups, kernel, kernel) / np.float32(np.sqrt(terms))}
    if draw(st.booleans()):
        arrays["bias"] = _normal(draw, made)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return Op("conv", (at,), options, arrays), (1, made, *out)


def _conv_transposed(draw: Draw, at: int, shape: Shape) -> tuple[Op, Shape]:
    _, channels, *space = shape
    kernel, stride, made = draw(st.sampled_from([1, 2, 3])), draw(st.sampled_from([1, 2])), draw(st.integers(1, 4))
    weight = _normal(draw, channels, made, kernel, kernel) / np.float32(np.sqrt(channels * kernel))
    return Op("conv_transposed", (at,), {"stride": stride}, {"weight": weight}), (
        1,
        made,
        *((size - 1) * stride + kernel for size in space),
    )


def _batch_norm(draw: Draw, at: int, shape: Shape) -> tuple[Op, Shape]:
    names = ("scale", "shift", "mean", "variance")
    arrays = {name: _normal(draw, shape[1]) for name in names}
    arrays["variance"] = np.abs(arrays["variance"]) + np.float32(0.5)
    return Op("batch_norm", (at,), {"eps": draw(st.sampled_from([1e-5, 1e-3]))}, arrays), shape


def _activation(draw: Draw, at: int, shape: Shape) -> tuple[Op, Shape]:
    return Op(draw(st.sampled_from(ACTIVATIONS)), (at,)), shape


def _pool(draw: Draw, at: int, shape: Shape) -> tuple[Op, Shape] | None:
    kernel, stride = draw(st.sampled_from([2, 3])), draw(st.sampled_from([1, 2]))
    padding = draw(st.integers(0, kernel // 2))
    out = [(size + 2 * padding - kernel) // stride + 1 for size in shape[2:]]
    options = {"kernel": kernel, "stride": stride, "padding": padding, "counts": draw(st.booleans())}
    name = draw(st.sampled_from(["max_pool", "average_pool"]))
    return (Op(name, (at,), options), (1, shape[1], *out)) if min(out) > 0 else None


def _reduce(draw: Draw, at: int, shape: Shape) -> tuple[Op, Shape]:
    axes = draw(st.sampled_from([(2, 3), (1,), (3,)] if len(shape) == 4 else [(1,)]))
    op = draw(st.sampled_from(["mean", "max", "sum", "min"]))
    return Op("reduce", (at,), {"op": op, "axes": axes}), tuple(1 if axis in axes else size for axis, size in enumerate(shape))


def _pad(draw: Draw, at: int, shape: Shape) -> tuple[Op, Shape]:
    mode = draw(st.sampled_from(["constant", "reflect"]))
    sides = [draw(st.integers(0, 2 if mode == "constant" else min(2, shape[2 + i // 2] - 1))) for i in range(4)]
    value = draw(st.sampled_from([0.0, 1.5, -2.0])) if mode == "constant" else 0.0
    out = (1, shape[1], shape[2] + sides[0] + sides[1], shape[3] + sides[2] + sides[3])
    return Op("pad", (at,), {"sides": tuple(sides), "mode": mode, "value": value}), out


def _constant(draw: Draw, at: int, shape: Shape) -> tuple[Op, Shape]:
    """Arithmetic with a constant for each channel."""
    array = _normal(draw, *(1, shape[1], *(1,) * (len(shape) - 2)))
    return Op("constant", (at,), {"op": draw(st.sampled_from(["add", "mul", "sub", "max"]))}, {"other": array}), shape


def _slice(draw: Draw, at: int, shape: Shape) -> tuple[Op, Shape]:
    axis = draw(st.integers(1, len(shape) - 1))
    start = draw(st.integers(0, shape[axis] - 1))
    end, hop = draw(st.integers(start + 1, shape[axis])), draw(st.sampled_from([1, 1, 2]))
    out = (*shape[:axis], len(range(start, end, hop)), *shape[axis + 1 :])
    return Op("slice", (at,), {"axis": axis, "start": start, "end": end, "step": hop}), out


def _flip(draw: Draw, at: int, shape: Shape) -> tuple[Op, Shape]:
    return Op("flip", (at,), {"axis": draw(st.integers(1, len(shape) - 1))}), shape


def _shuffle(draw: Draw, at: int, shape: Shape) -> tuple[Op, Shape] | None:
    groups = [count for count in range(2, shape[1]) if shape[1] % count == 0]
    return (Op("shuffle", (at,), {"groups": draw(st.sampled_from(groups)), "shape": shape}), shape) if groups else None


def _gather(draw: Draw, at: int, shape: Shape) -> tuple[Op, Shape]:
    axis = draw(st.integers(1, len(shape) - 1))
    index = np.array(_some(draw, shape[axis]), np.int64)
    return Op("gather", (at,), {"axis": axis}, {"index": index}), (*shape[:axis], len(index), *shape[axis + 1 :])


def _scatter(draw: Draw, at: int, shape: Shape) -> tuple[Op, Shape]:
    """The first slices of axis 1 are written to, or added at, other places of it."""
    index = np.array(sorted(set(_some(draw, shape[1]))), np.int64)
    return Op("scatter", (at,), {"op": draw(st.sampled_from(["replace", "add"])), "rank": len(shape)}, {"index": index}), shape


def _resize(draw: Draw, at: int, shape: Shape) -> tuple[Op, Shape]:
    out = tuple(2 * size for size in shape[2:])
    return Op("resize", (at,), {"op": draw(st.sampled_from(["nearest", "linear"]))}), (1, shape[1], *out)


def _softmax(draw: Draw, at: int, shape: Shape) -> tuple[Op, Shape]:
    return Op("softmax", (at,), {"axis": len(shape) - 1}), shape


def _quantize(draw: Draw, at: int, shape: Shape) -> tuple[Op, Shape]:
    return Op("quantize", (at,), {"scale": draw(st.sampled_from([2.0**-4, 2.0**-5]))}), shape


def _flatten(draw: Draw, at: int, shape: Shape) -> tuple[Op, Shape]:
    return Op("flatten", (at,)), (1, prod(shape))


def _linear(draw: Draw, at: int, shape: Shape) -> tuple[Op, Shape]:
    made = draw(st.integers(1, 8))
    arrays = {"weight": _normal(draw, made, shape[1]) / np.float32(np.sqrt(shape[1]))}
    if draw(st.booleans()):
        arrays["bias"] = _normal(draw, made)
    return Op("linear", (at,), {}, arrays), (1, made)


def _layer_norm(draw: Draw, at: int, shape: Shape) -> tuple[Op, Shape] | None:
    if shape[-1] < 3:
        return None
    arrays = {"scale": _normal(draw, shape[-1]), "shift": _normal(draw, shape[-1])}
    return Op("layer_norm", (at,), {"eps": 1e-3}, arrays), shape


def _gather_elements(draw: Draw, at: int, shape: Shape) -> tuple[Op, Shape]:
    index = np.array([_some(draw, shape[1])], np.int64)
    return Op("gather_elements", (at,), {}, {"index": index}), (1, index.shape[1])


def _topk(draw: Draw, at: int, shape: Shape) -> tuple[Op, Shape]:
    k = draw(st.integers(1, min(4, shape[1])))
    return Op("topk", (at,), {"k": k}), (1, k)


def _cumsum(draw: Draw, at: int, shape: Shape) -> tuple[Op, Shape]:
    return Op("cumsum", (at,), {"axis": draw(st.integers(1, len(shape) - 1))}), shape


def _where(draw: Draw, at: int, shape: Shape) -> tuple[Op, Shape]:
    return Op("where", (at,), {"bound": draw(st.sampled_from([0.0, 0.25])), "other": draw(st.sampled_from([-1.0, 0.5]))}), shape


def _attention(draw: Draw, at: int, shape: Shape) -> tuple[Op, Shape]:
    """softmax(x·xᵀ)·x over the pixels of each channel as rows."""
    return Op("attention", (at,), {"shape": shape}), shape


def _branch(draw: Draw, at: int, shape: Shape) -> tuple[Op, Shape]:
    return Op("branch", (at,)), shape


Maker = Callable[[Draw, int, Shape], tuple[Op, Shape] | None]
_BOTH: tuple[Maker, ...] = (
    _activation,
    _reduce,
    _constant,
    _slice,
    _flip,
    _gather,
    _scatter,
    _softmax,
    _quantize,
    _cumsum,
    _where,
    _branch,
)
IMAGES: tuple[Maker, ...] = (_conv, _conv, _conv_transposed, _batch_norm, _pool, _pad, _shuffle, _resize, _attention, _flatten, *_BOTH)
ROWS: tuple[Maker, ...] = (_linear, _linear, _layer_norm, _gather_elements, _topk, *_BOTH)


def _joined(draw: Draw, shapes: Sequence[Shape]) -> tuple[Op, Shape] | None:
    """The last value with an earlier one: element by element, or side by side."""
    last, at = shapes[-1], len(shapes) - 1
    same = [other for other in range(at) if shapes[other] == last]
    beside = [other for other in range(at) if len(shapes[other]) == len(last) and shapes[other][2:] == last[2:]]
    if same and draw(st.booleans()):
        return Op("join", (at, draw(st.sampled_from(same))), {"op": draw(st.sampled_from(["add", "mul", "max", "sub"]))}), last
    if beside:
        other = draw(st.sampled_from(beside))
        return Op("concat", (at, other)), (1, last[1] + shapes[other][1], *last[2:])
    return None


@st.composite
def networks(draw: Draw) -> Network:
    shapes: list[Shape] = [(1, draw(st.integers(1, 4)), draw(st.integers(4, 7)), draw(st.integers(4, 7)))]
    ops: list[Op] = []
    for _ in range(draw(st.integers(2, 8))):
        last = shapes[-1]
        maker = draw(st.sampled_from((None, None, *(IMAGES if len(last) == 4 else ROWS))))
        found = _joined(draw, shapes) if maker is None else maker(draw, len(shapes) - 1, last)
        if found is not None and prod(found[1]) <= MOST:
            ops.append(found[0])
            shapes.append(found[1])
    if not ops:
        ops.append(Op("relu", (0,)))
    return Network(shapes[0], tuple(ops))
