"""Random networks as ONNX files, written node by node."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper

from tests.plugins.onnx.support import graph, info, model, node, saved, unknown
from tests.plugins.onnx.writing import Writer
from tests.random_networks.network import Network, Op

_PLAIN = {
    "relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "hard_swish": "HardSwish", "elu": "Elu", "softplus": "Softplus", "abs": "Abs",
    "neg": "Neg", "gelu": "Gelu", "add": "Add", "mul": "Mul", "sub": "Sub", "max": "Max", "flatten": "Flatten",
}  # fmt: skip


def write(network: Network, folder: Path) -> Path:
    writer, values = Writer(), ["x"]
    for op in network.ops:
        arrays = {name: writer.constant(array, array.dtype) for name, array in op.arrays.items()}
        values.append(_RULES.get(op.name, _plain)(writer, op, [values[at] for at in op.inputs], arrays))
    writer.emit("Identity", values[-1], output="y")
    proto = model(graph(writer.nodes, [info("x", network.shape)], [unknown("y")], writer.constants), opset=20, ir=10)
    return saved(proto, folder)


def _plain(w: Writer, op: Op, x: list[str], arrays: dict[str, str]) -> str:
    return w.emit(_PLAIN[op.name], x[0])


def _conv(w: Writer, op: Op, x: list[str], arrays: dict[str, str]) -> str:
    o, kernel = op.options, op.arrays["weight"].shape[2]
    numbers = {"strides": [o["stride"]] * 2, "pads": [o["padding"]] * 4, "dilations": [o["dilation"]] * 2, "group": o["groups"]}
    return w.emit("Conv", " ".join([x[0], *arrays.values()]), kernel_shape=[kernel] * 2, **numbers)


def _transposed(w: Writer, op: Op, x: list[str], arrays: dict[str, str]) -> str:
    return w.emit("ConvTranspose", f"{x[0]} {arrays['weight']}", strides=[op.options["stride"]] * 2)


def _batch_norm(w: Writer, op: Op, x: list[str], arrays: dict[str, str]) -> str:
    names = " ".join(arrays[name] for name in ("scale", "shift", "mean", "variance"))
    return w.emit("BatchNormalization", f"{x[0]} {names}", epsilon=op.options["eps"])


def _pool(w: Writer, op: Op, x: list[str], arrays: dict[str, str]) -> str:
    o = op.options
    numbers = {"kernel_shape": [o["kernel"]] * 2, "strides": [o["stride"]] * 2, "pads": [o["padding"]] * 4}
    if op.name == "max_pool":
        return w.emit("MaxPool", x[0], **numbers)
    return w.emit("AveragePool", x[0], count_include_pad=int(o["counts"]), **numbers)


def _reduce(w: Writer, op: Op, x: list[str], arrays: dict[str, str]) -> str:
    kind = {"mean": "ReduceMean", "max": "ReduceMax", "sum": "ReduceSum", "min": "ReduceMin"}[op.options["op"]]
    return w.emit(kind, f"{x[0]} {w.numbers(*op.options['axes'])}", keepdims=1)


def _pad(w: Writer, op: Op, x: list[str], arrays: dict[str, str]) -> str:
    top, bottom, left, right = op.options["sides"]
    pads = w.numbers(0, 0, top, left, 0, 0, bottom, right)
    value = f" {w.constant(op.options['value'])}" if op.options["mode"] == "constant" else ""
    return w.emit("Pad", f"{x[0]} {pads}{value}", mode=op.options["mode"])


def _constant(w: Writer, op: Op, x: list[str], arrays: dict[str, str]) -> str:
    return w.emit(_PLAIN[op.options["op"]], f"{x[0]} {arrays['other']}")


def _slice(w: Writer, op: Op, x: list[str], arrays: dict[str, str]) -> str:
    o = op.options
    return w.emit("Slice", " ".join([x[0], *(w.numbers(o[name]) for name in ("start", "end", "axis", "step"))]))


def _flip(w: Writer, op: Op, x: list[str], arrays: dict[str, str]) -> str:
    return w.emit("Slice", " ".join([x[0], *(w.numbers(number) for number in (-1, -(1 << 40), op.options["axis"], -1))]))


def _shuffle(w: Writer, op: Op, x: list[str], arrays: dict[str, str]) -> str:
    groups = op.options["groups"]
    _, channels, height, width = op.options["shape"]
    apart = w.emit("Reshape", f"{x[0]} {w.numbers(1, groups, channels // groups, height, width)}")
    turned = w.emit("Transpose", apart, perm=[0, 2, 1, 3, 4])
    return w.emit("Reshape", f"{turned} {w.numbers(1, channels, height, width)}")


def _gather(w: Writer, op: Op, x: list[str], arrays: dict[str, str]) -> str:
    return w.emit("Gather", f"{x[0]} {arrays['index']}", axis=op.options["axis"])


def _elements(w: Writer, op: Op, x: list[str], arrays: dict[str, str]) -> str:
    return w.emit("GatherElements", f"{x[0]} {arrays['index']}", axis=1)


def _scatter(w: Writer, op: Op, x: list[str], arrays: dict[str, str]) -> str:
    index, rank = op.arrays["index"], op.options["rank"]
    perm = [1, 0, *range(2, rank)]
    first = w.emit("Slice", " ".join([x[0], *(w.numbers(number) for number in (0, len(index), 1))]))
    turned, updates = w.emit("Transpose", x[0], perm=perm), w.emit("Transpose", first, perm=perm)
    places = w.constant(index[:, None], np.int64)
    reduction = {"replace": "none", "add": "add"}[op.options["op"]]
    return w.emit("Transpose", w.emit("ScatterND", f"{turned} {places} {updates}", reduction=reduction), perm=perm)


def _resize(w: Writer, op: Op, x: list[str], arrays: dict[str, str]) -> str:
    scales = w.constant([1, 1, 2, 2])
    if op.options["op"] == "nearest":
        return w.emit("Resize", f"{x[0]} - {scales}", mode="nearest", nearest_mode="floor", coordinate_transformation_mode="asymmetric")
    return w.emit("Resize", f"{x[0]} - {scales}", mode="linear", coordinate_transformation_mode="half_pixel")


def _quantize(w: Writer, op: Op, x: list[str], arrays: dict[str, str]) -> str:
    grid = f"{w.constant(op.options['scale'])} {w.constant(0, np.int8)}"
    return w.emit("DequantizeLinear", f"{w.emit('QuantizeLinear', f'{x[0]} {grid}')} {grid}")


def _linear(w: Writer, op: Op, x: list[str], arrays: dict[str, str]) -> str:
    return w.emit("Gemm", " ".join([x[0], *arrays.values()]), transB=1)


def _branch(w: Writer, op: Op, x: list[str], arrays: dict[str, str]) -> str:
    total = w.emit("ReduceSum", x[0], keepdims=0)
    above = w.emit("Greater", f"{total} {w.constant(0.0)}")
    bodies = []
    for side, kind in (("then", "Relu"), ("else", "Neg")):
        name = f"{side}{len(w.nodes)}"
        bodies.append(helper.make_graph([node(kind, x[0], name)], side, [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)]))
    return w.emit("If", above, then_branch=bodies[0], else_branch=bodies[1])


def _attention(w: Writer, op: Op, x: list[str], arrays: dict[str, str]) -> str:
    _, channels, height, width = op.options["shape"]
    rows = w.emit("Reshape", f"{x[0]} {w.numbers(1, channels, height * width)}")
    scores = w.emit("Softmax", w.emit("MatMul", f"{rows} {w.emit('Transpose', rows, perm=[0, 2, 1])}"), axis=-1)
    return w.emit("Reshape", f"{w.emit('MatMul', f'{scores} {rows}')} {w.numbers(1, channels, height, width)}")


_RULES: dict[str, Callable[[Writer, Op, list[str], dict[str, str]], str]] = {
    "conv": _conv,
    "conv_transposed": _transposed,
    "batch_norm": _batch_norm,
    "relu6": lambda w, op, x, a: w.emit("Clip", f"{x[0]} {w.constant(0.0)} {w.constant(6.0)}"),
    "silu": lambda w, op, x, a: w.emit("Mul", f"{x[0]} {w.emit('Sigmoid', x[0])}"),
    "leaky_relu": lambda w, op, x, a: w.emit("LeakyRelu", x[0], alpha=0.25),
    "square": lambda w, op, x, a: w.emit("Mul", f"{x[0]} {x[0]}"),
    "max_pool": _pool,
    "average_pool": _pool,
    "reduce": _reduce,
    "pad": _pad,
    "constant": _constant,
    "join": lambda w, op, x, a: w.emit(_PLAIN[op.options["op"]], " ".join(x)),
    "concat": lambda w, op, x, a: w.emit("Concat", " ".join(x), axis=1),
    "slice": _slice,
    "flip": _flip,
    "shuffle": _shuffle,
    "gather": _gather,
    "gather_elements": _elements,
    "scatter": _scatter,
    "resize": _resize,
    "softmax": lambda w, op, x, a: w.emit("Softmax", x[0], axis=op.options["axis"]),
    "quantize": _quantize,
    "linear": _linear,
    "layer_norm": lambda w, op, x, a: w.emit("LayerNormalization", f"{x[0]} {a['scale']} {a['shift']}", axis=-1, epsilon=op.options["eps"]),
    "topk": lambda w, op, x, a: w.emit("TopK", x[0], w.numbers(op.options["k"]), results=2),
    "cumsum": lambda w, op, x, a: w.emit("CumSum", f"{x[0]} {w.constant(op.options['axis'], np.int64)}"),
    "where": lambda w, op, x, a: w.emit(
        "Where", f"{w.emit('Greater', f'{x[0]} ' + w.constant(op.options['bound']))} {x[0]} {w.constant(op.options['other'])}"
    ),
    "attention": _attention,
    "branch": _branch,
}
