"""Which function runs which kind; ``branch`` and ``loop`` are the walk's own (``run``)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from micronet_verify.interpreter.convolution import conv
from micronet_verify.interpreter.elementwise import elementwise
from micronet_verify.interpreter.linear import matmul
from micronet_verify.interpreter.lookups import lookup, permute, scatter, select
from micronet_verify.interpreter.moves import move
from micronet_verify.interpreter.node_call import Function
from micronet_verify.interpreter.normalising import normalise
from micronet_verify.interpreter.pooling import pool
from micronet_verify.interpreter.quantizers import dequantize, quantize
from micronet_verify.interpreter.reductions import cumulative, reduce, softmax
from micronet_verify.interpreter.resizing import resize

FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        "conv": conv,
        "matmul": matmul,
        "elementwise": elementwise,
        "reduce": reduce,
        "pool": pool,
        "normalise": normalise,
        "softmax": softmax,
        "lookup": lookup,
        "cumulative": cumulative,
        "select": select,
        "move": move,
        "permute": permute,
        "scatter": scatter,
        "resize": resize,
        "quantize": quantize,
        "dequantize": dequantize,
    }
)
