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

from micronet_verify.analysis.tensors.constants import Constant
from micronet_verify.analysis.values.codes import NO_CODES, CodeFacts
from micronet_verify.analysis.values.loop_inputs import Pairs
from micronet_verify.analysis.values.operand_widths import find_widths
from micronet_verify.analysis.values.width import UNWRITTEN, Width
from micronet_verify.facts.graph import Graph


@dataclass(frozen=True, slots=True)
class Carried:
    """A graph that is a step. ``initial``: states before the first token, by the label of the input; zeros where there are none."""

    initial: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def pairs(self, graph: Graph) -> Pairs:
        """(input, output) of every state."""
        return tuple(zip(graph.inputs[1:], graph.outputs[1:], strict=True))

    def widths(self, graph: Graph, constants: Mapping[str, Constant], codes: CodeFacts = NO_CODES) -> dict[str, Width]:
        """States that are narrower than their format, because every token's are dequantized codes of one scale, and the first ones zero.

        A state that is shifted (a cache of keys: the oldest dropped, the newest appended) is as wide as what is appended.
        """
        pairs = self.pairs(graph)
        written = find_widths(graph, constants, codes, {before: UNWRITTEN for before, _ in pairs})
        found: dict[str, Width] = {}
        for before, after in pairs:
            width, initial = written.get(after), self.initial.get(graph.values[before].label)
            if width is None or width is UNWRITTEN or (initial is not None and np.any(initial)):
                continue
            if width.scale in graph.values and width.scale not in constants:
                continue  # the scale is computed for every token anew
            if width.bits < graph.values[before].format.bits and (width.low is None or width.high is None or width.low <= 0 <= width.high):
                found[before] = width
        while True:
            again = find_widths(graph, constants, codes, found)
            kept = {name: found[name] for name, after in pairs if name in found and again[after] == found[name]}
            if kept == found:
                return found
            found = kept
