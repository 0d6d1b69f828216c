"""Runs a neutral graph with numpy and torch, so that a translation can be compared with onnxruntime number by number."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from micronet_verify.facts.formats import NumericFormat, numpy_dtype
from micronet_verify.facts.graph import Graph, Node, Value
from micronet_verify.facts.tensors import ConstantStore

Array = NDArray[Any]
erf = np.vectorize(math.erf, otypes=[np.float64])


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": lambda a, b: np.trunc(a / b) if a.dtype.kind in "iu" else a / b,
    "pow": np.power,
    "mod": np.mod,
    "max": np.maximum,
    "min": np.minimum,
    "equal": np.equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "and": lambda a, b: np.logical_and(a, b) if a.dtype == bool else a & b,
    "or": lambda a, b: np.logical_or(a, b) if a.dtype == bool else a | b,
    "xor": lambda a, b: np.logical_xor(a, b) if a.dtype == bool else a ^ b,
    "not": lambda a: np.logical_not(a) if a.dtype == bool else ~a,
    "neg": np.negative,
    "abs": np.abs,
    "sign": np.sign,
    "floor": np.floor,
    "ceil": np.ceil,
    "round": np.rint,
    "square": np.square,
    "sqrt": np.sqrt,
    "reciprocal": np.reciprocal,
    "exp": np.exp,
    "log": np.log,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "erf": erf,
    "isnan": np.isnan,
    "isinf": np.isinf,
    "relu": lambda x: np.maximum(x, 0),
    "clip": lambda x, low=None, high=None: np.clip(x, low, high),
    "sigmoid": sigmoid,
    "silu": lambda x: x * sigmoid(x),
    "hard_sigmoid": lambda x, alpha, beta: np.clip(alpha * x + beta, 0, 1),
    "hard_swish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "gelu": lambda x: 0.5 * x * (1 + erf(x / math.sqrt(2))),
    "gelu_tanh": lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "elu": lambda x, alpha: np.where(x > 0, x, alpha * (np.exp(x) - 1)),
    "celu": lambda x, alpha: np.maximum(x, 0) + np.minimum(0, alpha * (np.exp(x / alpha) - 1)),
    "selu": lambda x, alpha, gamma: gamma * np.where(x > 0, x, alpha * (np.exp(x) - 1)),
    "leaky_relu": lambda x, alpha: np.where(x > 0, x, alpha * x),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "hard_shrink": lambda x, alpha: np.where(np.abs(x) > alpha, x, 0),
    "soft_shrink": lambda x, alpha: np.sign(x) * np.maximum(np.abs(x) - alpha, 0),
    "threshold": lambda x, alpha: np.where(x > alpha, x, 0),
    "where": np.where,
    "prelu": lambda x, slope: np.where(x > 0, x, slope * x),
}
REDUCE: dict[str, Callable[..., Any]] = {
    "sum": np.sum,
    "mean": np.mean,
    "max": np.max,
    "min": np.min,
    "prod": np.prod,
    "sum_square": lambda x, **k: np.sum(x * x, **k),
    "l1": lambda x, **k: np.sum(np.abs(x), **k),
    "l2": lambda x, **k: np.sqrt(np.sum(x * x, **k)),
    "logsumexp": lambda x, **k: np.log(np.sum(np.exp(x), **k)),
}


class Interpreter:
    """Values by id; a body reads the values around it."""

    def __init__(self, graph: Graph, store: ConstantStore, outer: Mapping[str, Array] | None = None) -> None:
        self.graph, self.store = graph, store
        self.arrays: dict[str, Array] = dict(outer or {})
        for value in graph.values.values():
            if value.constant is not None:
                self.arrays[value.id] = np.array(store.open(value.constant, value.shape, value.format))

    def run(self, feeds: Sequence[Array]) -> list[Array]:
        self.arrays.update(zip(self.graph.inputs, feeds, strict=True))
        for node in self.graph.nodes:
            self._run(node)
        return [self.arrays[name] for name in self.graph.outputs]

    def _run(self, node: Node) -> None:
        operands = [self.arrays[name] if name else None for name in node.inputs]
        if node.kind == "branch":
            body = node.bodies[0 if operands[0].all() else 1]
            results = Interpreter(body, self.store, self.arrays).run([])
        elif node.kind == "loop":
            # Carried values first, the number of the turn last.
            *carried, turn = operands
            for number in range(int(node.attributes["trips"])):
                carried = Interpreter(node.bodies[0], self.store, self.arrays).run([*carried, turn + number])[: len(carried)]
            results = carried
        else:
            found = RULES[node.kind](node, operands)
            results = found if isinstance(found, list) else [found]
        for name, result in zip(node.outputs, results, strict=False):
            value = self._value(name)
            assert tuple(np.shape(result)) == value.shape, (node.kind, np.shape(result), value.shape)
            if node.kind == "quantize":
                low, high = limits(value.format)
                result = np.clip(result, node.attributes.get("low", low), node.attributes.get("high", high))
            self.arrays[name] = np.asarray(result).astype(numpy_dtype(value.format))

    def _value(self, name: str) -> Value:
        return self.graph.values[name]


def _conv(node: Node, x: Sequence[Array]) -> Array:
    a = node.attributes
    rank = x[0].ndim - 2
    data, weight = torch.tensor(x[0], dtype=torch.float64), torch.tensor(x[1], dtype=torch.float64)
    bias = torch.tensor(x[2], dtype=torch.float64) if len(x) > 2 else None
    if a.get("transposed"):
        run = (functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d)[rank - 1]
        y = run(data, weight, bias, a["stride"], 0, 0, a["groups"], a["dilation"])
        extra = a.get("output_padding", (0,) * rank)
        y = functional.pad(y, [n for axis in reversed(range(rank)) for n in (0, extra[axis])])
        cut = [slice(a["padding"][i], y.shape[2 + i] - a["padding"][rank + i]) for i in range(rank)]
        return y[(slice(None), slice(None), *cut)].numpy()
    data = functional.pad(data, [n for axis in reversed(range(rank)) for n in (a["padding"][axis], a["padding"][rank + axis])])
    run = (functional.conv1d, functional.conv2d, functional.conv3d)[rank - 1]
    return run(data, weight, bias, a["stride"], 0, a["dilation"], a["groups"]).numpy()


def _matmul(node: Node, x: Sequence[Array]) -> Array:
    a = node.attributes
    y = np.einsum(f"{a['left']},{a['right']}->{a['out']}", *(_aligned(node, x)))
    return y + x[2] if len(x) > 2 else y


def _aligned(node: Node, x: Sequence[Array]) -> list[Array]:
    """An index of extent 1 broadcasts, which einsum does not do by itself."""
    left, right = str(node.attributes["left"]), str(node.attributes["right"])
    sizes: dict[str, int] = {}
    for labels, array in ((left, x[0]), (right, x[1])):
        for label, size in zip(labels, array.shape, strict=True):
            sizes[label] = max(sizes.get(label, 1), size)
    return [
        np.broadcast_to(np.asarray(array, np.float64), tuple(sizes[label] for label in labels))
        for labels, array in ((left, x[0]), (right, x[1]))
    ]


def _elementwise(node: Node, x: Sequence[Array]) -> Array:
    parameters = {key: value for key, value in node.attributes.items() if key != "op"}
    with np.errstate(all="ignore"):
        return np.asarray(ELEMENTWISE[str(node.attributes["op"])](*x, **parameters))


def _reduce(node: Node, x: Sequence[Array]) -> Array:
    return np.asarray(REDUCE[str(node.attributes["op"])](x[0], axis=node.attributes["axes"], keepdims=node.attributes["keepdims"]))


def _pool(node: Node, x: Sequence[Array]) -> Array:
    """Averages leave padding out, ONNX's default."""
    a, rank = node.attributes, x[0].ndim - 2
    reduce = np.nanmean if a["op"] == "average" else np.nanmax
    if "adaptive" in a:
        return np.asarray(reduce(x[0], axis=tuple(range(2, 2 + rank)), keepdims=True))
    kernel, stride, padding = a["kernel"], a["stride"], a["padding"]
    dilation = a.get("dilation", (1,) * rank)
    widths = [(0, 0), (0, 0), *((padding[i], padding[rank + i] + (kernel[i] * dilation[i] + stride[i])) for i in range(rank))]
    data = np.pad(x[0].astype(np.float64), widths, constant_values=np.nan)
    sizes = _pool_sizes(node, x[0].shape)
    out = np.empty((*x[0].shape[:2], *sizes))
    for place in np.ndindex(*sizes):
        window = tuple(
            slice(place[i] * stride[i], place[i] * stride[i] + (kernel[i] - 1) * dilation[i] + 1, dilation[i]) for i in range(rank)
        )
        out[(slice(None), slice(None), *place)] = reduce(data[(slice(None), slice(None), *window)], axis=tuple(range(2, 2 + rank)))
    return out


