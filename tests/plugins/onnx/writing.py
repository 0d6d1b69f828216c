"""Writes a graph node by node."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from tests.plugins.onnx.support import node


class Writer:
    """Nodes one after the other, each result by a name of its own."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}

    def constant(self, array: Any, dtype: Any = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(array, dtype)
        return name

    def numbers(self, *numbers: int) -> str:
        return self.constant(numbers, np.int64)

    def emit(self, kind: str, *inputs: str, output: str = "", results: int = 1, **attributes: Any) -> str:
        """The node's first result; the others are ``{first}.1`` … Inputs are names, or several of them separated by blanks."""
        name = output or f"t{len(self.nodes)}"
        names = " ".join([name, *(f"{name}.{at}" for at in range(1, results))])
        self.nodes.append(node(kind, " ".join(inputs), names, **attributes))
        return name
