"""Hybrid layers: float activations on integer weights, whose activations are quantized while the model runs (dynamic range)."""

from __future__ import annotations

from micronet_verify_tflite.model import Model, Subgraph
from micronet_verify_tflite.stored import format_of

LAYERS = frozenset({"BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})


def has_hybrid_layers(model: Model) -> bool:
    """Whether some operator of any subgraph multiplies float activations by integer weights."""
    return any(
        operator.kind in LAYERS and len(operator.inputs) > 1 and _is_hybrid(subgraph, *operator.inputs[:2])
        for subgraph in map(model.subgraph, range(model.subgraphs))
        for operator in subgraph.operators
    )


def _is_hybrid(subgraph: Subgraph, activations: int, weights: int) -> bool:
    if activations < 0 or weights < 0:
        return False
    x, weight = subgraph.tensors[activations], subgraph.tensors[weights]
    return format_of(x).family == "float" and weight.quantization is not None and format_of(weight).is_integer
