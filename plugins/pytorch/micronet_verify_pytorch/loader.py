"""Exports source entries and answers for ``.pt2`` archives. Runs inside a sandboxed worker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from micronet_verify.plugin import (
    CPU,
    Answer,
    BenchFault,
    ExportRequest,
    PredictRequest,
    Problem,
    Stepper,
    StepRequest,
    SubmissionFault,
    answers,
)
from micronet_verify_pytorch.counter import names_of_branches
from micronet_verify_pytorch.heap import keep_freed_memory
from micronet_verify_pytorch.inputs import bind_batch
from micronet_verify_pytorch.program import Program, Ref, read_program
from micronet_verify_pytorch.runner import Model, Taken, build


class _Loader:
    device = CPU

    def export(self, request: ExportRequest) -> str:
        from micronet_verify_pytorch.exporting import export

        return export(request)

    def predict(self, request: PredictRequest) -> Iterator[Answer]:
        """One answer for each ``batch_size`` examples, whatever the model is fed at a time.

        Raises ``SubmissionFault`` where the archive is not plain data, or the model does not accept the inputs.
        """
        torch.set_num_threads(request.threads)
        keep_freed_memory()
        program = read_program(request.artifact)
        output = _check_inputs(program, request.inputs)
        taken = Taken(names_of_branches(program))
        model = build(program, taken, self.device)

        def ask(batch: NDArray[Any]) -> tuple[NDArray[Any], Sequence[int]]:
            return _run(model, batch), taken.clear()

        # A model that branches sees one example at a time, so that each goes its own way.
        one_by_one = model.branches or not bind_batch(program)
        return answers(request.inputs, request.batch_size, ask, taken.names, one_by_one, output)


class PyTorchLoader(_Loader):
    """The ``Loader`` of PyTorch entries, on the processor."""

    def stepper(self, request: StepRequest) -> Stepper:
        """A language model (see ``framework.stepping``)."""
        from micronet_verify_pytorch.stepper import TorchChunk, TorchStep

        return (TorchChunk if request.chunk else TorchStep)(request.artifact, request.words, request.threads)


class PyTorchCudaLoader(_Loader):
    """On a CUDA device. Images only: language models are fed one token at a time, for which the processor is the quicker one.

    Raises ``BenchFault`` where torch finds no such device.
    """

    device = "cuda"

    def __init__(self) -> None:
        if not torch.cuda.is_available():
            got = f"torch {torch.__version__}, which finds no CUDA device on this machine,"
            advice = "it must be a build for CUDA, with a driver; or leave --device out"
            raise BenchFault(Problem(got, "find one to predict on cuda", "stage predict", advice))
        torch.set_default_device(self.device)
        # float32 in float32, and the same bits from run to run.
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.deterministic = True


def _check_inputs(program: Program, inputs: NDArray[Any]) -> str:
    """The name of the one output. Raises ``SubmissionFault`` where the model is not one of such inputs."""
    where = program.path.name
    if len(program.inputs) != 1:
        raise SubmissionFault(Problem(f"a model of {len(program.inputs)} inputs", "have one", where))
    output = program.graph.outputs[0] if len(program.graph.outputs) == 1 else None
    if not isinstance(output, Ref):
        advice = "return the scores alone from forward()"
        raise SubmissionFault(Problem(f"a model of {len(program.graph.outputs)} outputs", "have one", where, advice))
    meta = program.graph.metas[program.inputs[0]]
    if meta.sizes[1:] != inputs.shape[1:]:
        raise SubmissionFault(Problem(f"a model for examples of shape {meta.sizes[1:]}", f"take {inputs.shape[1:]}", where))
    if meta.format is None or meta.format.name != inputs.dtype.name:
        advice = "convert inside forward(), x.to(...), so that the conversion is part of what is judged"
        raise SubmissionFault(Problem(f"a model for inputs of {meta.format}", f"take {inputs.dtype}", where, advice))
    return output.name


def _run(model: Model, batch: NDArray[Any]) -> NDArray[Any]:
    try:
        with torch.inference_mode():
            (output,) = model.forward(torch.from_numpy(np.array(batch)).to(model.device))
    except torch.OutOfMemoryError as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise BenchFault(
            Problem(f"{model.device} without memory ({reason})", "have enough", "stage predict", "try --batch-size 1")
        ) from None
    except (RuntimeError, ValueError, TypeError, IndexError, NotImplementedError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise SubmissionFault(Problem(f"a model that fails on its inputs ({reason})", "answer")) from None
    if not isinstance(output, torch.Tensor):
        raise SubmissionFault(Problem(f"an output of type {type(output).__name__}", "be a tensor"))
    if output.dtype not in (torch.float32, torch.float64):
        # Wide integers are exact in float64 (up to 2⁵³), everything else in float32.
        output = output.to(torch.float64 if output.dtype in (torch.int32, torch.int64) else torch.float32)
    return output.cpu().numpy()  # type: ignore[no-any-return]
