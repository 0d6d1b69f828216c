"""Whether a file is a model that this plugin and onnxruntime can read at all: versions, domains, inputs."""

from __future__ import annotations

from collections.abc import Mapping

import onnx

from micronet_verify.plugin import Problem, Shape, SubmissionFault, inputs

# onnxruntime 1.31 reads no newer ones (measured); opsets below 7 broadcast by attribute and are not guaranteed there.
NEWEST_IR, NEWEST_OPSET, OLDEST_OPSET = 13, 26, 7
MOST_LIES = 3
_RE_EXPORT = f"export with opset_version={OLDEST_OPSET} to {NEWEST_OPSET} and ir_version≤{NEWEST_IR}, or use onnx.version_converter"


def plain(domain: str) -> str:
    """A domain's one spelling: ONNX's own operators are in ``""``, also called ``ai.onnx``."""
    return "" if domain == "ai.onnx" else domain


def check_model(model: onnx.ModelProto, name: str) -> dict[str, int]:
    """The opset version of every domain. Raises ``SubmissionFault`` for a model that is too new, too old or incomplete."""
    problems = []
    if not model.HasField("graph"):
        problems.append(Problem("a file without a graph", "be a complete ONNX model", name))
    if model.ir_version > NEWEST_IR:
        problems.append(Problem(f"an ONNX file of IR version {model.ir_version}", f"be at most {NEWEST_IR}", name, _RE_EXPORT))
    if model.ir_version < 3:
        problems.append(Problem(f"an ONNX file of IR version {model.ir_version}", "be at least 3", name, _RE_EXPORT))
    opsets: dict[str, int] = {}
    for entry in model.opset_import:
        if opsets.setdefault(plain(entry.domain), entry.version) != entry.version:
            problems.append(Problem(f"two opsets for the domain {plain(entry.domain)!r}", "have one", name))
    if not opsets:
        problems.append(Problem("a model that names no opset", "be a complete ONNX model", name))
    elif "" in opsets and not OLDEST_OPSET <= opsets[""] <= NEWEST_OPSET:
        problems.append(Problem(f"ONNX opset {opsets['']}", f"be {OLDEST_OPSET} to {NEWEST_OPSET}", name, _RE_EXPORT))
    if len(model.training_info):
        problems.append(Problem("a model with training information", "be an inference model", name))
    if problems:
        raise SubmissionFault(problems)
    return opsets


def input_shape(info: onnx.ValueInfoProto, batch: int = 1, chunk: bool = False) -> Shape:
    """The shape of a graph input; the first axis, where it is free, is the batch. Raises ``SubmissionFault``.

    ``chunk``: it is of tokens; sizes are what they are, and free ones ``batch``.
    """
    where = f"input {info.name!r}"
    if not info.type.HasField("tensor_type"):
        raise SubmissionFault(Problem("an input that is not a tensor", "be a tensor", where))
    declared = info.type.tensor_type
    if not declared.HasField("shape") or not declared.shape.dim:
        raise SubmissionFault(Problem("an input without a batch axis", "have a shape whose first axis is the batch", where))
    if chunk:
        return tuple(size_of(dim) or batch for dim in declared.shape.dim)
    return inputs.input_shape([_declared(dim) for dim in declared.shape.dim], where, batch)


def _declared(dim: onnx.TensorShapeProto.Dimension) -> int | str:
    """The size of an axis, or the name of a free one."""
    size = size_of(dim)
    return str(dim.dim_param or "unnamed") if size is None else size


def size_of(dim: onnx.TensorShapeProto.Dimension) -> int | None:
    """The size of a declared axis, ``None`` where it is free: unnamed, named, or −1 (as Paddle's exporter writes it)."""
    return int(dim.dim_value) if dim.HasField("dim_value") and dim.dim_value != -1 else None


def state_shape(info: onnx.ValueInfoProto, token: onnx.ValueInfoProto, batch: int) -> Shape:
    """The shape of an input behind the first: fixed, but where an axis is ``token``'s free batch. Raises ``SubmissionFault``."""
    where = f"input {info.name!r}"
    if not info.type.HasField("tensor_type") or not info.type.tensor_type.HasField("shape"):
        raise SubmissionFault(Problem("an input that is not a tensor of a declared shape", "be one", where))
    first = token.type.tensor_type.shape.dim
    name, problems, shape = first[0].dim_param if first else "", [], list[int]()
    for axis, dim in enumerate(info.type.tensor_type.shape.dim):
        size = size_of(dim)
        if size is not None:
            shape.append(size)
        elif dim.dim_param == name and (name or axis == 0):
            shape.append(batch)
        else:
            free = f"a free axis {axis} ({dim.dim_param or 'unnamed'})"
            problems.append(Problem(free, "have a fixed size", where, "export with fixed sizes: a state keeps its shape"))
    if not problems and min(shape, default=1) < 1:
        problems.append(Problem(f"the shape {tuple(shape)}", "have sizes of at least 1", where))
    if problems:
        raise SubmissionFault(problems)
    return tuple(shape)


def forged(graph: onnx.GraphProto, inferred: Mapping[str, Shape]) -> list[str]:
    """Sentences about declared shapes (``value_info``, outputs) that are not so. Nothing else reads them."""
    lies = []
    for info in (*graph.value_info, *graph.output):
        declared = info.type.tensor_type
        if not isinstance(info.name, str) or info.name not in inferred or not declared.HasField("shape"):
            continue
        shape = inferred[info.name]
        sizes = [size_of(dim) for dim in declared.shape.dim]
        # The batch of the export often stays behind in the first axis.
        odd = [axis for axis, (a, b) in enumerate(zip(sizes, shape, strict=False)) if a not in (None, b) and (axis or b != 1)]
        if len(sizes) != len(shape) or odd:
            written = ", ".join("?" if size is None else str(size) for size in sizes[:8])
            lies.append(f"The file declares {info.name[:60]!r} as ({written}), and it is {shape}: declared shapes are not used.")
    more = len(lies) - MOST_LIES
    return [*lies[:MOST_LIES], *([f"{more:,} more declared shapes are not so."] if more > 0 else [])]
