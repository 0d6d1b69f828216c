"""Branches, loops and recurrent layers of the contract's notation in ONNX's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from micronet_verify.testing import Step
from tests.plugins.onnx.program_layers import Layers, Nodes
from tests.plugins.onnx.support import graph, info, node, unknown


class Writer(Layers):
    """Nodes of all steps."""

    def nodes(self, steps: Sequence[Step]) -> Nodes:
        ways = {"branch": self._branch, "loop": self._loop, "lstm": self._lstm}
        return [item for step in steps for item in ways.get(step.op, self.layer)(step, " ".join(step.inputs))]

    def _branch(self, step: Step, x: str) -> Nodes:
        then, other = (self._body(body) for body in step.bodies)
        return [node("If", x, step.name, then_branch=then, else_branch=other)]

    def _body(self, steps: Sequence[Step]) -> onnx.GraphProto:
        """A body with initializers of its own, which may have the names of another body's."""
        inner = Writer()
        nodes = inner.nodes(steps)
        return graph(nodes, [], [unknown(steps[-1].name)], inner.constants, name="body")

    def _loop(self, step: Step, x: str) -> Nodes:
        """Loop where there is nothing to scan, else Scan over the axis behind the batch."""
        body, y = step.bodies[0], step.name
        inner, last, state = self.nodes(body), unknown(body[-1].name), unknown("state")
        if len(step.inputs) == 1:
            given = [info("turn", (), TensorProto.INT64), info("going", (), TensorProto.BOOL), state]
            turned = graph([node("Identity", "going", "still"), *inner], given, [info("still", (), TensorProto.BOOL), last], name="turn")
            trips, always = self._number(step, "trips", step.options["trips"]), self._number(step, "always", True, np.bool_)
            return [node("Loop", f"{trips} {always} {x}", y, body=turned)]
        scan: dict[str, Any] = {"num_scan_inputs": 1, "scan_input_axes": [1]}
        if not step.options.get("collected"):
            return [node("Scan", x, y, body=graph(inner, [state, unknown("slice")], [last], name="turn"), **scan)]
        all_ = f"{body[-1].name}.all"
        turned = graph([*inner, node("Identity", body[-1].name, all_)], [state, unknown("slice")], [last, unknown(all_)], name="turn")
        return [node("Scan", x, f"{y}.last {y}", body=turned, scan_output_axes=[1], **scan)]

    def _lstm(self, step: Step, x: str) -> Nodes:
        """Gates in ONNX's order, time first, and a second bias, of zeros."""
        y, size = step.name, step.arrays["w_hh"].shape[1]
        for name, array in step.arrays.items():
            i, f, g, o = np.split(array, 4)
            joined = np.concatenate([i, o, f, g])
            self.constants[f"{y}.{name}"] = (np.concatenate([joined, np.zeros_like(joined)]) if name == "bias" else joined)[None]
        axis = self._number(step, "axis", [1])
        operands = f"{y}.x {y}.w_ih {y}.w_hh {y}.bias"
        return [
            node("Transpose", x, f"{y}.x", perm=[1, 0, 2]),
            node("LSTM", operands, f"{y}.all", hidden_size=size),
            node("Squeeze", f"{y}.all {axis}", f"{y}.h"),
            node("Transpose", f"{y}.h", y, perm=[1, 0, 2]),
        ]
