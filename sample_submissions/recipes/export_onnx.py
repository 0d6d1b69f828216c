"""Carries trained weights into ONNX: as they are, folded, int8 with calibrated activations, int4."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sample_submissions.networks import Baseline, ConvNormRelu, Tiny
from sample_submissions.recipes.onnx_graph import OnnxGraph

Floats = NDArray[np.float32]
Network = Baseline | Tiny


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution or a linear layer: weight with output channels first, and bias, batch norm folded in."""

    name: str
    weight: Floats
    bias: Floats
    stride: int = 1


def folded(name: str, block: ConvNormRelu) -> Layer:
    """Batch norm folded: w·γ/√(σ²+ε) and β − μ·γ/√(σ²+ε), per output channel."""
    norm = block.norm
    mean, variance, scale, shift = (_array(t).astype(np.float64) for t in (norm.running_mean, norm.running_var, norm.weight, norm.bias))
    factor = scale / np.sqrt(variance + norm.eps)
    weight = _array(block.conv.weight) * factor.reshape(-1, 1, 1, 1) + 0.0  # a pruned weight stays 0, not -0
    return Layer(name, weight.astype(np.float32), (shift - mean * factor).astype(np.float32), int(block.conv.stride[0]))


def layers(net: Network) -> tuple[Layer, Layer, Layer]:
    """Stem, body and head of a network, folded."""
    return folded("stem", net.stem), folded("body", net.body), Layer("head", _array(net.head.weight), _array(net.head.bias))


def dense(net: Network, name: str = "dense") -> OnnxGraph:
    """The network as it was trained: convolutions without bias, batch norms as nodes of their own."""
    graph = OnnxGraph(name)
    x = graph.images
    for part, block in (("stem", net.stem), ("body", net.body)):
        weight = graph.constant(f"{part}.conv.weight", _array(block.conv.weight))
        x = graph.add("Conv", f"{part}.conv", x, weight, **_window(int(block.conv.stride[0])))
        norm = block.norm
        named = {"weight": norm.weight, "bias": norm.bias, "running_mean": norm.running_mean, "running_var": norm.running_var}
        statistics = [graph.constant(f"{part}.norm.{key}", _array(tensor)) for key, tensor in named.items()]
        x = graph.add("BatchNormalization", f"{part}.norm", x, *statistics, epsilon=norm.eps)
        x = graph.add("Relu", f"{part}.relu", x)
    x = graph.add("Flatten", "flatten", _pool(graph, x))
    weight, bias = graph.constant("head.weight", _array(net.head.weight)), graph.constant("head.bias", _array(net.head.bias))
    graph.add("Gemm", "logits", x, weight, bias, transB=1)
    return graph


def folded_floats(net: Network, name: str) -> OnnxGraph:
    """Batch norms folded into the convolutions; everything in float32, zeros stay zeros."""
    graph = OnnxGraph(name)
    x = graph.images
    stem, body, head = layers(net)
    for layer in (stem, body):
        constants = graph.constant(f"{layer.name}.weight", layer.weight), graph.constant(f"{layer.name}.bias", layer.bias)
        x = graph.add("Relu", f"{layer.name}.relu", graph.add("Conv", layer.name, x, *constants, **_window(layer.stride)))
    x = graph.add("Flatten", "flatten", _pool(graph, x))
    graph.add("Gemm", "logits", x, graph.constant("head.weight", head.weight), graph.constant("head.bias", head.bias), transB=1)
    return graph


def quantized(net: Network, name: str, peaks: dict[str, float], bits: int) -> OnnxGraph:
    """Quantize/dequantize form: weights of ``bits`` bits per output channel, symmetric; activations uint8 per tensor.

    The scale of the images is 1/16, exactly their grid. The scale of a relu's output is ``peaks[layer] / 255``, from
    the training images. Biases are int32 with the product of both scales, as integer hardware adds them.
    """
    graph = OnnxGraph(name, opset=18 if bits == 8 else 21)
    scale = np.float32(1 / 16)
    x = _through_uint8(graph, "images", graph.images, scale)
    stem, body, head = layers(net)
    for layer in (stem, body):
        weight, bias = _integers(graph, layer, bits, scale)
        x = graph.add("Relu", f"{layer.name}.relu", graph.add("Conv", layer.name, x, weight, bias, **_window(layer.stride)))
        scale = np.float32(peaks[layer.name] / 255)
        x = _through_uint8(graph, layer.name, x, scale)
    # the pool hands on the same grid, so that integer kernels may run it
    x = _through_uint8(graph, "pool", _pool(graph, x), scale, grid="body")
    weight, bias = _integers(graph, head, bits, scale)
    graph.add("Gemm", "logits", graph.add("Flatten", "flatten", x), weight, bias, transB=1)
    return graph


def grid(weight: Floats, bits: int) -> tuple[NDArray[np.int8], Floats]:
    """Integers in ±(2^(bits−1) − 1) and the scale of each output channel: its largest weight over that limit."""
    limit = 2 ** (bits - 1) - 1
    largest = np.abs(weight).max(axis=tuple(range(1, weight.ndim)))
    scales = (np.where(largest > 0, largest, 1) / limit).astype(np.float32)
    steps = np.rint(weight / scales.reshape(-1, *[1] * (weight.ndim - 1)))
    return np.clip(steps, -limit, limit).astype(np.int8), scales


def _integers(graph: OnnxGraph, layer: Layer, bits: int, input_scale: np.float32) -> tuple[str, str]:
    """The dequantized weight and bias of a layer."""
    steps, scales = grid(layer.weight, bits)
    weight = f"{layer.name}.weight_q"
    held = graph.constant(weight, steps) if bits == 8 else graph.int4(weight, steps)
    scale = graph.constant(f"{layer.name}.weight_scale", scales)
    bias_scales = scales * input_scale
    bias_steps = graph.constant(f"{layer.name}.bias_q", np.rint(layer.bias / bias_scales).astype(np.int32))
    bias_scale = graph.constant(f"{layer.name}.bias_scale", bias_scales)
    return (
        graph.add("DequantizeLinear", f"{layer.name}.weight", held, scale, axis=0),
        graph.add("DequantizeLinear", f"{layer.name}.bias", bias_steps, bias_scale, axis=0),
    )


def _through_uint8(graph: OnnxGraph, name: str, x: str, scale: np.float32, grid: str = "") -> str:
    constants = (
        graph.constant(f"{grid or name}.scale", np.array(scale, np.float32)),
        graph.constant(f"{grid or name}.zero_point", np.array(0, np.uint8)),
    )
    return graph.add("DequantizeLinear", f"{name}.dequantized", graph.add("QuantizeLinear", f"{name}.quantized", x, *constants), *constants)


def _pool(graph: OnnxGraph, x: str) -> str:
    return graph.add("MaxPool", "pool", x, kernel_shape=[2, 2], strides=[2, 2])


def _window(stride: int) -> dict[str, Any]:
    return {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [stride, stride]}


def _array(tensor: Any) -> Floats:
    array: Floats = tensor.detach().numpy()
    return array
