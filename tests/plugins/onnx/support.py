"""Builds small ONNX files, translates them, and compares the neutral graph with what onnxruntime computes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from micronet_verify_onnx.counter import OnnxCounter
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.refused import refused
from tests.scratch import scratch
from tests.translated import Translated, translated

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime

Array = NDArray[Any]
OPSET, IR = 17, 8
FREE = "batch"


def node(kind: str, inputs: str, outputs: str = "y", domain: str = "", **attributes: Any) -> onnx.NodeProto:
    """A node; names are separated by blanks, ``-`` is an absent operand."""
    names, results = (["" if name == "-" else name for name in text.split()] for text in (inputs, outputs))
    return helper.make_node(kind, names, results, domain=domain, name=f"the_{kind}", **attributes)


def info(name: str, shape: Sequence[int | str | None], kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def unknown(name: str, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    """An output whose shape nobody declares."""
    return helper.make_tensor_value_info(name, kind, None)


def graph(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    constants: Mapping[str, Array] | None = None,
    name: str = "g",
) -> onnx.GraphProto:
    for index, item in enumerate(nodes):
        if any(item.name == other.name for other in nodes[:index]):
            item.name += f"_{index}"
    tensors = [numpy_helper.from_array(np.asarray(array), key) for key, array in (constants or {}).items()]
    return helper.make_graph(list(nodes), name, list(inputs), list(outputs), tensors)


def x_to_y(
    nodes: Sequence[onnx.NodeProto], shape: Sequence[int], constants: Mapping[str, Array] | None = None, kind: int = TensorProto.FLOAT
) -> onnx.GraphProto:
    """A graph from x, examples of ``shape`` in a batch of any size, to y, whose shape nobody declares."""
    return graph(nodes, [info("x", (FREE, *shape), kind)], [unknown("y")], constants)


def model(
    body: onnx.GraphProto, opset: int = OPSET, ir: int = IR, domains: Mapping[str, int] | None = None, **more: Any
) -> onnx.ModelProto:
    opsets = [helper.make_opsetid(domain, version) for domain, version in {"": opset, **(domains or {})}.items()]
    return helper.make_model(body, opset_imports=opsets, ir_version=ir, **more)


def saved(proto: onnx.ModelProto, folder: Path | None = None) -> Path:
    path = (folder or scratch()) / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


def translate(path: Path) -> Translated:
    """The file's graph after the JSON of the sandbox wall, validated."""
    return translated(OnnxCounter(), path, scratch())


def problems(proto: onnx.ModelProto | Path) -> list[str]:
    """The sentences with which a model is refused."""
    return refused(translate, proto if isinstance(proto, Path) else saved(proto))


def execute(path: Path, feeds: Mapping[str, Array]) -> list[Array]:
    """What onnxruntime computes."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return [np.asarray(answer) for answer in session.run(None, dict(feeds))]


def compare(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Array],
    constants: Mapping[str, Array] | None = None,
    outputs: str = "y",
    opset: int = OPSET,
    exact: bool = True,
    domains: Mapping[str, int] | None = None,
    functions: Sequence[onnx.FunctionProto] = (),
    tolerance: float = 1e-5,
    kinds: int | Mapping[str, int] = TensorProto.FLOAT,
) -> Translated:
    """Translate the nodes as a model and compare shapes, and if ``exact`` numbers, with onnxruntime's answers.

    ``inputs`` are real examples of batch 1; the model declares their first axis free.
    """
    types = kinds if isinstance(kinds, Mapping) else dict.fromkeys(outputs.split(), kinds)
    given = [info(key, (FREE, *array.shape[1:]), helper.np_dtype_to_tensor_dtype(array.dtype)) for key, array in inputs.items()]
    wanted = [unknown(name, types[name]) for name in outputs.split()]
    ir = 13 if opset > 21 else 10 if opset > 19 else IR
    proto = model(graph(nodes, given, wanted, constants), opset, ir, domains, functions=list(functions))
    path = saved(proto)
    found = translate(path)
    answers = execute(path, inputs)
    assert found.shapes() == [answer.shape for answer in answers]
    if exact:
        for mine, theirs in zip(found.run(*inputs.values()), answers, strict=True):
            np.testing.assert_allclose(mine.astype(np.float64), theirs.astype(np.float64), rtol=tolerance, atol=tolerance)
    return found


def random(*shape: int, seed: int = 0, dtype: Any = np.float32) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def ints(*numbers: int) -> Array:
    return np.array(numbers, np.int64)
