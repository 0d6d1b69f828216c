"""Translates: each layer is a linear product and a function. The core infers every shape, and counts."""

from __future__ import annotations

from math import prod
from pathlib import Path

from micronet_verify.facts.formats import numeric_format
from micronet_verify.facts.graph import Graph, Value
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify_sklearn.reading import ACTIVATIONS, Tensor, read


class MlpCounter:
    """See ``framework.protocols.Counter``."""

    def translate(self, artifact: Path, builder: GraphBuilder) -> Graph:
        model = read(artifact)
        values: dict[str, Value] = {}  # a tensor that two layers share is one constant, and stored once

        def constant(name: str) -> Value:
            if name not in values:
                tensor: Tensor = model.tensors[name]
                values[name] = builder.constant_at(artifact.name, tensor.offset, tensor.shape, numeric_format(tensor.format), name)
            return values[name]

        builder.at("input")
        x = builder.input((builder.batch, *model.shape), label="x")
        x = builder.reshape(x, (builder.batch, prod(model.shape)))
        for number, layer in enumerate(model.layers):
            builder.at("linear", f"layer{number}")
            x = builder.matmul(x, constant(layer.weight), constant(layer.bias) if layer.bias else None)
            function = ACTIVATIONS[layer.activation]
            builder.at(layer.activation, f"layer{number}")
            if function == "softmax":
                x = builder.emit("softmax", x, op="softmax", axis=1)
            elif function:
                x = builder.elementwise(function, x)
        return builder.finish([x])
