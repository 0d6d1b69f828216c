"""The README lists the op table as it is, and the table covers the operators of the schema but StableHLO's."""

from __future__ import annotations

from pathlib import Path

from ai_edge_litert import schema_py_generated as schema
from micronet_verify_tflite.listing import BEGIN, END, operators
from micronet_verify_tflite.op_table import TABLE
from micronet_verify_tflite.schema import OPERATORS, OPTIONS, TYPES

from micronet_verify.framework.translation.table import Line

README = Path(__file__).parents[3] / "plugins" / "tensorflow" / "README.md"


def numbers(kind: object) -> dict[str, int]:
    return {name: value for name, value in vars(kind).items() if not name.startswith("_")}


def test_the_readme_lists_every_operator() -> None:
    text = README.read_text(encoding="utf-8")
    listed = text[text.index(BEGIN) + len(BEGIN) : text.index(END)].strip()
    assert listed == operators().strip(), "run python -m micronet_verify_tflite.listing and put its output between the marks"


def test_every_operator_of_the_schema_has_a_line() -> None:
    without = {"CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES", "CONCAT_EMBEDDINGS", "DILATE", "REDUCE_WINDOW"}
    missing = {name for name in OPERATORS if not name.startswith("STABLEHLO")} - set(TABLE)
    assert missing == without


def test_the_table_is_sorted_and_moves_give_their_reason() -> None:
    assert list(TABLE) == sorted(TABLE)
    assert all(line.note for line in TABLE.values() if isinstance(line, Line) and line.treatment == "moves")


def test_numbers_are_those_of_the_schema() -> None:
    assert {name: number for number, name in enumerate(OPERATORS)} == numbers(schema.BuiltinOperator)
    assert {name.upper() for name in TYPES.values()} <= set(numbers(schema.TensorType))
    assert all(numbers(schema.TensorType)[name.upper()] == number for number, name in TYPES.items())
    assert {number for number, _ in OPTIONS.values()} <= set(numbers(schema.BuiltinOptions).values())
