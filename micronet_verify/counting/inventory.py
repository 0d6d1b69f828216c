"""What inference needs, gathered node by node (rules S1 to S4): tensors once, numbers once, permutations once."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from micronet_verify.analysis.tensors.measured import Measured
from micronet_verify.analysis.tensors.screen_many import screen_many
from micronet_verify.analysis.values.zero_signs import negative_zeros
from micronet_verify.counting.forms.form import Form
from micronet_verify.counting.ledger import LedgerLine, Regime
from micronet_verify.counting.overlaps import Overlaps, Stored, without_overlaps
from micronet_verify.counting.scalars import Key, Scalar, offset_of, scalar, scalar_of
from micronet_verify.counting.twins import without_twins
from micronet_verify.facts.formats import FLOAT32, NumericFormat


@dataclass
class Inventory:
    """What inference needs, gathered node by node; ``tied`` holds later uses of what is already there (S4).

    ``said``: keys of constants that other lines or the operator say: indices of a permutation matrix or a move, variances of 1.
    ``told``: names of constants the signs of whose zeros are told apart. ``lines``: of what is stored, in forms asked for before.
    """

    tensors: dict[str, Stored] = field(default_factory=dict)
    tied: list[tuple[str, str, str]] = field(default_factory=list)
    literals: dict[Key, Scalar] = field(default_factory=dict)
    permutations: dict[str, tuple[str, str, int, int]] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)
    said: set[str] = field(default_factory=set)
    told: frozenset[str] = frozenset()
    lines: dict[tuple[int, Regime, Form], tuple[LedgerLine, ...]] = field(default_factory=dict, repr=False)

    def add(self, name: str, measured: Measured, scope: str, note: str = "") -> None:
        """A use of the constant called ``name`` by a node of ``scope``."""
        constant = measured.constant
        if constant.parts:
            for part in constant.parts:
                inner = f"{name}/{part.key}"
                self.told |= {inner} if name in self.told else set()  # copies of zeros are told apart as those are
                self.add(inner, Measured(part), scope, note)
            return
        if constant.numel == 0:
            return
        if constant.numel == 1 and constant.codes is None:
            self._keep(scalar_of(constant))
            return
        signs = negative_zeros(np.asarray(constant.load())) if name in self.told else 0
        if measured.all_zero and not signs:
            return  # a tensor of zeros (an initial state, an unused bias) is the number 0, spelled out
        first = self.seen.setdefault(constant.key, name)
        if first != name:
            self.tied.append((constant.label, scope, self.tensors[constant.key].measured.constant.label))
        elif constant.key not in self.tensors:
            self.tensors[constant.key] = Stored(measured, scope, note, signs)

    @cached_property
    def gathered(self) -> Overlaps:
        """What is stored, and what is not because the same values are (S4); asked for when everything is there."""
        found = without_overlaps(list(self.tensors.values()))
        kept, twins = without_twins(found.kept)
        screen_many(stored.measured for stored in kept)
        covered = [(twin.stored.measured.constant.label, twin.stored.scope, twin.of.measured.constant.label) for twin in twins]
        return Overlaps(kept, found.groups, [*found.covered, *covered], twins)

    def permutation(self, key: str, subject: str, scope: str, values: int, mask: int) -> None:
        """A permutation matrix of ``values`` ones under ``mask`` bits; equal ones are stored once (O9, S4)."""
        if key in self.permutations:
            self.tied.append((f"permutation of {subject}", scope, f"the one of {self.permutations[key][0]}"))
        else:
            self.permutations[key] = (subject, scope, values, mask)

    def literal(self, number: float, label: str, fmt: NumericFormat = FLOAT32) -> None:
        """A number that stands in an operator that computes in ``fmt``."""
        self._keep(scalar(number, label, fmt))

    def offset(self, name: str, measured: Measured, scope: str, bits: int) -> None:
        """Zero points of codes of ``bits``, which are none where all of them are 0."""
        if measured.constant.numel == 1 and measured.constant.format.is_integer:
            self._keep(offset_of(measured.constant, bits))
        else:
            self.add(name, measured, scope)

    def _keep(self, found: Scalar | None) -> None:
        """Once per model, and as wide as its narrowest use says."""
        if found is not None and (found.key not in self.literals or found.bits < self.literals[found.key].bits):
            self.literals[found.key] = found
