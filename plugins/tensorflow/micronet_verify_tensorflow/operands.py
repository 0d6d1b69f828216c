"""What a ref of a TensorFlow graph may stand for besides a tensor: a variable's handle, or a list of tensors."""

from __future__ import annotations

from dataclasses import dataclass

from micronet_verify.plugin import NoTensor, Operand


@dataclass(frozen=True)
class Handle(NoTensor):
    """The handle of a variable; reading it gives ``operand``."""

    operand: Operand
    got = "the handle of a variable as operand"
    static = True


@dataclass(frozen=True)
class TensorList(NoTensor):
    """A list of tensors. ``items``: ``None`` where nothing was written; ``whole``: the tensor it was made from, unchanged."""

    items: tuple[Operand | None, ...]
    whole: Operand | None = None
    got = "a list of tensors as operand"
