"""Scopes that exporters leave with a node: in its name, or in its metadata."""

from __future__ import annotations

import onnx
import pytest
from micronet_verify_onnx.places import place
from onnx import helper


def node(name: str, scopes: str | None = None) -> onnx.NodeProto:
    made = helper.make_node("Conv", ["x", "w"], ["y"], name=name)
    if scopes is not None:
        made.metadata_props.add(key="pkg.torch.onnx.name_scopes", value=scopes)
    return made


@pytest.mark.parametrize(
    ("made", "scope"),
    [
        (node("/layer1/layer1.0/conv1/Conv"), "layer1.0.conv1"),
        (node("node_Conv_393", "['', 'features', 'features.0', 'conv2d']"), "features.0"),
        (node("node_relu", "['', 'relu']"), "node_relu"),
        (node("node_Conv_1", "['', __import__('os')]"), "node_Conv_1"),
        (node("node_Conv_2", "not a list"), "node_Conv_2"),
        (node("node_Conv_3", "[]"), "node_Conv_3"),
        (node("head"), "head"),
        (node(""), "y"),
    ],
)
def test_the_module_path_is_found(made: onnx.NodeProto, scope: str) -> None:
    assert place(made) == scope
