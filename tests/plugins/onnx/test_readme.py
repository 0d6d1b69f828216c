"""The README lists the op table as it is, and the table covers ONNX."""

from __future__ import annotations

from pathlib import Path

import onnx
from micronet_verify_onnx.listing import BEGIN, END, operators
from micronet_verify_onnx.op_table import TABLE

from micronet_verify.framework.translation.table import Line

README = Path(__file__).parents[3] / "plugins" / "onnx" / "README.md"


def test_the_readme_lists_every_operator() -> None:
    text = README.read_text(encoding="utf-8")
    listed = text[text.index(BEGIN) + len(BEGIN) : text.index(END)].strip()
    assert listed == operators().strip(), "run python -m micronet_verify_onnx.listing and put its output between the marks"


def test_every_operator_of_onnx_up_to_opset_26_has_a_line() -> None:
    schemas = [schema for schema in onnx.defs.get_all_schemas_with_history() if schema.domain == "" and schema.since_version <= 26]
    missing = {schema.name for schema in schemas} - {name for domain, name in TABLE if domain == ""}
    assert missing == set()


def test_the_table_is_sorted_and_moves_give_their_reason() -> None:
    names = list(TABLE)
    assert [key for key in names if key[0] == ""] == sorted(key for key in names if key[0] == "")
    assert all(line.note for line in TABLE.values() if isinstance(line, Line) and line.treatment == "moves")
