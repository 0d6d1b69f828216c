"""The loader: runs a model with TensorFlow on the CPU. Runs inside a sandboxed worker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.plugin import (
    Answer,
    ExportRequest,
    GraphBuilder,
    PredictRequest,
    Problem,
    SubmissionFault,
    answers,
    branch_names,
    numpy_dtype,
)
from micronet_verify_tensorflow.counter import read_program
from micronet_verify_tensorflow.environment import tensorflow
from micronet_verify_tensorflow.formats import data_type
from micronet_verify_tensorflow.program import IFS, Program
from micronet_verify_tensorflow.running import Model
from micronet_verify_tensorflow.translate import declared_shape, translate

Array = NDArray[Any]


class TensorFlowLoader:
    def export(self, request: ExportRequest) -> str:
        """TensorFlow entries hand in what they export: raises ``SubmissionFault``."""
        advice = "model.save('model.keras'), or model.export(folder) for a SavedModel"
        raise SubmissionFault(
            Problem("a TensorFlow entry in source form", "hand in a SavedModel or a .keras file", request.entry_point, advice)
        )

    def predict(self, request: PredictRequest) -> Iterator[Answer]:
        """The model's first output for ``inputs`` [examples, …], batch by batch, as float32 or float64.

        A model of fixed batch 1 is fed one example at a time, and so is a model with branches that the data decides; the
        answer then says which body each example took. Of several outputs the first by name is the answer. Raises
        ``SubmissionFault`` where the model does not load, does not accept the inputs, fails on them, or answers no floats.
        """
        tf = tensorflow(request.threads)
        program = read_program(request.artifact)
        names = _branches(program)
        fixed, dtype = _check_inputs(program, request.inputs)
        name, ref = sorted(program.signature.outputs.items())[0]
        try:
            model = Model(program, ref, 1 if fixed or names else None, names, tf)
        except (tf.errors.OpError, ValueError, TypeError, KeyError) as error:
            raise _fault(error, "a model that TensorFlow does not load", "load") from None

        def ask(batch: Array) -> tuple[Array, Sequence[int]]:
            try:
                answer, *taken = model.answer(batch if batch.dtype == dtype else batch.astype(dtype))
            except (tf.errors.OpError, ValueError, TypeError) as error:
                raise _fault(error, "a model that fails on an input", f"answer inputs of shape {batch.shape}") from None
            return answer, [int(side) for side in taken]

        return answers(request.inputs, request.batch_size, ask, [record.name for record in model.records], fixed, name)


def _check_inputs(program: Program, inputs: Array) -> tuple[bool, np.dtype[Any]]:
    """(whether the batch is fixed at 1, the type to feed)."""
    if len(program.signature.inputs) != 1:
        raise SubmissionFault(Problem(f"a model with {len(program.signature.inputs)} inputs", "have one"))
    ((key, ref),) = program.signature.inputs.items()
    where = f"input {key!r}"
    node = program.main.nodes.get(ref.partition(":")[0])
    if node is None or node.op != "Placeholder" or "dtype" not in node.attributes:
        raise SubmissionFault(Problem("an input that is not a placeholder", "be one", where))
    shape = declared_shape(program, node, where, 2)
    dtype = np.dtype(numpy_dtype(data_type(program.attributes.kind(node.attributes["dtype"], where), where)))
    if shape[1:] != inputs.shape[1:]:
        got = f"an input of shape {_written(shape)}"
        raise SubmissionFault(Problem(got, f"take examples of shape {inputs.shape[1:]}", where))
    if (dtype.kind == "f") != (inputs.dtype.kind == "f"):
        raise SubmissionFault(Problem(f"an input of type {dtype}", f"accept {inputs.dtype}, which the track feeds", where))
    return shape[0] == 1, dtype


def _written(shape: tuple[int, ...]) -> str:
    return f"({', '.join(('batch' if shape[0] == 2 else '1', *map(str, shape[1:])))})"


def _branches(program: Program) -> frozenset[str]:
    """Names of the branches that the data decides."""
    bodies = (program.main, *program.functions.values())
    if not any(node.op in IFS for body in bodies for node in body.nodes.values()):
        return frozenset()
    return branch_names(lambda: translate(program, GraphBuilder(None)))


def _fault(error: Exception, got: str, should: str) -> SubmissionFault:
    """The essential sentence of a TensorFlow error."""
    text = str(getattr(error, "message", "") or error).strip() or type(error).__name__
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return SubmissionFault(Problem(f"{got}: {lines[0][:300]}", should))
