"""The loaders: run an ``.onnx`` file with onnxruntime, on the processor or on a CUDA device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from numpy.typing import NDArray

from micronet_verify.plugin import (
    CPU,
    Answer,
    ExportRequest,
    PredictRequest,
    Problem,
    Stepper,
    StepRequest,
    SubmissionFault,
    TraceRequest,
    answers,
)
from micronet_verify_onnx.branches import names_of, taken
from micronet_verify_onnx.session import CUDA, check_cuda, checked, fault, fed_input, open_session

Array = NDArray[Any]
_OUTPUT_TYPES = ("tensor(float)", "tensor(float16)", "tensor(double)")


class _Loader:
    device = CPU

    def export(self, request: ExportRequest) -> str:
        """ONNX entries hand in the file: raises ``SubmissionFault``."""
        raise SubmissionFault(Problem("an ONNX entry in source form", "hand in the .onnx file itself", request.entry_point))

    def predict(self, request: PredictRequest) -> Iterator[Answer]:
        """The model's first output for ``inputs`` [examples, …], batch by batch, as float32 or float64.

        A model of fixed batch 1 is fed one example at a time and its answers are joined into the batch. Of several
        outputs the first is the answer. A model with branches that the data decides is fed one example at a time, too, and
        the answer says which body each took. Raises ``SubmissionFault`` where the model does not load, does not accept the
        inputs, fails on them, or answers with no floats.
        """
        artifact, inputs = request.artifact, request.inputs
        names = names_of(artifact, checked(artifact).model)
        session, records = open_session(artifact, request.threads, names, self.device)
        name, shape, dtype = fed_input(session, inputs)
        outputs = [_output(session), *(record.output for record in records)]

        def ask(batch: Array) -> tuple[Array, Sequence[int]]:
            answer, *rows = _run(session, outputs, name, batch if batch.dtype == dtype else batch.astype(dtype))
            return answer, taken(rows)

        return answers(inputs, request.batch_size, ask, [record.name for record in records], isinstance(shape[0], int), outputs[0])

    def check_shapes(self, request: TraceRequest) -> None:
        """Compare every inferred shape with onnxruntime's for the example. Raises ``BenchFault``."""
        from micronet_verify_onnx.trace import check_shapes

        check_shapes(request.artifact, request.example, request.threads)


class OnnxLoader(_Loader):
    """On the processor."""

    def stepper(self, request: StepRequest) -> Stepper:
        """A language model (see ``framework.stepping``)."""
        from micronet_verify_onnx.stepper import OnnxChunk, OnnxStep

        return (OnnxChunk if request.chunk else OnnxStep)(request.artifact, request.words, request.threads)


class OnnxCudaLoader(_Loader):
    """On a CUDA device; what its provider does not have, onnxruntime runs on the processor. Images only: language models are fed
    one token at a time, for which the processor is the quicker one. Raises ``BenchFault`` where onnxruntime was built without it."""

    device = CUDA

    def __init__(self) -> None:
        check_cuda()


def _output(session: Any) -> str:
    found = session.get_outputs()
    if not found or found[0].type not in _OUTPUT_TYPES:
        kind = found[0].type if found else "none"
        raise SubmissionFault(Problem(f"a first output of type {kind}", f"be one of {', '.join(_OUTPUT_TYPES)}"))
    return str(found[0].name)


def _run(session: Any, outputs: Sequence[str], name: str, batch: NDArray[Any]) -> list[NDArray[Any]]:
    try:
        return session.run(outputs, {name: batch})  # type: ignore[no-any-return]
    except Exception as error:  # onnxruntime's exceptions share no base class
        fault(error, "a model that fails on an input", f"answer inputs of shape {batch.shape}")
