"""The op table as text: the plugin's README shows it, and a test compares the two."""

from __future__ import annotations

from micronet_verify_tensorflow.op_table import TABLE, Refusal

BEGIN, END = "<!-- tensorflow operators: begin -->", "<!-- tensorflow operators: end -->"


def operators() -> str:
    """Markdown: the operators that are priced, that move data, and that are refused."""
    rows = ["| operator | treatment | note |", "|---|---|---|"]
    for name, line in sorted(TABLE.items()):
        if isinstance(line, Refusal):
            treatment, note = "refused", f"{line.reason}: {line.advice}" if line.advice else line.reason
        else:
            treatment, note = ("priced" if line.treatment == "priced" else "moves data"), line.note
        rows.append(f"| {name} | {treatment} | {note} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(operators())
