"""Translates: each layer is a linear product and a function. The core infers every shape, and counts."""

from __future__ import annotations

from math import prod

from micronet_verify.plugin import Graph, GraphBuilder, TranslateRequest, Value, numeric_format
from micronet_verify_sklearn.reading import ACTIVATIONS, Tensor, read


class MlpCounter:
    """See ``framework.protocols.Counter``."""

    def translate(self, request: TranslateRequest, builder: GraphBuilder) -> Graph:
        artifact = request.artifact
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
