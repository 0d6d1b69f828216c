"""Opens a session of onnxruntime on a file that was looked through before."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NoReturn

from onnx import TensorProto

from micronet_verify.errors import BenchFault, Problem, SubmissionFault
from micronet_verify.framework.protocols import CPU
from micronet_verify_onnx.branches import Record, record_branches
from micronet_verify_onnx.checks import check_model, plain
from micronet_verify_onnx.op_table import BREVITAS, QONNX
from micronet_verify_onnx.skeleton import Skeleton
from micronet_verify_onnx.tensors import TensorReader

CUDA = "cuda"
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
    source: str | bytes = str(artifact)
    records: tuple[Record, ...] = ()
    if names:
        model, records = record_branches(artifact, names)
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(artifact.parent))
        source = model.SerializeToString()
    try:
        session = onnxruntime.InferenceSession(source, options, providers=[(_PROVIDERS[device], _SETTINGS.get(device, {}))])
    except Exception as error:  # onnxruntime's exceptions share no base class
        fault(error, "a model that onnxruntime does not load", "load", artifact)
    if _PROVIDERS[device] not in session.get_providers():
        got = f"onnxruntime {onnxruntime.__version__}, which does not get to a {device} device on this machine,"
        raise BenchFault(Problem(got, "have one, with its driver", "stage predict"))
    return session, records


def fault(error: Exception, got: str, should: str, artifact: Path | None = None) -> NoReturn:
    """The essential sentence of an onnxruntime error: what follows its code and the place in its own source, without our folders."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if text.startswith("[ONNXRuntimeError]"):
        text = text.split(" : ", 3)[-1]
    if artifact is not None:
        text = text.replace(str(artifact), artifact.name).replace(str(artifact.parent), ".")
    raise SubmissionFault(Problem(f"{got}: {text[:300]}", should)) from None
