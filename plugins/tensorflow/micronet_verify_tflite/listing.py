"""The op table as text: the README shows it, and a test compares the two."""

from __future__ import annotations

from micronet_verify_tflite.op_table import TABLE, Refusal

BEGIN, END = "<!-- tflite operators: begin -->", "<!-- tflite operators: end -->"


def operators() -> str:
    """Markdown: the operators that are priced, that move data, and that are refused."""
    lines = ["| operator | treatment | note |", "|---|---|---|"]
    for name, line in sorted(TABLE.items()):
        if isinstance(line, Refusal):
            treatment, note = "refused", f"{line.reason}: {line.advice}" if line.advice else line.reason
        else:
            treatment, note = ("priced" if line.treatment == "priced" else "moves data"), line.note
        lines.append(f"| {name} | {treatment} | {note} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(operators())
