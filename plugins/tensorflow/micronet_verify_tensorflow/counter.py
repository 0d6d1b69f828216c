"""The counter: a TensorFlow model as a neutral graph. A SavedModel is read as data, without TensorFlow."""

from __future__ import annotations

from pathlib import Path

from micronet_verify.facts.graph import Graph
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify_tensorflow.program import Program
from micronet_verify_tensorflow.saved_model import read_saved_model
from micronet_verify_tensorflow.translate import Translator


class TensorFlowCounter:
    def translate(self, artifact: Path, builder: GraphBuilder) -> Graph:
        """The model as a neutral graph for one example; weights stay in the checkpoint.

        Raises ``SubmissionFault`` with every operator that cannot be priced, by name and place, together.
        """
        return Translator(read_program(artifact), builder).graph()


def read_program(artifact: Path) -> Program:
    """The program of an artifact of any of the three kinds."""
    if artifact.suffix == ".pb":
        return read_saved_model(artifact)
    from micronet_verify_tensorflow.tracing import traced

    return traced(artifact)
