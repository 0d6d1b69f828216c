"""Where a node stands, for people: the module path that an exporter left with it, else the node's own name."""

from __future__ import annotations

import ast

import onnx

from micronet_verify.plugin import LONGEST

# Written by torch's exporter: the module paths from the whole model down to the operator, as a list in Python's spelling.
_SCOPES = "pkg.torch.onnx.name_scopes"


def place(node: onnx.NodeProto, path: str = "") -> str:
    """The module path that torch's exporters leave, in metadata or in the name (``layer1.0.conv1`` of
    ``/layer1/layer1.0/conv1/Conv``), else the node's name or first result.
    """
    name = _scope(node) or node.name or next((output for output in node.output if output), "")
    if not isinstance(name, str):  # protobuf hands out bytes where text is no UTF-8
        name = name.decode("utf-8", "replace")
    own = _module(name) if name.startswith("/") and name.count("/") > 1 else name
    text = "".join(letter if letter.isprintable() else "?" for letter in own)[:LONGEST]
    return f"{path}/{text}"[-LONGEST:] if path else text


def _scope(node: onnx.NodeProto) -> str:
    for item in node.metadata_props:
        if item.key == _SCOPES:
            try:
                scopes = ast.literal_eval(item.value)
                return str(scopes[-2])
            except (ValueError, SyntaxError, TypeError, LookupError, MemoryError, RecursionError):
                return ""
    return ""


def _module(name: str) -> str:
    parts: list[str] = []
    for part in name.strip("/").split("/")[:-1]:
        # torch.onnx names a child of a Sequential by its whole path: layer1, then layer1.0.
        if parts and part.startswith(f"{parts[-1]}."):
            parts.pop()
        parts.append(part)
    return ".".join(parts)
