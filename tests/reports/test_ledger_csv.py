from __future__ import annotations

import csv
import io
from fractions import Fraction

import pytest

from micronet_verify.counting.ledger import Ledger, LedgerLine
from micronet_verify.reports.ledger import COLUMNS, ledger_csv


def rows(ledger):
    return list(csv.DictReader(io.StringIO(ledger_csv(ledger))))


def line(**changes):
    keys = {"axis": "storage", "rule": "S1", "subject": "w", "scope": "conv", "quantity": Fraction(864), "bits": 3, "formula": "27·32"}
    return LedgerLine(**keys | changes)


@pytest.mark.parametrize("id", ["digits/dense-pytorch", "digits/int8-qdq-onnx"])
def test_the_rows_add_up_to_the_totals_and_no_row_is_a_sum(evaluations, id):
    ledger = evaluations[id].ledger
    found = rows(ledger)
    assert len(found) == len(ledger.lines)
    for axis, total in (("storage", ledger.storage), ("operations", ledger.operations)):
        assert sum(Fraction(row["amount"]) for row in found if row["axis"] == axis) == total > 0


def test_a_row_has_every_number_exact():
    (row,) = rows(Ledger("micronet-2019", "quantized", (line(),)))
    assert list(row) == list(COLUMNS)
    # 864 values of 3 bits are 864·3/32 words.
    assert row == {
        "axis": "storage", "rule": "S1", "scope": "conv", "subject": "w", "class": "", "formula": "27·32",
        "quantity": "864", "bits": "3", "unit price": "0.09375", "amount": "81", "note": "",
    }  # fmt: skip


def test_a_quantity_without_a_decimal_is_a_fraction():
    # A branch taken by one example of three.
    (row,) = rows(Ledger("e", "freebie", (line(quantity=Fraction(100, 3), bits=16),)))
    assert (row["quantity"], row["amount"]) == ("100/3", "50/3")
    assert Fraction(row["quantity"]) * Fraction(row["unit price"]) == Fraction(row["amount"])


def test_labels_of_entrants_start_no_formula_and_break_no_row():
    (row,) = rows(Ledger("e", "freebie", (line(subject='=HYPERLINK("http://x")', scope="+a\r\nb,c", note="-1", formula="@x"),)))
    assert (row["subject"], row["scope"], row["note"], row["formula"]) == ('\'=HYPERLINK("http://x")', "'+a b,c", "'-1", "'@x")


def test_every_ledger_of_the_samples_starts_no_formula(evaluations):
    for row in rows(evaluations["digits/dense-pytorch"].ledger):
        assert not any(text.startswith(("=", "+", "-", "@")) for text in row.values())


def test_same_ledger_same_bytes(evaluations):
    ledger = evaluations["digits/int8-qdq-onnx"].ledger
    assert ledger_csv(ledger) == ledger_csv(ledger)
    assert "\r" not in ledger_csv(ledger)
