"""What is true of a test set: how its bytes become inputs, which files it is published as, and what its classes are called."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Interpolation = Literal["bilinear", "bicubic", "nearest", "box", "hamming", "lanczos"]
Layout = Literal["channels-first", "channels-last"]
LabelOrder = Literal["sorted", "listed"]
Algorithm = Literal["md5", "sha1", "sha256"]


@dataclass(frozen=True, slots=True)
class Scaling:
    """How bytes become numbers: (byte / ``scale`` − ``mean``) / ``deviation``, in float32 and in this order.

    The constants are decimals as text, so that they cross the sandbox wall as JSON; each is rounded to float32 once.
    ``mean`` and ``deviation`` have one number per channel, or none. ``channel_axis`` is the axis of the channels in one
    example. The order of the steps is that of the usual training pipelines, so that inputs are equal to the last bit.
    """

    scale: str
    mean: tuple[str, ...] = ()
    deviation: tuple[str, ...] = ()
    channel_axis: int = 0

    def apply(self, pixels: NDArray[np.uint8], out: NDArray[np.float32]) -> None:
        """Scale examples [examples, …] into ``out`` of the same shape."""
        np.divide(pixels, np.float32(self.scale), out=out)
        if self.mean:
            out -= self._column(self.mean, pixels.ndim)
        if self.deviation:
            out /= self._column(self.deviation, pixels.ndim)

    def _column(self, numbers: tuple[str, ...], axes: int) -> NDArray[np.float32]:
        shape = [1] * axes
        shape[self.channel_axis + 1] = len(numbers)
        return np.array([np.float32(number) for number in numbers], np.float32).reshape(shape)


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What happens to an image before a model receives it, in the order of the fields. Named, frozen, and not charged.

    ``resize``: the shorter side in pixels, the other in proportion and rounded down; 0 leaves the size. ``crop``: the
    side of the square at the centre; 0 leaves all. ``scale``, ``mean``, ``deviation``: see ``Scaling``. ``layout``: the
    order of the axes of one example.
    """

    name: str
    resize: int = 0
    interpolation: Interpolation = "bilinear"
    crop: int = 0
    scale: Fraction = Fraction(1)
    mean: tuple[Fraction, ...] = ()
    deviation: tuple[Fraction, ...] = ()
    layout: Layout = "channels-first"

    @property
    def scaling(self) -> Scaling:
        axis = 0 if self.layout == "channels-first" else 2
        return Scaling(_text(self.scale), tuple(map(_text, self.mean)), tuple(map(_text, self.deviation)), axis)

    def data(self) -> dict[str, Any]:
        """The steps as JSON data, exact: for evidence, and to tell prepared files apart."""
        return {
            "resize": self.resize,
            "interpolation": self.interpolation,
            "crop": self.crop,
            "scale": str(self.scale),
            "mean": [str(number) for number in self.mean],
            "deviation": [str(number) for number in self.deviation],
            "layout": self.layout,
        }


def _text(number: Fraction) -> str:
    """The shortest decimal that float64 tells apart: more than float32 can."""
    return repr(float(number))


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file as it is published: its path inside the data folder, its digest, and how many examples it holds (0: not said)."""

    name: str
    algorithm: Algorithm
    digest: str
    examples: int = 0


@dataclass(frozen=True, slots=True)
class Expected:
    """What a track says of its test set; 0 and empty where it says nothing.

    ``labels`` are the names of the classes as the publisher lists them. Class i of an answer is the i-th of them in
    ``label_order``: ``sorted`` by name, or as ``listed``.
    """

    examples: int = 0
    classes: int = 0
    labels: tuple[str, ...] = ()
    label_order: LabelOrder = "sorted"
    files: tuple[KnownFile, ...] = ()

    @property
    def ordered_labels(self) -> tuple[str, ...]:
        return tuple(sorted(self.labels)) if self.label_order == "sorted" else self.labels


ANYTHING = Expected()
"""Where no track says what to expect."""
