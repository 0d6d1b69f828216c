"""The counter: a TensorFlow model as a neutral graph. A SavedModel is read as data, without TensorFlow."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from micronet_verify.plugin import Graph, GraphBuilder, TranslateRequest
from micronet_verify_tensorflow.program import Program
from micronet_verify_tensorflow.saved_model import read_saved_model
from micronet_verify_tensorflow.translate import translate


class TensorFlowCounter:
    def translate(self, request: TranslateRequest, builder: GraphBuilder) -> Graph:
        """The model as a neutral graph for one example; weights stay in the checkpoint.

        Raises ``SubmissionFault`` with every operator that cannot be priced, by name and place, together.
        """
        return translate(read_program(request.artifact), builder)


def read_program(artifact: Path) -> Program:
    """The program of an artifact of any of the three kinds."""
    if artifact.suffix == ".pb":
        return read_saved_model(artifact)
    status = artifact.stat()
    return _traced(artifact, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=1)
def _traced(artifact: Path, size: int, changed: int) -> Program:
    """Kept for the second look at the same file, at another batch: Keras takes seconds to build a model."""
    from micronet_verify_tensorflow.tracing import traced

    return traced(artifact)