def _pool_sizes(node: Node, shape: tuple[int, ...]) -> tuple[int, ...]:
    from micronet_verify.facts.shapes import infer

    return infer("pool", node.attributes, [shape])[0][2:]


def _normalise(node: Node, x: Sequence[Array]) -> Array:
    a, data = node.attributes, x[0].astype(np.float64)
    channel = (1, -1, *(1,) * (data.ndim - 2))
    op = a["op"]
    if op == "batch_norm":
        mean, variance, scale, shift = (array.reshape(channel) for array in x[1:])
        return (data - mean) / np.sqrt(variance + a["eps"]) * scale + shift
    if op == "local_response_norm":
        return functional.local_response_norm(torch.tensor(data), a["size"], a["alpha"], a["beta"], a["eps"]).numpy()
    if op == "group_norm":
        grouped = data.reshape(data.shape[0], a["groups"], -1)
        y = (grouped - grouped.mean(2, keepdims=True)) / np.sqrt(grouped.var(2, keepdims=True) + a["eps"])
        each = data.shape[1] // x[1].shape[0]
        return y.reshape(data.shape) * np.repeat(x[1], each).reshape(channel) + np.repeat(x[2], each).reshape(channel)
    axes = a["axes"] if op != "instance_norm" else tuple(range(2, data.ndim))
    mean = 0 if op == "rms_norm" else data.mean(axes, keepdims=True)
    y = (data - mean) / np.sqrt(((data - mean) ** 2).mean(axes, keepdims=True) + a["eps"])
    scale, shift = (x[1] if len(x) > 1 else 1.0), (x[2] if len(x) > 2 else 0.0)
    if op == "instance_norm":
        scale, shift = np.reshape(scale, channel), np.reshape(shift, channel)
    return np.asarray(y * scale + shift)


