"""Lists of tensors (TensorArray in TF 2): followed while the graph is read, so that a loop over steps is the steps."""

from __future__ import annotations

import numpy as np

from micronet_verify.plugin import Item, Operand, computed, folded, stacked
from micronet_verify_tensorflow.op import Op
from micronet_verify_tensorflow.operands import TensorList

MOST_ITEMS = 1 << 16


def reserve(op: Op) -> TensorList:
    count = op.known_int(1, "a number of elements")
    if not 0 <= count <= MOST_ITEMS:
        op.refuse(f"a list of {count:,} tensors", f"be at most {MOST_ITEMS:,}")
    return TensorList((None,) * count)


def empty(op: Op) -> TensorList:
    return TensorList(())


def from_tensor(op: Op) -> TensorList:
    """The slices of a tensor's first axis; each is made when it is read."""
    x = op.operand(0)
    if not x.shape or x.shape[0] > MOST_ITEMS:
        op.refuse(f"a list of the slices of {x.shape}", f"be of at most {MOST_ITEMS:,} slices")
    return TensorList((None,) * x.shape[0], x)


def get_item(op: Op) -> Item:
    found, place = op.tensor_list(0), _place(op)
    item = found.items[place]
    if item is not None:
        return item
    if found.whole is None:
        op.refuse(f"element {place} of a list, which nothing wrote", "be written before it is read")
    x = found.whole
    known = None if x.known is None else np.asarray(x.known[place])
    if known is not None and x.format.is_integer:
        return folded(op.builder, known, op.node.name)
    return computed(op.builder, op.builder.reshape(op.slice(x.value, 0, place, place + 1), x.shape[1:]), x.static, known)


def set_item(op: Op) -> TensorList:
    found, place, item = op.tensor_list(0), _place(op), op.operand(2)
    return TensorList((*found.items[:place], item, *found.items[place + 1 :]), found.whole)


def push_back(op: Op) -> TensorList:
    found = op.tensor_list(0)
    if len(found.items) >= MOST_ITEMS:
        op.refuse(f"a list of more than {MOST_ITEMS:,} tensors", "be shorter")
    return TensorList((*found.items, op.operand(1)), found.whole)


def stack(op: Op) -> Operand:
    """All elements along a new first axis."""
    found = op.tensor_list(0)
    if found.whole is not None and all(item is None for item in found.items):
        return found.whole
    parts = [item for item in found.items if item is not None]
    if not parts or len(parts) != len(found.items):
        missing = len(found.items) - len(parts)
        op.refuse(f"a list in which {missing} of {len(found.items)} elements are not written", "be written in full")
    return stacked(op, parts, 0)


def length(op: Op) -> Operand:
    return folded(op.builder, np.array(len(op.tensor_list(0).items), np.int32), op.node.name)


def _place(op: Op) -> int:
    place, count = op.known_int(1, "the place in a list"), len(op.tensor_list(0).items)
    if not 0 <= place < count:
        op.refuse(f"element {place} of a list of {count}", "lie within it")
    return place
