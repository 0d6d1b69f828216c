"""A PyTorch network as a TensorFlow function with the same weights: its exported graph, operator by operator, in TensorFlow's layout.

Images are NHWC, weights lie as TensorFlow writes them, and functions that TensorFlow has no operator for (layer norm, gelu,
hard-swish, an LSTM) are what its own library writes for them. Used to show that one network has one price in all formats.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tests.plugins.tensorflow.support import Builder


def carried(build: Builder, model: nn.Module, example: tuple[torch.Tensor, ...]) -> Path:
    """``model`` as a SavedModel of free batch. Images that it takes as [N, C, H, W] come in as [N, H, W, C]."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own deprecations
        program = torch.export.export(model, example).run_decompositions({})
    (given,) = example
    shape = (given.shape[2], given.shape[3], given.shape[1]) if given.dim() == 4 else tuple(given.shape[1:])
    carrier = Carrier(build.tf, program)
    kind = "int64" if given.dtype == torch.int64 else "float32"
    return build.saved(carrier.run, [(None, *shape)], [kind], keep=carrier.variables)


def laid_out(inputs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Inputs as the carried network takes them."""
    return np.ascontiguousarray(inputs.transpose(0, 2, 3, 1)) if inputs.ndim == 4 else inputs


class Carrier:
    """``images``: the values that are held as [N, H, W, C]."""

    def __init__(self, tf: Any, program: torch.export.ExportedProgram) -> None:
        self.tf, self.program = tf, program
        signature = program.graph_signature
        names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        state = {**program.state_dict, **program.constants}
        self.arrays = {name: state[source].detach().numpy() for name, source in names.items()}
        self.variables: dict[tuple[str, str], Any] = {}
        self.images: set[str] = set()
        self.values: dict[str, Any] = {}

    def run(self, x: Any) -> Any:
        for node in self.program.graph.nodes:
            if node.op == "placeholder" and node.name not in self.arrays:
                self.values[node.name] = x
                if len(x.shape) == 4:
                    self.images.add(node.name)
            elif node.op == "call_function":
                name = "getitem" if node.target is operator.getitem else str(node.target).split(".")[1]
                self.values[node.name] = getattr(self, f"_{name.strip('_')}")(node, *node.args)
            elif node.op == "output":
                return self.get(node.args[0][0])

    def get(self, node: Any) -> Any:
        """A value in PyTorch's layout."""
        if not hasattr(node, "name"):
            return node
        if node.name in self.arrays:
            return self.weight(node, "as it is", lambda array: array)
        value = self.values[node.name]
        return self.tf.transpose(value, [0, 3, 1, 2]) if node.name in self.images else value

    def image(self, node: Any) -> Any:
        """A value as [N, H, W, C]."""
        value = self.values[node.name]
        return value if node.name in self.images else self.tf.transpose(value, [0, 2, 3, 1])

    def weight(self, node: Any, layout: str, change: Callable[[Any], Any]) -> Any:
        if (node.name, layout) not in self.variables:
            with self.tf.init_scope():
                self.variables[node.name, layout] = self.tf.Variable(np.ascontiguousarray(change(self.arrays[node.name])), name=node.name)
        return self.variables[node.name, layout]

    def _pads(self, padding: Any) -> list[list[int]]:
        height, width = (padding if len(padding) == 2 else [*padding] * 2) if padding else (0, 0)
        return [[0, 0], [height, height], [width, width], [0, 0]]

    def _conv2d(self, node: Any, x: Any, w: Any, b: Any = None, stride: Any = (1, 1), padding: Any = (0, 0), dilation: Any = 1, groups: int = 1) -> Any:  # fmt: skip # noqa: E501
        self.images.add(node.name)
        value, channels = self.image(x), self.values[x.name].shape[3 if x.name in self.images else 1]
        if groups == channels and groups > 1:

            def depthwise(array: Any) -> Any:
                return array.reshape(groups, -1, *array.shape[2:]).transpose(2, 3, 0, 1)

            strides = [1, *stride, 1]
            y = self.tf.nn.depthwise_conv2d(value, self.weight(w, "depthwise", depthwise), strides, self._pads(padding))
        else:
            filter_ = self.weight(w, "conv", lambda array: array.transpose(2, 3, 1, 0))
            y = self.tf.nn.conv2d(value, filter_, list(stride), self._pads(padding))
        return y if b is None else self.tf.nn.bias_add(y, self.get(b))

    def _native_batch_norm_legit_no_training(self, node: Any, x: Any, scale: Any, shift: Any, mean: Any, variance: Any, _: float, eps: float) -> Any:  # fmt: skip # noqa: E501
        self.images.add(node.name)
        norm = self.tf.compat.v1.nn.fused_batch_norm
        parts = [self.get(part) for part in (scale, shift, mean, variance)]
        return (norm(self.image(x), *parts, epsilon=eps, is_training=False)[0],)

    def _getitem(self, node: Any, x: Any, at: int) -> Any:
        if x.name in self.images:
            self.images.add(node.name)
        return self.values[x.name][at]

    def _same(self, node: Any, x: Any, function: Callable[[Any], Any]) -> Any:
        """A function element by element keeps the layout."""
        if x.name in self.images:
            self.images.add(node.name)
        return function(self.values[x.name])

    def _relu(self, node: Any, x: Any) -> Any:
        return self._same(node, x, self.tf.nn.relu)

    def _hardtanh(self, node: Any, x: Any, low: float, high: float) -> Any:
        assert (low, high) == (0, 6)
        return self._same(node, x, self.tf.nn.relu6)

    def _silu(self, node: Any, x: Any) -> Any:
        return self._same(node, x, self.tf.nn.silu)

    def _sigmoid(self, node: Any, x: Any) -> Any:
        return self._same(node, x, self.tf.sigmoid)

    def _tanh(self, node: Any, x: Any) -> Any:
        return self._same(node, x, self.tf.tanh)

    def _gelu(self, node: Any, x: Any) -> Any:
        return self._same(node, x, lambda x: self.tf.nn.gelu(x, approximate=False))

    def _hardswish(self, node: Any, x: Any) -> Any:
        return self._same(node, x, lambda x: x * self.tf.nn.relu6(x + 3.0) / 6.0)

    def _hardsigmoid(self, node: Any, x: Any) -> Any:
        return self._same(node, x, lambda x: self.tf.nn.relu6(x + 3.0) / 6.0)

    def _clone(self, node: Any, x: Any, **_: Any) -> Any:
        return self._same(node, x, lambda x: x)

    def _pair(self, node: Any, x: Any, y: Any, function: Callable[[Any, Any], Any]) -> Any:
        if any(getattr(item, "name", "") in self.images for item in (x, y)):
            self.images.add(node.name)
            return function(self.image(x), self.image(y) if hasattr(y, "name") else y)
        return function(self.get(x), self.get(y))

    def _add(self, node: Any, x: Any, y: Any) -> Any:
        return self._pair(node, x, y, lambda x, y: x + y)

    def _mul(self, node: Any, x: Any, y: Any) -> Any:
        return self._pair(node, x, y, lambda x, y: x * y)

    def _max_pool2d(self, node: Any, x: Any, kernel: Any, stride: Any = None, padding: Any = (0, 0)) -> Any:
        self.images.add(node.name)
        lowest = np.finfo(np.float32).min
        value = self.image(x)
        value = self.tf.pad(value, self._pads(padding), constant_values=lowest) if any(padding) else value
        return self.tf.nn.max_pool2d(value, list(kernel), list(stride or kernel), "VALID")

    def _avg_pool2d(self, node: Any, x: Any, kernel: Any, stride: Any = None) -> Any:
        self.images.add(node.name)
        return self.tf.nn.avg_pool2d(self.image(x), list(kernel), list(stride or kernel), "VALID")

    def _adaptive_avg_pool2d(self, node: Any, x: Any, size: Any) -> Any:
        assert list(size) == [1, 1]
        self.images.add(node.name)
        return self.tf.reduce_mean(self.image(x), [1, 2], keepdims=True)

    def _view(self, node: Any, x: Any, shape: Any) -> Any:
        return self.tf.reshape(self.get(x), [-1, *shape[1:]])

    _unsafe_view = _view

    def _linear(self, node: Any, x: Any, w: Any, b: Any = None) -> Any:
        value, weight = self.get(x), self.get(w)
        flat = len(value.shape) == 2
        y = self.tf.matmul(value, weight, transpose_b=True) if flat else self.tf.einsum("bij,kj->bik", value, weight)
        return y if b is None else self.tf.nn.bias_add(y, self.get(b))

    def _layer_norm(self, node: Any, x: Any, shape: Any, scale: Any, shift: Any, eps: float = 1e-5, *_: Any) -> Any:
        value = self.get(x)
        mean, variance = self.tf.nn.moments(value, [-1], keepdims=True)
        return self.tf.nn.batch_normalization(value, mean, variance, self.get(shift), self.get(scale), eps)

    def _split(self, node: Any, x: Any, size: int, dim: int) -> Any:
        axis = {1: 3}[dim] if x.name in self.images else dim
        if x.name in self.images:
            self.images.add(node.name)
        value = self.values[x.name]
        return self.tf.split(value, value.shape[axis] // size, axis)

    def _cat(self, node: Any, parts: Any, dim: int) -> Any:
        assert dim == 1
        self.images.add(node.name)
        return self.tf.concat([self.image(part) for part in parts], 3)

    def _transpose(self, node: Any, x: Any, a: int, b: int) -> Any:
        value = self.get(x)
        perm = list(range(len(value.shape)))
        perm[a], perm[b] = perm[b], perm[a]
        return self.tf.transpose(value, perm)

    def _matmul(self, node: Any, x: Any, y: Any) -> Any:
        return self.tf.matmul(self.get(x), self.get(y))

    def _softmax(self, node: Any, x: Any, dim: int) -> Any:
        return self.tf.nn.softmax(self.get(x), dim)

    def _embedding(self, node: Any, table: Any, x: Any) -> Any:
        return self.tf.gather(self.get(table), self.get(x))

    def _select(self, node: Any, x: Any, dim: int, at: int) -> Any:
        assert dim == 1
        return self.get(x)[:, at]

    def _zeros(self, node: Any, shape: Any, **_: Any) -> Any:
        return None

    def _lstm(self, node: Any, x: Any, state: Any, weights: Any, *options: Any) -> Any:
        """One layer, batch first, as a loop over its steps."""
        tf, value = self.tf, self.get(x)
        w_ih, w_hh, b_ih, b_hh = (self.get(weight) for weight in weights)
        steps, hidden = value.shape[1], w_hh.shape[1]
        xs = tf.transpose(value, [1, 0, 2])

        def step(t: Any, h: Any, c: Any, ys: Any) -> Any:
            gates = tf.matmul(xs[t], w_ih, transpose_b=True) + b_ih + (tf.matmul(h, w_hh, transpose_b=True) + b_hh)
            i, f, g, o = tf.split(gates, 4, 1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            return t + 1, h, c, ys.write(t, h)

        zeros = tf.zeros([tf.shape(value)[0], hidden])
        ys = tf.TensorArray(tf.float32, steps, element_shape=[None, hidden])
        *_, ys = tf.while_loop(lambda t, *_: t < steps, step, [0, zeros, zeros, ys])
        return (tf.transpose(ys.stack(), [1, 0, 2]),)
