"""The counter: a ``.tflite`` file as a neutral graph, read as data; nothing of it is executed, and no TensorFlow is needed."""

from __future__ import annotations

from micronet_verify.plugin import Graph, GraphBuilder, TranslateRequest
from micronet_verify_tflite.model import Model
from micronet_verify_tflite.translate import translate


class TfliteCounter:
    def translate(self, request: TranslateRequest, builder: GraphBuilder) -> Graph:
        """The model as a neutral graph for one example. Constants stay in the file, transposed by strides where need be.

        Raises ``SubmissionFault`` with every operator that cannot be priced, by name and place, together.
        """
        return translate(Model(request.artifact), builder)