def _softmax(node: Node, x: Sequence[Array]) -> Array:
    shifted = x[0] - x[0].max(node.attributes["axis"], keepdims=True)
    weights = np.exp(shifted) / np.exp(shifted).sum(node.attributes["axis"], keepdims=True)
    return weights if node.attributes["op"] == "softmax" else np.log(weights)


def _select(node: Node, x: Sequence[Array]) -> list[Array]:
    a = node.attributes
    if a["op"] in ("argmax", "argmin"):
        return [getattr(np, a["op"])(x[0], axis=a["axis"], keepdims=a.get("keepdims", False))]
    order = np.argsort(-x[0], axis=a["axis"], kind="stable").take(range(a["k"]), a["axis"])
    return [np.take_along_axis(x[0], order, a["axis"]), order]


def _move(node: Node, x: Sequence[Array]) -> Any:
    a, data = node.attributes, x[0]
    rank = data.ndim
    if a["op"] == "slice":
        cut = [slice(None)] * rank
        for axis, start, end, step in zip(a["axes"], a["starts"], a["ends"], a["steps"], strict=True):
            cut[axis] = slice(start, end, step)
        return data[tuple(cut)]
    if a["op"] == "pad":
        widths = [(a["padding"][i], a["padding"][rank + i]) for i in range(rank)]
        return np.pad(data, widths, constant_values=a.get("value", 0))
    return {
        "identity": lambda: data,
        "cast": lambda: data,
        "reshape": lambda: data.reshape(a["shape"]),
        "transpose": lambda: data.transpose(a["perm"]),
        "concat": lambda: np.concatenate(x, a["axis"]),
        "expand": lambda: np.broadcast_to(data, a["shape"]),
        "split": lambda: np.split(data, np.cumsum(a["sizes"])[:-1], a["axis"]),
        "tile": lambda: np.tile(data, a["repeats"]),
    }[a["op"]]()


def _quantize(node: Node, x: Sequence[Array]) -> Array:
    """Codes held in a wide integer; the format's own range is the caller's cast, so the clip happens here."""
    scale, zero = _spread(node, x[1], x[0].shape), _spread(node, x[2], x[0].shape) if len(x) > 2 else 0
    return np.rint(x[0].astype(np.float64) / scale) + zero


def _spread(node: Node, group: Array, shape: tuple[int, ...]) -> Any:
    axis, block = int(node.attributes["axis"]), int(node.attributes.get("block", 0))
    if axis < 0 or group.size == 1:
        return group.astype(np.float64).reshape(-1)[0]
    if block:
        return np.repeat(group.astype(np.float64), block, axis)[tuple(slice(size) for size in shape)]
    return group.astype(np.float64).reshape([-1 if a == axis else 1 for a in range(len(shape))])


def _dequantize(node: Node, x: Sequence[Array]) -> Array:
    zero = _spread(node, x[2], x[0].shape) if len(x) > 2 else 0
    return np.asarray((x[0].astype(np.float64) - zero) * _spread(node, x[1], x[0].shape))


def limits(fmt: NumericFormat) -> tuple[int, int]:
    return (0, 2**fmt.bits - 1) if fmt.family == "uint" else (-(2 ** (fmt.bits - 1)), 2 ** (fmt.bits - 1) - 1)


RULES: dict[str, Callable[[Node, Sequence[Any]], Any]] = {
    "conv": _conv,
    "matmul": _matmul,
    "elementwise": _elementwise,
    "reduce": _reduce,
    "pool": _pool,
    "normalise": _normalise,
    "softmax": _softmax,
    "lookup": lambda node, x: np.take(x[0], x[1], node.attributes["axis"]),
    "cumulative": lambda node, x: getattr(np, node.attributes["op"])(x[0], axis=node.attributes["axis"]),
    "select": _select,
    "permute": lambda node, x: (
        np.flip(x[0], node.attributes["axis"]) if node.attributes["op"] == "flip" else np.take(x[0], x[1], node.attributes["axis"])
    ),
    "resize": lambda node, x: np.zeros(node.attributes["shape"]),
    "scatter": lambda node, x: x[0],
    "quantize": _quantize,
    "dequantize": _dequantize,
    "move": _move,
}
