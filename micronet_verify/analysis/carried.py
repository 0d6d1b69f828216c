"""What the states of a step are, from one token to the next: its outputs 1, 2 … are its inputs 1, 2 … when the next token comes.

Unrolled over the text, a step is one long graph, and it is priced as that graph would be: a state is as wide as what was written
into it, and a token that is kept in a state is still a token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.constants import Constant
from micronet_verify.analysis.widths import Width, widths
from micronet_verify.facts.graph import Graph

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Carried:
    """A graph that is a step. ``initial``: states before the first token, by the label of the input; zeros where there are none."""

    initial: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def pairs(self, graph: Graph) -> Pairs:
        """(input, output) of every state."""
        return tuple(zip(graph.inputs[1:], graph.outputs[1:], strict=True))

    def widths(self, graph: Graph, constants: Mapping[str, Constant]) -> dict[str, Width]:
        """States that are narrower than their format, because every token's are dequantized codes of one scale, and the first ones zero."""
        plain = widths(graph, constants)
        found: dict[str, Width] = {}
        for before, after in self.pairs(graph):
            width, initial = plain.get(after), self.initial.get(graph.values[before].label)
            if width is None or width.bits >= plain[before].bits or (initial is not None and np.any(initial)):
                continue
            if width.low is None or width.high is None or width.low <= 0 <= width.high:
                found[before] = width
        again = widths(graph, constants, found)
        outputs = dict(self.pairs(graph))
        return {name: width for name, width in found.items() if again[outputs[name]] == width}
