"""The networks in ONNX, written node by node."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from tests.mutants.planting import Judged, judged
from tests.plugins.onnx.support import execute, graph, info, model, node, saved, unknown
from tests.plugins.onnx.writing import Writer

Array = NDArray[Any]
EXAMPLES = 8
SHAPES = {"images": (3, 12, 12), "text": (8, 8), "places": (6, 6, 6), "codes": (8, 6, 6)}


class Calibrated(Writer):
    """Constants are random where no numbers are given; ``rows`` are what batch norms are calibrated on."""

    def __init__(self, rows: Array) -> None:
        super().__init__()
        self.rows, self.random = rows, np.random.default_rng(6)

    def normal(self, *shape: int, scale: float = 1.0) -> str:
        return self.constant(self.random.standard_normal(shape) * scale)

    def uniform(self, low: float, high: float, *shape: int) -> str:
        return self.constant(self.random.uniform(low, high, shape))

    def proto(self, output: str) -> Any:
        body = graph(self.nodes, [info("x", (1, *self.rows.shape[1:]))], [unknown(output)], self.constants)
        return model(body, opset=20, ir=10)

    def batch_norm(self, x: str) -> str:
        """Calibrated on what reaches it."""
        path = saved(self.proto(x))
        found = np.concatenate([execute(path, {"x": row[None]})[0] for row in self.rows])
        mean, variance = (self.constant(of(found, axis=(0, 2, 3))) for of in (np.mean, np.var))
        channels = found.shape[1]
        return self.emit("BatchNormalization", x, self.uniform(0.5, 1.5, channels), self.normal(channels), mean, variance, epsilon=1e-5)

    def times(self, x: str, factor: float, more: float = 0.0) -> str:
        y = self.emit("Mul", x, self.constant(factor))
        return self.emit("Add", y, self.constant(more)) if more else y


def images(w: Calibrated) -> str:
    x = w.emit("Conv", "x", w.normal(8, 3, 3, 3, scale=0.3), w.normal(8), strides=[2, 1], pads=[1, 0, 1, 0])
    x = w.emit("Clip", w.times(w.batch_norm(x), 3, 3), w.constant(0.0), w.constant(6.0))
    x = w.emit("Conv", x, w.normal(8, 1, 3, 3, scale=0.3), w.normal(8), dilations=[2, 2], pads=[2] * 4, group=8)
    x = w.emit("HardSwish", w.times(w.batch_norm(x), 3))
    x = w.emit("MaxPool", w.times(x, 1, -2), kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    x = w.emit("Conv", x, w.normal(8, 2, 3, 3, scale=0.02), w.normal(8), pads=[1] * 4, group=4)  # of small variances
    x = w.emit("InstanceNormalization", x, w.uniform(0.5, 1.5, 8), w.normal(8))
    x = w.emit("PRelu", x, w.uniform(0, 0.5, 8, 1, 1))
    x = w.emit("ConvTranspose", x, w.normal(8, 8, 3, 3, scale=0.2), w.normal(8), strides=[2, 2], pads=[1] * 4, output_padding=[1, 1])
    x = w.emit("LRN", x, size=3, alpha=0.5, beta=0.6, bias=1.5)
    x = w.emit("AveragePool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    pooled = w.emit("Flatten", w.emit("GlobalAveragePool", x))
    hidden = w.emit("LeakyRelu", w.emit("Gemm", pooled, w.normal(8, 8), w.normal(8), transB=1), alpha=0.2)
    gate = w.emit("HardSigmoid", w.emit("Gemm", hidden, w.normal(8, 8), w.normal(8), alpha=0.5, beta=2.0), alpha=0.25, beta=0.4)
    x = w.emit("Mul", x, w.emit("Unsqueeze", gate, w.numbers(2, 3)))
    x = w.emit("Resize", x, "-", "-", w.numbers(1, 8, 5, 5), mode="linear", coordinate_transformation_mode="half_pixel")
    how = {"nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
    whole = w.emit("Flatten", w.emit("Resize", x, "-", "-", w.numbers(1, 8, 6, 6), mode="nearest", **how))
    strided = w.emit("Flatten", w.emit("Conv", x, w.normal(4, 8, 2, 2), strides=[3, 2]))  # of 5×5: 2×2 with either stride
    x = w.emit("Concat", whole, strided, axis=1)
    return w.emit("LogSoftmax", w.emit("Gemm", x, w.normal(304, 10, scale=0.3), w.normal(10)), axis=-1)


def text(w: Calibrated) -> str:
    x = w.emit("LayerNormalization", w.times("x", 0.02), w.uniform(0.5, 1.5, 8), w.normal(8), axis=-1, epsilon=1e-5)
    query, key = w.emit("MatMul", x, w.normal(8, 8)), w.emit("MatMul", x, w.normal(8, 8))
    scores = w.times(w.emit("MatMul", query, w.emit("Transpose", key, perm=[0, 2, 1])), 0.2)
    x = w.emit("Add", x, w.emit("MatMul", w.emit("Softmax", scores, axis=-1), x))
    turned = w.emit("Transpose", x, perm=[1, 0, 2])
    y = w.emit("LSTM", turned, w.normal(1, 32, 8, scale=0.5), w.normal(1, 32, 8, scale=0.5), w.normal(1, 64, scale=0.3), hidden_size=8)
    x = w.emit("Add", turned, w.times(w.emit("Squeeze", y, w.numbers(1)), 3))
    y = w.emit("GRU", x, w.normal(1, 24, 8, scale=0.5), w.normal(1, 24, 8, scale=0.5), w.normal(1, 48, scale=0.3), hidden_size=8)
    x = w.emit("Reshape", w.emit("Add", x, w.emit("Squeeze", y, w.numbers(1))), w.numbers(8, 8))
    rows = w.emit("Gemm", x, w.normal(8, 8), w.normal(8), alpha=0.5, beta=2.0, transA=1)
    table = w.emit("Gather", w.normal(8, 8), w.emit("ArgMax", rows, axis=1, keepdims=0), axis=0)
    rows = w.emit(
        "Sub", w.emit("Gelu", rows), w.times(w.emit("CumSum", w.emit("Elu", x, alpha=0.5), w.constant(0, np.int64), exclusive=1), 0.25)
    )
    rows = w.emit("Add", rows, w.emit("Mul", w.emit("Softmax", rows, axis=0), w.emit("Softplus", table)))
    rows = w.emit("Add", rows, w.emit("Clip", rows, w.constant(-0.5), w.constant(0.75)))
    rows = w.emit("Einsum", rows, w.normal(8, 8, scale=0.4), equation="ab,bc->ac")
    part = w.emit("Sub", w.emit("ReduceL2", rows, w.numbers(0), keepdims=1), w.emit("ReduceMax", rows, w.numbers(0), keepdims=1))
    rest = w.emit("Mod", w.emit("Slice", rows, w.numbers(1), w.numbers(2), w.numbers(0)), w.constant(0.7), fmod=1)
    least = w.emit("TopK", rows, w.numbers(3), results=2, axis=0, largest=0)
    powers = w.emit("Pow", w.emit("Abs", part), w.constant(1.5))
    ratio = w.emit("Div", part, w.times(powers, 1, 1))
    joined = w.emit("Concat", part, w.emit("Reshape", least, w.numbers(1, 24)), rest, ratio, axis=1)
    return w.emit("MatMul", joined, w.normal(48, 10))


def places(w: Calibrated) -> str:
    random = w.random
    x = w.emit("Gather", "x", w.numbers(*random.permutation(6)), axis=2)
    far = w.emit("Cast", w.emit("Less", x, w.constant(-9.0)), to=TensorProto.INT64)  # zeros that the data decides
    x = w.emit("GatherElements", x, w.emit("Add", far, w.constant(random.integers(0, 6, (1, 6, 6, 6)), np.int64)), axis=3)
    at = w.emit("Add", far, w.constant(random.integers(0, 6, (1, 6, 6, 6)), np.int64))
    x = w.emit("ScatterElements", x, at, w.times(x, 0.5), axis=2, reduction="add")
    tuples = w.constant([[0, 3], [0, 1], [0, 4]], np.int64)
    x = w.emit(
        "ScatterND", x, tuples, w.times(w.emit("Squeeze", w.emit("Slice", x, w.numbers(3), w.numbers(6), w.numbers(1)), w.numbers(0)), 2)
    )
    x = w.emit("Slice", x, w.numbers(-1), w.numbers(-99), w.numbers(2), w.numbers(-1))
    cut = w.emit("Slice", x, w.numbers(1), w.numbers(5), w.numbers(2), w.numbers(2))
    x = w.emit("Concat", cut, w.emit("Slice", x, w.numbers(0), w.numbers(4), w.numbers(2)), axis=2)
    x = w.emit("Transpose", w.emit("MatMul", x, w.normal(6, 6)), perm=[0, 1, 3, 2])
    x = w.emit("Pad", x, w.numbers(0, 0, 1, 2, 0, 0, 0, 0), mode="reflect")
    x = w.emit("Slice", x, w.numbers(0, 1), w.numbers(6, 6), w.numbers(2, 3))
    x = w.emit("Pad", x, w.numbers(0, 0, 0, 0, 0, 0, 0, 1), w.constant(0.5))
    x = w.emit("Where", w.emit("Greater", x, w.constant(0.3)), x, w.constant(-0.25))
    x = w.emit("Sub", x, w.emit("Trilu", x, w.numbers(1), upper=1))
    first = w.emit("Split", x, w.numbers(2, 4), results=2, axis=1)
    x = w.emit("Concat", f"{first}.1", w.emit("Tile", w.emit("ReduceMean", first, w.numbers(1), keepdims=1), w.numbers(1, 2, 1, 1)), axis=1)
    blocks = w.emit("DepthToSpace", w.emit("Reshape", x, w.numbers(1, 24, 3, 3)), blocksize=2, mode="CRD")
    x = w.emit("Add", w.emit("Add", x, blocks), w.emit("Reshape", w.emit("SpaceToDepth", blocks, blocksize=2), w.numbers(1, 6, 6, 6)))
    chosen = w.emit("GatherND", x, w.constant([[[4, 1], [0, 2], [5, 5]]], np.int64), batch_dims=1)
    x = w.emit("Add", x, w.emit("Reshape", w.emit("ReduceSum", chosen, w.numbers(1)), w.numbers(1, 1, 1, 6)))
    above = w.emit(
        "Greater",
        w.emit("Reshape", w.emit("Slice", w.emit("Reshape", x, w.numbers(-1)), w.numbers(0), w.numbers(1)), w.numbers(-1)),
        w.constant(0.0),
    )
    bodies = {}
    for side, kind in (("then", "Relu"), ("else", "Neg")):
        result = helper.make_tensor_value_info(side, TensorProto.FLOAT, None)
        bodies[f"{side}_branch"] = helper.make_graph([node(kind, x, side)], side, [], [result])
    x = w.emit("If", above, **bodies)
    return w.emit("MatMul", w.emit("Flatten", x), w.normal(216, 10))


def codes(w: Calibrated) -> str:
    grid = w.constant(1 / 64), w.constant(128, np.uint8)
    quantized = w.emit("QuantizeLinear", "x", *grid)
    weight = w.constant(w.random.integers(-128, 128, (8, 8, 1, 1)), np.int8)
    scales, zeros = w.uniform(0.002, 0.007, 8), w.constant(np.arange(8) - 4, np.int8)
    x = w.emit("Conv", w.emit("DequantizeLinear", quantized, *grid), w.emit("DequantizeLinear", weight, scales, zeros, axis=0), w.normal(8))
    low = w.constant(0.03), w.constant(3, np.int8)
    x = w.emit("DequantizeLinear", w.emit("QuantizeLinear", x, *low), *low)
    first = w.emit(
        "ConvInteger", quantized, w.constant(w.random.integers(0, 256, (8, 8, 1, 1)), np.uint8), grid[1], w.constant(120, np.uint8)
    )
    x = w.emit("Add", x, w.times(w.emit("Cast", first, to=TensorProto.FLOAT), 2e-5))
    matrix = w.constant(w.random.integers(0, 256, (6, 6)), np.uint8)
    out = w.constant(0.0713), w.constant(130, np.uint8)
    y = w.emit("QLinearMatMul", quantized, *grid, matrix, w.constant(0.01037), w.constant(99, np.uint8), *out)
    x = w.emit("Sub", x, w.emit("DequantizeLinear", y, *out))
    return w.emit("MatMul", w.emit("Flatten", x), w.normal(288, 10))


NETWORKS: dict[str, Callable[[Calibrated], str]] = {"images": images, "text": text, "places": places, "codes": codes}


def build(name: str, folder: Path) -> Judged:
    rows = np.random.default_rng(4).standard_normal((EXAMPLES, *SHAPES[name])).astype(np.float32)
    rows = np.round(rows * 128) / 128 if name == "codes" else rows  # every other value lies on a tie
    writer = Calibrated(rows)
    return judged("onnx", saved(writer.proto(NETWORKS[name](writer)), folder), rows)
