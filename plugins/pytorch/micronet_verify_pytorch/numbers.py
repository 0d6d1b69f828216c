"""Numbers of small whole values that constants make: what branches, and the turns of loops, are decided by."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path

import numpy as np

from micronet_verify.plugin import MOST_INTEGERS, NUMPY, SHAPE_TYPES, Array, GraphBuilder, Operand, Value, ints, numpy_dtype
from micronet_verify_pytorch.archive import Constant
from micronet_verify_pytorch.call import Call


def read(path: Path, constant: Constant) -> Array | None:
    """A small tensor of the archive."""
    if constant.format.name not in SHAPE_TYPES or prod(constant.shape) > MOST_INTEGERS or constant.strides is not None:
        return None
    return np.fromfile(path, numpy_dtype(constant.format), prod(constant.shape), offset=constant.offset).reshape(constant.shape)


def numbers_of(call: Call, value: Value) -> Array | None:
    """What a result of ``call`` holds, where its operands are known, by what the nodes do that the rule emitted."""
    if value.format.name not in SHAPE_TYPES or value.numel > MOST_INTEGERS:
        return None
    known: dict[str, Array] = {}
    for item in call.items:
        if isinstance(item, Operand):
            if item.known is None:
                return None
            known[item.value.id] = item.known
    with np.errstate(all="ignore"):
        return _evaluated(call.builder, value.id, known)


def _evaluated(builder: GraphBuilder, name: str, known: Mapping[str, Array]) -> Array | None:
    found = known.get(name, builder.decoded.get(name))
    node, fmt = builder.maker_of(name), builder.format_of(name)
    if found is not None or node is None or fmt is None or fmt.name not in SHAPE_TYPES:
        return found
    function, operands = str(node.attributes.get("op")), [_evaluated(builder, operand, known) for operand in node.inputs]
    arrays = [operand for operand in operands if operand is not None]
    if len(arrays) != len(operands):
        return None
    made: object = None
    if node.kind == "elementwise" and len(node.attributes) == 1 and function in NUMPY:
        made = NUMPY[function](None, arrays)
    elif node.kind == "move" and function in ("identity", "cast"):
        made = arrays[0]
    elif node.kind == "move" and function == "reshape":
        made = arrays[0].reshape(ints(node.attributes, "shape"))
    elif node.kind == "move" and function == "expand":
        made = np.broadcast_to(arrays[0], ints(node.attributes, "shape"))
    return None if made is None else np.asarray(made).astype(numpy_dtype(fmt))
