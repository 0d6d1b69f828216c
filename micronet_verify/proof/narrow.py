"""(c): while the priced graph runs, what is priced at b bits lies on the grid of b bits that a quantizer declares.

A grid is a scale and a range of codes, as ``analysis/values/operand_widths.py`` carries them from the node that declares them through
whatever only moves, chooses or clips; none is guessed from the values. Where there is a width and no scale (a table,
codes of a float format), the values are no more than 2^b different ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite

import numpy as np

from micronet_verify.analysis.values.width import Width
from micronet_verify.facts.graph import Node
from micronet_verify.facts.validate import place
from micronet_verify.interpreter.node_call import Array
from micronet_verify.proof.accumulators import Sums

# Values of a tensor that are looked at: of the first example all but of the largest, then some from everywhere.
_FIRST, _LATER = 1 << 22, 1 << 12
# Different values of more bits than this are not counted.
_MOST_BITS = 11
# A product of code and scale is rounded twice at most: once by the dequantizer, once where the same number is a code of another scale.
_ULPS = 4 * 2.0**-23
_HALF_ULPS = 4 * 2.0**-10


@dataclass
class Narrow:
    """``widths``: those at which values are priced. ``halves``: values of 16-bit formats. ``sums``: narrow accumulators.

    ``wide``: the first node whose values are more than they are priced for, and ``words``: how.
    """

    widths: Mapping[str, Width]
    scales: Mapping[str, Array] = field(default_factory=dict)
    halves: frozenset[str] = frozenset()
    sums: Sums | None = None
    wide: str = ""
    words: str = ""
    _seen: dict[str, Array] = field(default_factory=dict)
    _computed: dict[str, float] = field(default_factory=dict)
    _looked: set[str] = field(default_factory=set)
    _asked: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self._asked = frozenset(width.scale for width in self.widths.values() if width.scale)

    def see(self, node: Node, results: tuple[Array, ...]) -> None:
        """Look at a node's results, those of earlier examples among them."""
        if self.wide:
            return
        for name, result in zip(node.outputs, results, strict=False):
            if name in self._asked and result.size == 1:
                self._computed[name] = float(result.reshape(-1)[0])
            width = self.widths.get(name)
            if width is not None and (words := self._told(name, width, result)):
                self.wide, self.words = place(node), words
                return
        if self.sums is not None and (words := self.sums.see(node, results, self.scale_of)):
            self.wide, self.words = place(node), words

    def scale_of(self, width: Width) -> float | None:
        """The scale that was declared: a number, or what the graph computed last."""
        if width.scale in self._computed:
            return self._computed[width.scale]
        if width.scale in self.scales:
            return float(np.asarray(self.scales[width.scale]).reshape(-1)[0])
        try:
            found = float(width.scale)
        except ValueError:
            return None
        return found if isfinite(found) and found > 0 else None

    def _told(self, name: str, width: Width, result: Array) -> str:
        most, flat = _LATER if name in self._looked else _FIRST, result.reshape(-1)
        self._looked.add(name)
        some = flat[:: -(-flat.size // most) or 1]
        scale = self.scale_of(width) if result.dtype.kind == "f" else None
        return self._counted(name, width, some) if scale is None else self._off(name, width, some, scale)

    def _off(self, name: str, width: Width, values: Array, scale: float) -> str:
        wide = values.astype(np.float64)
        codes = np.rint(wide / scale)
        off = np.abs(codes * scale - wide) > (_HALF_ULPS if name in self.halves else _ULPS) * np.abs(wide)
        off |= ~np.isfinite(wide)
        if off.any():
            first = float(wide[np.argmax(off)])
            return f"the value {first:.9g}, which is not a code of {_bits(width.bits)} times the scale {scale:.9g} that is declared"
        least, most = (int(codes.min()), int(codes.max())) if codes.size else (0, 0)
        low, high = width.low, width.high
        if low is None or high is None:  # codes of several ranges, of one scale
            return (
                "" if most - least < 1 << width.bits + 1 else f"codes from {least:,} to {most:,}, which take more than {_bits(width.bits)}"
            )
        return "" if low <= least and most <= high else f"codes from {least:,} to {most:,}, but {low:,} to {high:,} are declared"

    def _counted(self, name: str, width: Width, some: Array) -> str:
        if width.bits > _MOST_BITS:
            return ""
        some = np.unique(some[:: max(1, some.size // _LATER)])
        found = self._seen[name] = np.union1d(self._seen[name], some) if name in self._seen else some
        return (
            "" if found.size <= 1 << width.bits else f"more than {1 << width.bits:,} different values, priced at {_bits(width.bits)} each"
        )


def _bits(bits: int) -> str:
    return f"{bits} bit{'' if bits == 1 else 's'}"
