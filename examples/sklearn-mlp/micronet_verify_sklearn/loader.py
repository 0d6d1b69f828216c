"""Predicts, in numpy. What runs is the same file that is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.plugin import Answer, PredictRequest, Problem, SubmissionFault, as_batches
from micronet_verify_sklearn.reading import Perceptron, Tensor, read

Array = NDArray[Any]


class MlpLoader:
    """See ``framework.protocols.Loader``."""

    def predict(self, request: PredictRequest) -> Iterator[Answer]:
        """Numpy's own threads stay as the worker's environment has set them."""
        artifact, inputs = request.artifact, request.inputs
        model = read(artifact)
        if inputs.shape[1:] != model.shape:
            got = f"inputs of shape {inputs.shape[1:]}"
            raise SubmissionFault(Problem(got, f"be {model.shape}, as the model's metadata says", artifact.name))
        arrays = {name: _array(artifact, tensor) for name, tensor in model.tensors.items()}
        try:
            for batch in as_batches(inputs, request.batch_size):
                yield Answer(_run(model, arrays, batch))
        except ValueError as error:  # sizes that do not fit each other
            raise SubmissionFault(Problem(f"layers that do not fit ({error})", "fit", artifact.name)) from None


def _run(model: Perceptron, arrays: Mapping[str, Array], batch: Array) -> Array:
    x = batch.reshape(len(batch), prod(model.shape))
    for layer in model.layers:
        x = x @ arrays[layer.weight]
        if layer.bias:
            x = x + arrays[layer.bias]
        x = FUNCTIONS[layer.activation](x)
    return np.asarray(x, np.float32)


def _array(artifact: Path, tensor: Tensor) -> Array:
    flat = np.fromfile(artifact, tensor.format, prod(tensor.shape), offset=tensor.offset)
    return flat.reshape(tensor.shape)


def _softmax(x: Array) -> Array:
    powers = np.exp(x - x.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def _logistic(x: Array) -> Array:
    return np.asarray(np.exp(-np.logaddexp(0, -x)))


FUNCTIONS: Mapping[str, Callable[[Array], Array]] = {
    "relu": lambda x: np.maximum(x, 0),
    "logistic": _logistic,
    "tanh": np.tanh,
    "softmax": _softmax,
    "identity": lambda x: x,
}
