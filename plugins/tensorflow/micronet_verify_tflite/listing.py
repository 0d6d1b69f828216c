"""The op table as text: the README shows it, and a test compares the two."""

from __future__ import annotations

from micronet_verify.plugin import markdown
from micronet_verify_tflite.op_table import TABLE

BEGIN, END = "<!-- tflite operators: begin -->", "<!-- tflite operators: end -->"


def operators() -> str:
    """Markdown: the operators that are priced, that move data, and that are refused."""
    return markdown(sorted(TABLE.items()))


if __name__ == "__main__":
    print(operators())
