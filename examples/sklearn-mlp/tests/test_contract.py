"""The contract that every plugin passes. The format can say chains of linear layers and their functions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from micronet_verify_sklearn.writing import write as write_file
from numpy.typing import NDArray

from micronet_verify.testing import Plugin, PluginContract, Program, Unsupported

FUNCTIONS = {"relu": "relu", "sigmoid": "logistic", "tanh": "tanh", "softmax": "softmax"}


class TestSklearn(PluginContract):
    @pytest.fixture
    def plugin(self) -> Plugin:
        return Plugin("sklearn", "micronet_verify_sklearn", write, write_unknown, heavy=("sklearn", "scipy", "safetensors"))


def write(program: Program, folder: Path) -> Path:
    layers: list[dict[str, str]] = []
    tensors: dict[str, NDArray[np.float32]] = {}
    names: dict[int, str] = {}
    before = "x"
    if len(program.shape) != 1 or program.words:
        raise Unsupported(f"inputs of shape {program.shape}")
    for step in program.steps:
        if step.inputs != (before,):
            raise Unsupported("anything but a chain")
        before = step.name
        if step.op == "linear":
            layer = {"activation": "identity"}
            for name, array in step.arrays.items():
                names.setdefault(id(array), f"{step.name}.{name}")
                tensors[names[id(array)]] = array.T  # [in, out], as scikit-learn has it
                layer[name] = names[id(array)]
            layers.append(layer)
        elif step.op in FUNCTIONS and layers and layers[-1]["activation"] == "identity":
            layers[-1]["activation"] = FUNCTIONS[step.op]
        else:
            raise Unsupported(f"{step.op} without a linear layer before it")
    path = folder / "model.mlp.safetensors"
    write_file(path, tensors, layers, program.shape)
    return path


def write_unknown(folder: Path) -> tuple[Path, str]:
    path = folder / "model.mlp.safetensors"
    write_file(path, {"w": np.ones((4, 4))}, [{"weight": "w", "activation": "swish"}], (4,))
    return path, "swish"
