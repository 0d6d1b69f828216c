"""The op table as text: the plugin's README shows it, and a test compares the two."""

from __future__ import annotations

from micronet_verify.plugin import markdown
from micronet_verify_onnx.op_table import BREVITAS, MS, QONNX, TABLE

BEGIN, END = "<!-- operators: begin -->", "<!-- operators: end -->"
_DOMAINS = {"": "ONNX (`ai.onnx`, opset 7 to 26)", MS: "onnxruntime (`com.microsoft`)", QONNX: f"QONNX (`{QONNX}`, `{BREVITAS}`)"}


def operators() -> str:
    """Markdown: for each domain the operators that are priced, that move data, and that are refused."""
    parts = []
    for domain, title in _DOMAINS.items():
        lines = sorted((name, line) for (found, name), line in TABLE.items() if found == domain)
        parts.append(f"### {title}\n\n{markdown(lines)}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    print(operators())
