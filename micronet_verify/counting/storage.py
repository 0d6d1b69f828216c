"""Storage lines (rules S1 to S8): every value that inference needs, once, in its cheapest honest form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from micronet_verify.counting.forms.cheapest import freebie_form, quantized_form
from micronet_verify.counting.forms.form import Extra, Form
from micronet_verify.counting.inventory import Inventory
from micronet_verify.counting.ledger import LedgerLine, Regime
from micronet_verify.counting.notes import free_line
from micronet_verify.counting.overlaps import Overlaps, Stored
from micronet_verify.counting.scalars import Scalar
from micronet_verify.track.rules import CountingRules
from micronet_verify.wording.numbers import many


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
        yield free_line("storage", "S4", label, scope, f"stored once, as {first}")
    for subject, scope, values, mask in inventory.permutations.values():
        yield stored_line("O9", subject, scope, values, 1, many(values, "non-zero"), "permutation matrix")
        yield stored_line("O9", subject, scope, mask, 1, many(mask, "mask bit"), "permutation matrix")
    yield from _literal_lines(inventory, regime)


def stored_line(rule: str, subject: str, scope: str, quantity: int, bits: int, formula: str, note: str = "") -> LedgerLine:
    """A charge of storage: ``quantity`` of ``bits`` each."""
    return LedgerLine(
        axis="storage", rule=rule, subject=subject, scope=scope, quantity=Fraction(quantity), bits=bits, formula=formula, note=note
    )


def _tensor_lines(stored: Stored, form: Form, regime: Regime) -> Iterator[LedgerLine]:
    constant, scope = stored.measured.constant, stored.scope
    shape = "×".join(map(str, constant.shape)) or "scalar"
    rule = "S5" if regime == "freebie" else {"codebook": "S8"}.get(form.kind, "S1")
    taken = many(form.values, "value") if not form.masked else f"{form.values:,} kept of {many(constant.numel, 'value')}"
    note = "; ".join(filter(None, [stored.note, _why(form, regime)]))

    def line(rule: str, quantity: int, bits: int, formula: str, note: str = "") -> LedgerLine:
        return stored_line(rule, constant.label, scope, quantity, bits, formula, note)

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
        yield stored_line("S2", "scalars", "", len(numbers), bits, f"{len(numbers):,} different: {shown}")
