"""What was measured of the constants of one model, kept for every pass and every reading of the rules that asks again."""

from __future__ import annotations

from dataclasses import dataclass, field

from micronet_verify.analysis.tensors.constants import Constant
from micronet_verify.analysis.tensors.measured import Measured


@dataclass(frozen=True, slots=True)
class Measurements:
    """Measured facts of constants by their output-channel axes, so that a tensor is scanned once however often it is used."""

    _found: dict[tuple[int, tuple[int, ...]], Measured] = field(default_factory=dict)

    def of(self, constant: Constant, axes: tuple[int, ...]) -> Measured:
        found = self._found.get((id(constant), axes))
        if found is None:
            found = self._found[id(constant), axes] = Measured(constant, axes)  # which keeps the constant, and so its id
        return found
