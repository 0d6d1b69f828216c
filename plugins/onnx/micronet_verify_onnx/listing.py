"""The op table as text: the plugin's README shows it, and a test compares the two."""

from __future__ import annotations

from micronet_verify_onnx.op_table import BREVITAS, MS, QONNX, TABLE, Refusal

BEGIN, END = "<!-- operators: begin -->", "<!-- operators: end -->"
_DOMAINS = {"": "ONNX (`ai.onnx`, opset 7 to 26)", MS: "onnxruntime (`com.microsoft`)", QONNX: f"QONNX (`{QONNX}`, `{BREVITAS}`)"}


def operators() -> str:
    """Markdown: for each domain the operators that are priced, that move data, and that are refused."""
    parts = []
    for domain, title in _DOMAINS.items():
        parts.append(f"### {title}\n\n| operator | treatment | note |\n|---|---|---|")
        for (found, name), line in sorted(TABLE.items()):
            if found != domain:
                continue
            if isinstance(line, Refusal):
                treatment, note = "refused", f"{line.reason}: {line.advice}" if line.advice else line.reason
            else:
                treatment, note = ("priced" if line.treatment == "priced" else "moves data"), line.note
            parts.append(f"| {name} | {treatment} | {note} |")
        parts.append("")
    return "\n".join(parts)


if __name__ == "__main__":
    print(operators())
