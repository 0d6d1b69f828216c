"""The op table as text: the plugin's README shows it, and a test compares the two."""

from __future__ import annotations

from micronet_verify.plugin import markdown
from micronet_verify_tensorflow.op_table import TABLE

BEGIN, END = "<!-- tensorflow operators: begin -->", "<!-- tensorflow operators: end -->"


def operators() -> str:
    """Markdown: the operators that are priced, that move data, and that are refused."""
    return markdown(sorted(TABLE.items()))


if __name__ == "__main__":
    print(operators())
