"""Builds small ONNX files, translates them, and compares the neutral graph with what onnxruntime computes."""

from __future__ import annotations

import atexit
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from micronet_verify_onnx.counter import OnnxCounter
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from micronet_verify.errors import SubmissionFault
from micronet_verify.facts.graph import Graph, Node
from micronet_verify.facts.serde import dump_graph, load_graph
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.facts.validate import validate
from micronet_verify.framework.builder import GraphBuilder
from tests.executed import Executed

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime

Array = NDArray[Any]
OPSET, IR = 17, 8
# One folder for all files of a run, removed at its end.
_SCRATCH = tempfile.TemporaryDirectory(prefix="micronet-onnx-")
atexit.register(_SCRATCH.cleanup)
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


def model(
    body: onnx.GraphProto, opset: int = OPSET, ir: int = IR, domains: Mapping[str, int] | None = None, **more: Any
) -> onnx.ModelProto:
    opsets = [helper.make_opsetid(domain, version) for domain, version in {"": opset, **(domains or {})}.items()]
    return helper.make_model(body, opset_imports=opsets, ir_version=ir, **more)


def scratch() -> Path:
    """A new empty folder."""
    return Path(tempfile.mkdtemp(dir=_SCRATCH.name))


def saved(proto: onnx.ModelProto, folder: Path | None = None) -> Path:
    path = (folder or scratch()) / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


@dataclass
class Translated:
    """A translated file: the graph as the judge gets it, and where its constants lie."""

    path: Path
    sidecar: Path
    graph: Graph

    @property
    def nodes(self) -> tuple[Node, ...]:
        return self.graph.nodes

    @property
    def kinds(self) -> list[str]:
        """``kind`` or ``kind:op`` of each node, in order."""
        return [f"{n.kind}:{n.attributes['op']}" if "op" in n.attributes else n.kind for n in self.graph.nodes]

    @property
    def work(self) -> list[str]:
        """The same without what only moves data."""
        return [kind for kind in self.kinds if not kind.startswith("move")]

    def shapes(self) -> list[tuple[int, ...]]:
        return [self.graph.values[name].shape for name in self.graph.outputs]

    def store(self) -> ConstantStore:
        return ConstantStore(self.path.parent, self.sidecar)

    def constants(self) -> dict[str, Array]:
        """Every constant by label."""
        store = self.store()
        return {
            value.label: np.array(store.open(value.constant, value.shape, value.format))
            for value in self.graph.values.values()
            if value.constant is not None
        }

    def run(self, feeds: Sequence[Array]) -> list[Array]:
        return Executed(self.graph, self.store()).run(*feeds)


def translate(path: Path) -> Translated:
    """The file's graph after the JSON of the sandbox wall, validated."""
    sidecar = scratch()
    found = load_graph(dump_graph(OnnxCounter().translate(path, GraphBuilder(sidecar))))
    validate(found)
    return Translated(path, sidecar, found)


def problems(proto: onnx.ModelProto | Path) -> list[str]:
    """The sentences with which a model is refused."""
    path = proto if isinstance(proto, Path) else saved(proto)
    try:
        translate(path)
    except SubmissionFault as fault:
        return [str(problem) for problem in fault.problems]
    raise AssertionError("the model was not refused")


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
        for mine, theirs in zip(found.run(list(inputs.values())), answers, strict=True):
            np.testing.assert_allclose(mine.astype(np.float64), theirs.astype(np.float64), rtol=tolerance, atol=tolerance)
    return found


def random(*shape: int, seed: int = 0, dtype: Any = np.float32) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def ints(*numbers: int) -> Array:
    return np.array(numbers, np.int64)
