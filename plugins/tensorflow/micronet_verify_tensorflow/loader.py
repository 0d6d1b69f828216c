"""The loader: runs a model with TensorFlow on the CPU. Runs inside a sandboxed worker."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.graph import Graph
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.protocols import Answer, as_batches
from micronet_verify.framework.requests import ExportRequest, PredictRequest
from micronet_verify_tensorflow.counter import read_program
from micronet_verify_tensorflow.environment import tensorflow
from micronet_verify_tensorflow.program import Program
from micronet_verify_tensorflow.recording import taken
from micronet_verify_tensorflow.running import Model
from micronet_verify_tensorflow.translate import Translator

_BRANCHES = frozenset({"If", "StatelessIf"})


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
        inputs = request.inputs
        tf = tensorflow(request.threads)
        program = read_program(request.artifact)
        names = _branch_names(program)
        fixed, dtype = _check_inputs(program, inputs)
        one_by_one = fixed or bool(names)
        output = sorted(program.signature.outputs.items())[0]
        try:
            model = Model(program, output[1], 1 if one_by_one else None, names, tf)
        except (tf.errors.OpError, ValueError, TypeError, KeyError) as error:
            raise _fault(error, "a model that TensorFlow does not load", "load") from None
        for batch in as_batches(inputs, request.batch_size):
            fed = batch if batch.dtype == dtype else batch.astype(dtype)
            if one_by_one:
                rows = [_run(model, fed[index : index + 1], tf) for index in range(len(fed))]
                answer = np.concatenate([row[0] for row in rows]) if rows[0][0].ndim else rows[0][0]
                yield Answer(_floats(answer, len(fed), output[0]), taken(tuple(model.records), [row[1:] for row in rows]))
            else:
                yield Answer(_floats(_run(model, fed, tf)[0], len(fed), output[0]))


def _check_inputs(program: Program, inputs: NDArray[Any]) -> tuple[bool, np.dtype[Any]]:
    """(whether the batch is fixed at 1, the type to feed)."""
    from micronet_verify.facts.formats import numpy_dtype
    from micronet_verify_tensorflow.formats import data_type
    from micronet_verify_tensorflow.translate import input_shape

    if len(program.signature.inputs) != 1:
        raise SubmissionFault(Problem(f"a model with {len(program.signature.inputs)} inputs", "have one"))
    ((key, ref),) = program.signature.inputs.items()
    where = f"input {key!r}"
    node = program.main.nodes.get(ref.partition(":")[0])
    if node is None or node.op != "Placeholder" or "dtype" not in node.attributes:
        raise SubmissionFault(Problem("an input that is no placeholder", "be one", where))
    shape = input_shape(program, node, where, 2)
    dtype = np.dtype(numpy_dtype(data_type(program.attributes.kind(node.attributes["dtype"], where), where)))
    if shape[1:] != inputs.shape[1:]:
        got = f"an input of shape {_written(shape)}"
        raise SubmissionFault(Problem(got, f"take examples of shape {inputs.shape[1:]}", where))
    if (dtype.kind == "f") != (inputs.dtype.kind == "f"):
        raise SubmissionFault(Problem(f"an input of type {dtype}", f"accept {inputs.dtype}, which the track feeds", where))
    return shape[0] == 1, dtype


def _written(shape: tuple[int, ...]) -> str:
    return f"({', '.join(('batch' if shape[0] == 2 else '1', *map(str, shape[1:])))})"


def _branch_names(program: Program) -> frozenset[str]:
    """Names of the branches that the data decides. A model that the counter refuses has none here: its count fails anyway."""
    bodies = (program.main, *program.functions.values())
    if not any(node.op in _BRANCHES for body in bodies for node in body.nodes.values()):
        return frozenset()
    with tempfile.TemporaryDirectory(prefix="micronet-branches-") as folder:
        try:
            return frozenset(_names(Translator(program, GraphBuilder(Path(folder))).graph()))
        except SubmissionFault:
            return frozenset()


def _names(graph: Graph) -> Iterator[str]:
    for node in graph.nodes:
        if node.kind == "branch" and "id" in node.attributes:
            yield str(node.attributes["id"])
        for body in node.bodies:
            yield from _names(body)


def _run(model: Model, batch: NDArray[Any], tf: Any) -> list[NDArray[Any]]:
    try:
        return model.answer(batch)
    except (tf.errors.OpError, ValueError, TypeError) as error:
        raise _fault(error, "a model that fails on an input", f"answer inputs of shape {batch.shape}") from None


def _floats(answer: NDArray[Any], examples: int, name: str) -> NDArray[Any]:
    where = f"output {name!r}"
    if answer.ndim == 0 or len(answer) != examples:
        raise SubmissionFault(Problem(f"an output of shape {answer.shape} for {examples} examples", f"have {examples} rows", where))
    if answer.dtype in (np.float32, np.float64):
        return answer
    if answer.dtype.name in ("float16", "bfloat16"):
        return answer.astype(np.float32)
    raise SubmissionFault(Problem(f"a first output of type {answer.dtype}", "be of floats", where))


def _fault(error: Exception, got: str, should: str) -> SubmissionFault:
    """The essential sentence of a TensorFlow error."""
    text = str(getattr(error, "message", "") or error).strip() or type(error).__name__
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return SubmissionFault(Problem(f"{got}: {lines[0][:300]}", should))
