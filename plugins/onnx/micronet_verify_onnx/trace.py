"""Compares the inferred shapes with those that onnxruntime computes: a ``Shape`` behind every value, and one example.

The counter infers every shape and believes none that a file declares. Where what runs has another shape, one of the two is
wrong and the count with it. Only sizes are kept of what is computed, so the run needs the memory that any run needs, and large
weights stay in the file: the session maps them where they lie.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from micronet_verify.plugin import BenchFault, GraphBuilder, Problem, Shape, SubmissionFault
from micronet_verify_onnx.places import place
from micronet_verify_onnx.session import fed_input, open_plain
from micronet_verify_onnx.skeleton import Extent, Skeleton
from micronet_verify_onnx.translate import translate

_REPORT = "a defect of this program's shape inference: please report it"
# A file whose tensors are not stored as plain bytes is held in memory to be traced, up to this size.
MOST_HELD = 256 << 20
_PLAIN = frozenset({"raw_data", "float_data", "double_data"})


def check_shapes(artifact: Path, example: NDArray[Any], threads: int) -> None:
    """Run ``example`` [1, …], and compare the shape of every value of the main graph.

    Raises ``BenchFault`` with every value that has another shape than was inferred: this program's inference is wrong, or
    onnxruntime is. A file that cannot be translated, or not be run, is left to those who say so.
    """
    skeleton = Skeleton(artifact)
    try:
        _, shapes = translate(skeleton, GraphBuilder(None))
    except SubmissionFault:
        return
    model = _whole(skeleton)
    if model is None:
        return
    outputs = _with_shapes(model, shapes)
    try:
        session = open_plain(model, artifact, threads)
        name, _, dtype = fed_input(session, example)
        found = session.run([*outputs], {name: example.astype(dtype, copy=False)})
    except Exception:  # onnxruntime's exceptions share no base class; predicting says what is wrong
        return
    actual = dict(zip(outputs.values(), (tuple(map(int, sizes)) for sizes in found), strict=True))
    problems = list(_differences(model, shapes, actual))
    if problems:
        raise BenchFault(problems)


def _differences(model: onnx.ModelProto, inferred: Mapping[str, Shape], actual: Mapping[str, Shape]) -> Iterator[Problem]:
    for node in model.graph.node:
        for name in node.output:
            if name in actual and actual[name] != inferred[name]:
                got, should = f"{name!r} of shape {actual[name]} in onnxruntime", f"be {inferred[name]}, as its operators say"
                yield Problem(
                    got, should, f"{node.op_type} in {place(node)}", "a defect of this program's shape inference: please report it"
                )


def _with_shapes(model: onnx.ModelProto, inferred: Mapping[str, Shape]) -> dict[str, str]:
    """Add a Shape behind every value; new output → value. The model's own outputs are no longer asked for."""
    outputs = {}
    for index, name in enumerate(name for node in list(model.graph.node) for name in node.output if name in inferred):
        new = f"shape {index} of {name}"
        outputs[new] = name
        model.graph.node.append(helper.make_node("Shape", [name], [new]))
    del model.graph.output[:]
    model.graph.output.extend(helper.make_tensor_value_info(new, TensorProto.INT64, None) for new in outputs)
    return outputs


def _whole(skeleton: Skeleton) -> onnx.ModelProto | None:
    """The model as it can be run: large tensors as external data in the file itself. ``None`` where that would take too much memory."""
    model = onnx.ModelProto()
    model.CopyFrom(skeleton.model)
    pointed = 0
    for tensor in model.graph.initializer:
        extent = skeleton.extent(tensor)
        if extent is not None and extent.field in _PLAIN:
            _point(tensor, skeleton.path.name, extent)
            pointed += 1
    if pointed == skeleton.extents:
        return model
    return onnx.load(str(skeleton.path), load_external_data=False) if len(skeleton.data) <= MOST_HELD else None


def _point(tensor: onnx.TensorProto, location: str, extent: Extent) -> None:
    tensor.doc_string = ""
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", str(extent.offset)), ("length", str(extent.length))):
        tensor.external_data.add(key=key, value=value)
