"""Where an operator stands, for people: the path in the name that the converter left with its result."""

from __future__ import annotations

from micronet_verify.plugin import LONGEST
from micronet_verify_tflite.model import Operator, Subgraph


def place(subgraph: Subgraph, operator: Operator, number: int, path: str = "") -> str:
    """The module path (``model.conv2d`` of ``model/conv2d/Relu;model/conv2d/BiasAdd``), else the result's name, else a number."""
    first = next((index for index in operator.outputs if index >= 0), None)
    name = "" if first is None else subgraph.tensors[first].name.partition(";")[0]
    own = ".".join(part for part in name.split("/")[:-1] if part) or name or f"operator {number}"
    text = own[:LONGEST]
    return f"{path}/{text}"[-LONGEST:] if path else text
