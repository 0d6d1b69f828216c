"""For contestants: writes a fitted ``MLPClassifier`` as an entry's model file. Needs safetensors; judging does not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file


def save(classifier: Any, path: Path, shape: Sequence[int]) -> None:
    """Write a fitted ``sklearn.neural_network.MLPClassifier`` for examples of ``shape``, in float32.

    The last layer's function is left out: a softmax does not change which class is largest.
    """
    layers = []
    last = len(classifier.coefs_) - 1
    tensors: dict[str, NDArray[Any]] = {}
    for number, (weight, bias) in enumerate(zip(classifier.coefs_, classifier.intercepts_, strict=True)):
        tensors[f"weight{number}"], tensors[f"bias{number}"] = weight, bias
        activation = "identity" if number == last else classifier.activation
        layers.append({"weight": f"weight{number}", "bias": f"bias{number}", "activation": activation})
    write(path, tensors, layers, shape)


def write(path: Path, tensors: dict[str, NDArray[Any]], layers: Sequence[dict[str, str]], shape: Sequence[int]) -> None:
    """Write layers (see ``reading``) and their tensors as float32."""
    arrays = {name: np.ascontiguousarray(array, np.float32) for name, array in tensors.items()}
    save_file(arrays, path, {"shape": json.dumps(list(shape)), "layers": json.dumps(list(layers))})
