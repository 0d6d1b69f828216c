"""Windows of convolutions and pools as TensorFlow states them: NHWC or NCHW, padding by name or in numbers."""

from __future__ import annotations

from dataclasses import dataclass

from micronet_verify.plugin import Shape, same_padding
from micronet_verify_tensorflow.op import Op


@dataclass(frozen=True, slots=True)
class Window:
    """``stride`` and ``dilation`` of the spatial axes; ``space`` their sizes in the data."""

    space: Shape
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    last: bool

    @property
    def flag(self) -> bool | None:
        """The attribute ``channels_last``."""
        return True if self.last else None

    def of(self, op: Op, numbers: tuple[int, ...], what: str) -> tuple[int, ...]:
        """The spatial ones of four (or five) numbers in the order of the data; batch and channels must be 1."""
        return _spatial(op, numbers, self.last, what)


def channels_last(op: Op) -> bool:
    name = op.text("data_format", "NHWC")
    if name not in ("NHWC", "NCHW", "NDHWC", "NCDHW"):
        op.refuse(f"data_format {name!r}", "be NHWC or NCHW")
    return not name.startswith("NC")


def window(op: Op, shape: Shape) -> Window:
    """The window of a node over data of this shape."""
    last = channels_last(op)
    rank = len(shape)
    if rank not in (4, 5):
        op.refuse(f"data of shape {shape}", "have a batch, channels and two or three axes of space")
    stride = _spatial(op, op.integers("strides", (1,) * rank), last, "strides")
    dilation = _spatial(op, op.integers("dilations") or (1,) * rank, last, "dilations")
    space = shape[1:-1] if last else shape[2:]
    if not len(space) == len(stride) == len(dilation):
        op.refuse(f"strides {stride} and dilations {dilation} for {len(space)} axes", "be one per axis")
    return Window(space, stride, dilation, last)


def _spatial(op: Op, numbers: tuple[int, ...], last: bool, what: str) -> tuple[int, ...]:
    ends = (numbers[0], numbers[-1]) if last else numbers[:2]
    if len(numbers) < 4 or ends != (1, 1):
        op.refuse(f"{what} {numbers}", "be 1 for batch and channels")
    found = numbers[1:-1] if last else numbers[2:]
    if min(found) < 1:
        op.refuse(f"{what} {numbers}", "be at least 1")
    return found


def padding(op: Op, seen: Window, kernel: Shape, space: Shape | None = None) -> tuple[int, ...]:
    """All begins, then all ends. SAME keeps ceil(size / stride) positions, and an odd rest goes to the end."""
    mode, rank = op.text("padding"), len(kernel)
    if mode == "VALID":
        return (0,) * (2 * rank)
    if mode == "EXPLICIT":
        pairs = op.integers("explicit_paddings")
        if len(pairs) != 2 * (rank + 2) or min(pairs) < 0:
            op.refuse(f"explicit paddings {pairs}", "be two per axis")
        inner = pairs[2:-2] if seen.last else pairs[4:]
        return (*inner[0::2], *inner[1::2])
    if mode != "SAME":
        op.refuse(f"padding {mode!r}", "be SAME, VALID or EXPLICIT")
    return same_padding(space or seen.space, kernel, seen.stride, seen.dilation)
