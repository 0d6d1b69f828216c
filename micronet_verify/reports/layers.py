"""A ledger by layer: the lines of one module together, and each layer's and each line's share of the score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from micronet_verify.counting.ledger import Axis, Ledger, LedgerLine
from micronet_verify.track.track import Baseline

WHOLE = "the whole model"


@dataclass(frozen=True)
class Layer:
    """The lines of one module; ``name`` is its scope."""

    name: str
    lines: tuple[LedgerLine, ...]

    @cached_property
    def storage(self) -> Fraction:
        """32-bit words."""
        return self._sum("storage")

    @cached_property
    def operations(self) -> Fraction:
        """32-bit operations per example."""
        return self._sum("operations")

    def _sum(self, axis: Axis) -> Fraction:
        return sum((line.amount for line in self.lines if line.axis == axis), Fraction(0))


@dataclass(frozen=True, slots=True)
class Scale:
    """What makes shares of amounts.

    With a track's ``baseline``, a share is of the score: both axes are one scale. Without, each axis is compared with
    its own total, and the shares of one axis add up to 1.
    """

    storage: Fraction
    operations: Fraction
    baseline: Baseline | None = None

    @classmethod
    def of(cls, ledger: Ledger, baseline: Baseline | None = None) -> Scale:
        if baseline is None:
            return cls(ledger.storage, ledger.operations)
        score = ledger.storage / baseline.parameters + ledger.operations / baseline.operations
        return cls(score * baseline.parameters, score * baseline.operations, baseline)

    def share(self, storage: Fraction, operations: Fraction) -> Fraction:
        """The share of the score; of both axes' shares the mean where there is no baseline. 0 of nothing."""
        parts = (
            (storage / self.storage if self.storage else Fraction(0)),
            (operations / self.operations if self.operations else Fraction(0)),
        )
        return sum(parts) if self.baseline is not None else sum(parts) / 2  # type: ignore[return-value]

    def of_line(self, line: LedgerLine) -> Fraction:
        return self.share(line.amount, Fraction(0)) if line.axis == "storage" else self.share(Fraction(0), line.amount)


def layers(ledger: Ledger, depth: int | None = None) -> list[Layer]:
    """Every line of the ledger in exactly one layer. Layers in the order in which the model computes them; what belongs to
    no module comes last. ``depth``: modules are told apart by only so many parts of their path."""
    found: dict[str, list[LedgerLine]] = {}
    for axis in ("operations", "storage"):
        found |= {_module(line, depth): [] for line in ledger.lines if line.axis == axis and _module(line, depth) not in found}
    for line in ledger.lines:
        found[_module(line, depth)].append(line)
    loose = found.pop("", None)
    grouped = [Layer(scope, tuple(lines)) for scope, lines in found.items()]
    return [*grouped, Layer(WHOLE, tuple(loose))] if loose else grouped


def _module(line: LedgerLine, depth: int | None) -> str:
    return line.scope if depth is None else ".".join(line.scope.split(".")[:depth])


def dearest_layers(found: Sequence[Layer], scale: Scale, most: int | None = None) -> list[Layer]:
    """Layers by share, the largest first; of equal ones the earlier."""
    return sorted(found, key=lambda layer: -scale.share(layer.storage, layer.operations))[:most]


def dearest_lines(ledger: Ledger, scale: Scale, most: int) -> list[LedgerLine]:
    """The lines that charge most, by their share; never a line that charges nothing."""
    charged = [line for line in ledger.lines if line.amount]
    return sorted(charged, key=lambda line: -scale.of_line(line))[:most]
