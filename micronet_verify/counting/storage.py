"""Storage lines (rules S1 to S8): every value that inference needs, once, in its cheapest honest form."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.tensors.constants import Constant
from micronet_verify.analysis.tensors.measured import Measured
from micronet_verify.analysis.tensors.scan import BLOCK, flattened
from micronet_verify.analysis.tensors.screen_many import screen_many
from micronet_verify.analysis.values.zero_signs import negative_zeros
from micronet_verify.counting.forms.cheapest import freebie_form, quantized_form
from micronet_verify.counting.forms.form import Extra, Form
from micronet_verify.counting.ledger import LedgerLine, Regime
from micronet_verify.counting.overlaps import Overlaps, Stored, Twin, without_overlaps
from micronet_verify.counting.scalars import Key, Scalar, offset_of, scalar, scalar_of
from micronet_verify.facts.formats import FLOAT32, NumericFormat
from micronet_verify.track.rules import CountingRules
from micronet_verify.wording.numbers import many

# Longer tensors, of which no file holds many, are told apart by their ends before they are compared.
_DIGESTED = 1 << 16


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
        kept, twins = _without_twins(found.kept)
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


def alternatives(found: Overlaps, regime: Regime, rules: CountingRules) -> list[Stored]:
    """What is stored: of overlapping parts what is less, their union or the whole."""
    cheapest = [min(group, key=lambda stored: sum(form_of(one, regime, rules).bits for one in stored)) for group in found.groups]
    return [*found.kept, *(one for group in cheapest for one in group)]


def form_of(stored: Stored, regime: Regime, rules: CountingRules) -> Form:
    """The form in which a tensor is charged."""
    if stored.signs == stored.measured.constant.numel:
        return Form("signs of zeros", stored.signs, 1)
    form = freebie_form(stored.measured, rules) if regime == "freebie" else quantized_form(stored.measured, rules)
    return form if not stored.signs else replace(form, extras=(*form.extras, Extra("S2", "sign of a zero", stored.signs, 1)))


def storage_lines(inventory: Inventory, regime: Regime, rules: CountingRules) -> Iterator[LedgerLine]:
    """One line per part of each stored tensor (values, mask, scales, codebook), then tied ones at 0, then literals."""

    found = inventory.gathered
    for stored in alternatives(found, regime, rules):
        form = form_of(stored, regime, rules)
        lines = inventory.lines.get((id(stored), regime, form))
        if lines is None:
            lines = inventory.lines[id(stored), regime, form] = tuple(_tensor_lines(stored, form, regime))
        yield from lines
    for label, scope, first in [*inventory.tied, *found.covered]:
        yield LedgerLine("storage", "S4", label, scope, Fraction(0), 0, "0", f"stored once, as {first}")
    for subject, scope, values, mask in inventory.permutations.values():
        yield LedgerLine("storage", "O9", subject, scope, Fraction(values), 1, many(values, "non-zero"), "permutation matrix")
        yield LedgerLine("storage", "O9", subject, scope, Fraction(mask), 1, many(mask, "mask bit"), "permutation matrix")
    yield from _literal_lines(inventory, regime)


def _tensor_lines(stored: Stored, form: Form, regime: Regime) -> Iterator[LedgerLine]:
    constant, scope = stored.measured.constant, stored.scope
    shape = "×".join(map(str, constant.shape)) or "scalar"
    rule = "S5" if regime == "freebie" else {"codebook": "S8"}.get(form.kind, "S1")
    taken = many(form.values, "value") if not form.masked else f"{form.values:,} kept of {many(constant.numel, 'value')}"
    note = "; ".join(filter(None, [stored.note, _why(form, regime)]))

    def line(rule: str, quantity: int, bits: int, formula: str, note: str = "") -> LedgerLine:
        return LedgerLine("storage", rule, constant.label, scope, Fraction(quantity), bits, formula, note)

    if form.mixed:
        for bits, values in form.mixed:
            if bits * values:
                yield line(
                    rule, values, bits, f"{shape}: {values:,} of {many(constant.numel, 'value')} × {bits} bit", f"{note}, widths by row"
                )
    else:
        yield line(rule, form.values, form.value_bits, f"{shape}: {taken} × {form.value_bits} bit", note)
    if form.mask_bits:
        block = f", blocks of {'×'.join(map(str, form.block))}" if form.block else ""
        yield line("S3", form.mask_bits, 1, f"{many(form.mask_bits, 'mask bit')}{block}")
    if form.overhead_count:
        count, codebook = form.overhead_count, form.kind == "codebook"
        if form.vector:
            table = f"table of {count // form.vector:,} vectors of {form.vector} values"
            yield line("S2", count, form.overhead_bits, f"{table} × {form.overhead_bits} bit")
            return
        what, rule = (f"{count:,} codebook {'entry' if count == 1 else 'entries'}", "S8") if codebook else (many(count, "scale"), "S2")
        yield line(rule, form.overhead_count, form.overhead_bits, f"{what} × {form.overhead_bits} bit")
    for extra in form.extras:
        yield line(extra.rule, extra.number, extra.bits, f"{many(extra.number, extra.what)} × {extra.bits} bit")
    if form.zero_point_bits:
        yield line("S2", form.zero_point_bits, 1, f"{many(form.zero_point_bits, 'bit')} of zero points")


def _why(form: Form, regime: Regime) -> str:
    if regime == "freebie":
        return "masked" if form.masked else ""
    words = {
        "plain": "",
        "half": "fp16 holds every value",
        "range": "integers of this range",
        "grid": "on one grid",
        "codebook": "codebook",
        "vectors": "codebook of vectors",
        "signs of zeros": "zeros whose signs are told apart",
    }
    said = words.get(form.kind, form.kind.replace("grid", "on a grid"))
    return ", ".join(filter(None, [said, "masked" if form.masked else ""]))


def _literal_lines(inventory: Inventory, regime: Regime) -> Iterator[LedgerLine]:
    by_width: dict[int, list[Scalar]] = {}
    for found in sorted(inventory.literals.values(), key=lambda one: (isinstance(one.key, tuple), one.key)):
        by_width.setdefault(found.freebie_bits if regime == "freebie" else found.bits, []).append(found)
    for bits, numbers in sorted(by_width.items()):
        shown = ", ".join(number.shown for number in numbers[:6]) + (" …" if len(numbers) > 6 else "")
        yield LedgerLine("storage", "S2", "scalars", "", Fraction(len(numbers)), bits, f"{len(numbers):,} different: {shown}")


def _without_twins(tensors: list[Stored]) -> tuple[list[Stored], list[Twin]]:
    """Tensors of equal values are stored once (S4), as an export that lost the tie would otherwise pay twice."""
    kept: list[Stored] = []
    twins: list[Twin] = []
    kinds = [_kind(stored.measured.constant) for stored in tensors]
    often = Counter(kinds)
    kinds = [kind if often[kind] == 1 else (*kind, _ends(stored.measured.constant)) for stored, kind in zip(tensors, kinds, strict=True)]
    often = Counter(kinds)
    groups: dict[tuple[object, ...], list[Stored]] = {}
    for stored, kind in zip(tensors, kinds, strict=True):
        constant = stored.measured.constant
        digests = [kind] if often[kind] == 1 else [(*kind, *digest) for digest in _digests(stored)]
        group = groups.get(digests[0], [])
        twin = next((other for other in group if _same_signs(stored, other) and _same_values(constant, other.measured.constant)), None)
        if twin is None:
            for digest in dict.fromkeys(digests):
                groups.setdefault(digest, []).append(stored)
            kept.append(stored)
        else:
            twins.append(Twin(stored, twin))
    return kept, twins


def _kind(constant: Constant) -> tuple[object, ...]:
    return constant.numel, constant.format.name, constant.codes is None, constant.row_scale is None


def _ends(constant: Constant) -> bytes:
    """The first and the last value, which tell most tensors apart before all of their values are read."""
    if constant.codes is not None:
        return b""
    array = np.asarray(constant.load())
    return (np.array([array.item(0), array.item(-1)], np.float64) + 0).tobytes()


def _digests(stored: Stored) -> list[tuple[object, ...]]:
    """What a tensor has in common with those of equal values, then what a matrix has in common with those that it is the transpose of."""
    constant = stored.measured.constant
    array = np.asarray(constant.load())
    if constant.numel > _DIGESTED:
        return [(float(array.item(0)), float(array.item(-1)))]
    signs = (array.shape, _digest(np.signbit(array))) if stored.signs else ()
    turned = [(_digest(array.T), signs)] if array.ndim == 2 and constant.codes is None else []
    return [(_digest(array), signs), *turned]


def _digest(array: NDArray[Any]) -> bytes:
    wide = array.astype(np.float64) if array.dtype.itemsize < 4 else array
    return hashlib.blake2b(np.ascontiguousarray(wide + 0).tobytes()).digest()  # + 0: zeros are equal whatever their sign


def _same_signs(one: Stored, other: Stored) -> bool:
    """Whether zeros whose signs are told have the same ones."""
    if not one.signs and not other.signs:
        return True
    a, b = (np.asarray(stored.measured.constant.load()) for stored in (one, other))
    return one.signs == other.signs and a.shape == b.shape and bool(np.array_equal(np.signbit(a), np.signbit(b)))


def _same_values(one: Constant, other: Constant) -> bool:
    """Equal values in equal order; where the shapes differ, also a matrix and its transpose, which an exporter may write twice."""
    plain = one.codes is None and one.row_scale is None
    if one.shape != other.shape and not plain:
        return False
    if one.row_scale is not None and not np.array_equal(one.row_scale, other.row_scale):  # type: ignore[arg-type]
        return False
    if one.codes is not None and other.codes is not None:
        corner = (slice(0, 4),) * len(one.shape)
        if not np.array_equal(one.codes.values(corner), other.codes.values(corner)):
            return False
    first, second = one.load(), other.load()
    a, b = flattened(first), flattened(second)
    # Most pairs differ in their first values, so a short look comes first.
    if np.array_equal(a[:64], b[:64]) and all(np.array_equal(a[s : s + BLOCK], b[s : s + BLOCK]) for s in range(0, a.size, BLOCK)):
        return True
    return plain and len(one.shape) == 2 and one.shape == other.shape[::-1] and _transposed(first, second)


def _transposed(a: NDArray[Any], b: NDArray[Any]) -> bool:
    if not np.array_equal(a[0, :64], b[:64, 0]):
        return False
    step = max(1, BLOCK // a.shape[1])
    return all(np.array_equal(a[s : s + step], b[:, s : s + step].T) for s in range(0, a.shape[0], step))
