"""(c): while the priced graph runs, what is priced at b bits takes no more than 2^b values.

Which values they are is the quantizer's affair, and no grid is guessed from them: they are counted. Of a large tensor some are looked
at, from everywhere in it; a tensor of floats has as many different ones as are looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from micronet_verify.facts.graph import Node
from micronet_verify.facts.validate import place
from micronet_verify.interpreter.step import Array

# Values of a tensor that are looked at; so a width of more bits says nothing.
_LOOKED_AT = 1 << 12
_MOST_BITS = 11


@dataclass
class Narrow:
    """``bits``: the width at which each value is priced. ``wide``: the first node whose values are more, and how many they are."""

    bits: Mapping[str, int]
    wide: str = ""
    words: str = ""
    _seen: dict[str, Array] = field(default_factory=dict)

    def see(self, node: Node, results: tuple[Array, ...]) -> None:
        """Look at a node's results, those of earlier examples among them."""
        for name, result in zip(node.outputs, results, strict=False):
            bits = self.bits.get(name, _MOST_BITS + 1)
            if bits > _MOST_BITS or self.wide:
                continue
            flat = result.reshape(-1)
            some = np.unique(flat[:: max(1, flat.size // _LOOKED_AT)])
            found = self._seen[name] = np.union1d(self._seen[name], some) if name in self._seen else some
            if found.size > 1 << bits:
                self.wide = place(node)
                self.words = f"more than {1 << bits:,} different values that are priced at {bits} bit{'' if bits == 1 else 's'}"
