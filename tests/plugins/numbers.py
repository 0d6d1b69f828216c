"""The interpreter of the ONNX tests, with channels last and a few functions more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.facts.graph import Node
from tests.plugins.onnx import interpreter

Array = NDArray[Any]

_MORE: dict[str, Callable[..., Any]] = {
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "expm1": np.expm1,
    "log1p": np.log1p,
    "not_equal": np.not_equal,
    "floor_div": np.floor_divide,
    "atan2": np.arctan2,
}
_REDUCE: dict[str, Callable[..., Any]] = {"all": np.all, "any": np.any}


class Numbers(interpreter.Interpreter):
    def _run(self, node: Node) -> None:
        op = node.attributes.get("op")
        if node.kind == "elementwise" and node.attributes.keys() & {"ties", "rounding"}:
            node = Node(node.kind, node.inputs, node.outputs, {k: v for k, v in node.attributes.items() if k not in ("ties", "rounding")})
        if node.attributes.get("channels_last"):
            plain = Node(node.kind, node.inputs, node.outputs, {k: v for k, v in node.attributes.items() if k != "channels_last"})
            operands = [self.arrays[name] for name in node.inputs]
            operands[0] = np.moveaxis(operands[0], -1, 1)
            self._keep(node, np.moveaxis(np.asarray(interpreter.RULES[node.kind](plain, operands)), 1, -1))
        elif node.kind == "elementwise" and op in _MORE:
            self._keep(node, np.asarray(_MORE[str(op)](*(self.arrays[name] for name in node.inputs))))
        elif node.kind == "reduce" and op in _REDUCE:
            x, a = self.arrays[node.inputs[0]], node.attributes
            self._keep(node, np.asarray(_REDUCE[str(op)](x, axis=a["axes"], keepdims=a["keepdims"])))
        elif node.kind == "branch":
            body = node.bodies[0 if self.arrays[node.inputs[0]].all() else 1]
            for name, result in zip(node.outputs, Numbers(body, self.store, self.arrays).run([]), strict=True):
                self.arrays[name] = result
        else:
            super()._run(node)

    def _keep(self, node: Node, result: Array) -> None:
        value = self.graph.values[node.outputs[0]]
        assert result.shape == value.shape, (node.kind, result.shape, value.shape)
        self.arrays[node.outputs[0]] = result.astype(interpreter.numpy_dtype(value.format))
