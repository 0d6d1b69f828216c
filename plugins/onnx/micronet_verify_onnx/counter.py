"""The counter: an ``.onnx`` file as a neutral graph, read as data; nothing of it is executed."""

from __future__ import annotations

from micronet_verify.plugin import Graph, GraphBuilder, Problem, SubmissionFault, TranslateRequest
from micronet_verify_onnx.skeleton import Skeleton
from micronet_verify_onnx.translate import translate


class OnnxCounter:
    def translate(self, request: TranslateRequest, builder: GraphBuilder) -> Graph:
        """The model as a neutral graph for one example. Large tensors stay in the file or its external data.

        Raises ``SubmissionFault`` with every operator that cannot be priced, by name and place, together.
        """
        try:
            return translate(Skeleton(request.artifact), builder)[0]
        except UnicodeDecodeError:
            raise SubmissionFault(Problem("names that are not UTF-8 text", "be text", request.artifact.name)) from None
