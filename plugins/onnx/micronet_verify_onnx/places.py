"""Where a node stands, for people: the module path that an exporter left in its name, else the name itself."""

from __future__ import annotations

import onnx

_LONGEST = 120


def place(node: onnx.NodeProto, path: str = "") -> str:
    """``layer1.0.conv1`` of ``/layer1/layer1.0/conv1/Conv`` (torch.onnx), else the node's name or first result."""
    name = node.name or next((output for output in node.output if output), "")
    if not isinstance(name, str):  # protobuf hands out bytes where text is no UTF-8
        name = name.decode("utf-8", "replace")
    own = _module(name) if name.startswith("/") and name.count("/") > 1 else name
    text = "".join(letter if letter.isprintable() else "?" for letter in own)[:_LONGEST]
    return f"{path}/{text}"[-_LONGEST:] if path else text


def _module(name: str) -> str:
    parts: list[str] = []
    for part in name.strip("/").split("/")[:-1]:
        # torch.onnx names a child of a Sequential by its whole path: layer1, then layer1.0.
        if parts and part.startswith(f"{parts[-1]}."):
            parts.pop()
        parts.append(part)
    return ".".join(parts)
