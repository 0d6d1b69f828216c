"""The ledger as CSV: every line, exact, and no sum among them: the rows of an axis add up to its total."""

from __future__ import annotations

import csv
import io
from fractions import Fraction

from micronet_verify.counting.ledger import Ledger
from micronet_verify.reports.texts import cell
from micronet_verify.wording.numbers import exact_decimal

COLUMNS = ("axis", "rule", "scope", "subject", "class", "formula", "quantity", "bits", "unit price", "amount", "note")


def ledger_csv(ledger: Ledger) -> str:
    """One row per line in the ledger's order. ``unit price`` is bits / 32, ``amount`` quantity × unit price; both are exact,
    as decimals or, where there is none, as ``numerator/denominator``."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in ledger.lines:
        told = (line.axis, line.rule, line.scope, line.subject, line.operation, line.formula)
        numbers = (exact_decimal(line.quantity), str(line.bits), exact_decimal(Fraction(line.bits, 32)), exact_decimal(line.amount))
        writer.writerow([*map(cell, told), *numbers, cell(line.note)])
    return text.getvalue()
