"""One interpreter of ai-edge-litert, resized to the batch and asked; its errors as sentences.

Which kernels: those of XNNPACK, which the interpreter takes by default. They requantize by a float32 product that is rounded
once; the built-in ones round a fixed-point product twice, to 31 bits and then to a code, and of the digits' int8 sample 1,381 of
5,000 answers differ between both, 3 between XNNPACK and exact arithmetic. But XNNPACK quantizes the activations of
hybrid layers with a zero point whatever the file says (``asymmetric_quantize_inputs``), so files with hybrid layers run on the
built-in kernels, which do as the file says.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from micronet_verify.plugin import Problem, SubmissionFault
from micronet_verify_tflite.records import Record, side


@dataclass(frozen=True, slots=True)
class Run:
    """The first output of one call, and which subgraph each recorded branch took."""

    output: NDArray[Any]
    taken: tuple[int, ...]


class Session:
    """``preserve`` keeps every tensor of a call, so that conditions can be read after it; ``built_in`` runs the interpreter's own kernels.

    Raises ``SubmissionFault``.
    """

    def __init__(self, artifact: Path, threads: int, preserve: bool, built_in: bool = False) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        options: dict[str, Any] = {"num_threads": threads}
        if built_in or preserve:  # what a delegate takes over, it fuses, and its tensors cannot be read
            options["experimental_op_resolver_type"] = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        if preserve:
            options["experimental_preserve_all_tensors"] = True
        self._name = artifact.name
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._interpreter = Interpreter(model_path=str(artifact), **options)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            _fault(error, "a model that the interpreter does not load", "load", self._name)
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._size = int(self._interpreter.get_input_details()[0]["shape"][0])

    def run(self, batch: NDArray[Any], records: Sequence[Record]) -> Run:
        """One call for ``batch``, with the state of recurrent layers set to zero."""
        interpreter = self._interpreter
        try:
            if len(batch) != self._size:
                interpreter.resize_tensor_input(self._input, batch.shape)
                interpreter.allocate_tensors()
                self._size = len(batch)
            interpreter.reset_all_variables()
            interpreter.set_tensor(self._input, batch)
            interpreter.invoke()
            output = np.array(interpreter.get_tensor(self._output))
            return Run(output, tuple(self._taken(records)))
        except (ValueError, RuntimeError) as error:
            _fault(error, "a model that fails on an input", f"answer inputs of shape {batch.shape}", self._name)

    def _taken(self, records: Sequence[Record]) -> list[int]:
        found: dict[str, int] = {}
        for record in records:
            reached = record.inside is None or found[record.inside[0]] == record.inside[1]
            found[record.name] = side(self._interpreter.get_tensor(record.tensor, record.subgraph)) if reached else -1
        return [found[record.name] for record in records]


def _fault(error: Exception, got: str, should: str, name: str) -> NoReturn:
    """The essential sentence of an interpreter's error: its last line, without paths of its own source."""
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    text = lines[-1] if lines else type(error).__name__
    raise SubmissionFault(Problem(f"{got}: {text[:300]}", should, name)) from None
