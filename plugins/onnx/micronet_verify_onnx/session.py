"""Opens a session of onnxruntime on a file that was looked through before."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from micronet_verify.plugin import CPU, BenchFault, Problem, SubmissionFault
from micronet_verify_onnx.branches import Record, record_branches
from micronet_verify_onnx.checks import check_model, plain
from micronet_verify_onnx.op_table import BREVITAS, QONNX
from micronet_verify_onnx.skeleton import Skeleton
from micronet_verify_onnx.tensors import TensorReader

_INPUT_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "tensor(float)": "float32",
        "tensor(float16)": "float16",
        "tensor(double)": "float64",
        "tensor(int64)": "int64",
        "tensor(int32)": "int32",
        "tensor(int8)": "int8",
        "tensor(uint8)": "uint8",
    }
)
CUDA = "cuda"
# Where the files of external data lie, for a model that is no file itself.
_FOLDER = "session.model_external_initializers_file_folder_path"
# Without this, onnxruntime gives products with dequantized weights to a kernel that rounds the *activations* to 8 bits.
_AS_WRITTEN = ("session.disable_quant_qdq", "1")
# Of two pairs of QuantizeLinear and DequantizeLinear in a row, this drops the first, whose grid may be the coarser one.
_CHANGES_VALUES = ["DoubleQDQPairsRemover"]
_PROVIDERS = {CPU: "CPUExecutionProvider", CUDA: "CUDAExecutionProvider"}
# Products of float32 in float32, as on the processor.
_SETTINGS = {CUDA: {"use_tf32": "0"}}


def checked(artifact: Path) -> Skeleton:
    """Versions, operators that onnxruntime lacks, and where every tensor's bytes lie: onnxruntime believes more than it should."""
    skeleton = Skeleton(artifact)
    check_model(skeleton.model, artifact.name)
    nodes = [*skeleton.model.graph.node, *(node for function in skeleton.model.functions for node in function.node)]
    foreign = sorted({node.op_type for node in nodes if plain(node.domain) in (QONNX, BREVITAS)})
    if foreign:
        raise SubmissionFault(
            Problem(
                f"a model with QONNX operators ({', '.join(foreign)})",
                "be plain ONNX to be run: onnxruntime has no QONNX operators",
                artifact.name,
                "export it as QCDQ (QuantizeLinear, Clip, DequantizeLinear), which counts the same",
            )
        )
    reader = TensorReader(skeleton)
    for tensor in skeleton.tensors():
        if tensor.data_location == TensorProto.EXTERNAL:
            reader.read(tensor, f"tensor {tensor.name!r}")
    return skeleton


def check_cuda() -> None:
    """Raise ``BenchFault`` unless this onnxruntime was built for CUDA."""
    onnxruntime = _runtime()
    found = onnxruntime.get_available_providers()
    if _PROVIDERS[CUDA] not in found:
        got = f"onnxruntime {onnxruntime.__version__} without {_PROVIDERS[CUDA]} (it has {', '.join(found)})"
        raise BenchFault(Problem(got, f"have it to predict on {CUDA}", "stage predict", "install onnxruntime-gpu in place of onnxruntime"))


def _runtime() -> Any:
    # onnxruntime writes telemetry files when it is imported, unless told before.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime


def open_session(artifact: Path, threads: int, names: frozenset[str], device: str = CPU) -> tuple[Any, tuple[Record, ...]]:
    """A session of the file itself, or, where the data decides a branch, of the model with its records.

    Raises ``BenchFault`` where onnxruntime does not get to the device and would go on without it.
    """
    onnxruntime = _runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4
    options.add_session_config_entry(*_AS_WRITTEN)
    source: str | bytes = str(artifact)
    records: tuple[Record, ...] = ()
    if names:
        model, records = record_branches(artifact, names)
        options.add_session_config_entry(_FOLDER, str(artifact.parent))
        source = model.SerializeToString()
    try:
        providers = [(_PROVIDERS[device], _SETTINGS.get(device, {}))]
        session = onnxruntime.InferenceSession(source, options, providers=providers, disabled_optimizers=_CHANGES_VALUES)
    except Exception as error:  # onnxruntime's exceptions share no base class
        fault(error, "a model that onnxruntime does not load", "load", artifact)
    if _PROVIDERS[device] not in session.get_providers():
        got = f"onnxruntime {onnxruntime.__version__}, which does not get to a {device} device on this machine,"
        raise BenchFault(Problem(got, "have one, with its driver", "stage predict"))
    return session, records


def open_plain(model: onnx.ModelProto, artifact: Path, threads: int) -> Any:
    """A session of ``model``, whose external data lies beside ``artifact``, that runs every node as it stands.

    Raises what onnxruntime raises.
    """
    onnxruntime = _runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.add_session_config_entry(_FOLDER, str(artifact.parent))
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=[_PROVIDERS[CPU]])


def fed_input(session: Any, inputs: NDArray[Any]) -> tuple[str, Sequence[int | str | None], np.dtype[Any]]:
    """The model's one input: its name, declared shape and the type to feed."""
    given = session.get_inputs()
    if len(given) != 1:
        raise SubmissionFault(Problem(f"a model with {len(given)} inputs", "have one"))
    name, shape, kind = given[0].name, given[0].shape, given[0].type
    where = f"input {name!r}"
    if kind not in _INPUT_TYPES:
        raise SubmissionFault(Problem(f"an input of type {kind}", f"be one of {', '.join(_INPUT_TYPES)}", where))
    dtype = np.dtype(_INPUT_TYPES[kind])
    if (
        not shape
        or len(shape) != inputs.ndim
        or any(isinstance(w, int) and w != n for w, n in zip(shape[1:], inputs.shape[1:], strict=True))
    ):
        raise SubmissionFault(Problem(f"an input of shape {_written(shape)}", f"take examples of shape {inputs.shape[1:]}", where))
    if isinstance(shape[0], int) and shape[0] != 1:
        raise SubmissionFault(
            Problem(f"a fixed batch of {shape[0]}", "be 1 or free (dynamic)", where, "export with a free batch, or with one example")
        )
    if (dtype.kind == "f") != (inputs.dtype.kind == "f"):
        raise SubmissionFault(Problem(f"an input of type {dtype}", f"accept {inputs.dtype}, which the track feeds", where))
    return name, shape, dtype


def _written(shape: Sequence[int | str | None]) -> str:
    return f"({', '.join('batch' if axis == 0 and not isinstance(size, int) else str(size) for axis, size in enumerate(shape))})"


def fault(error: Exception, got: str, should: str, artifact: Path | None = None) -> NoReturn:
    """The essential sentence of an onnxruntime error: what follows its code and the place in its own source, without our folders."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if text.startswith("[ONNXRuntimeError]"):
        text = text.split(" : ", 3)[-1]
    if artifact is not None:
        text = text.replace(str(artifact), artifact.name).replace(str(artifact.parent), ".")
    raise SubmissionFault(Problem(f"{got}: {text[:300]}", should)) from None
