"""A program as a TensorFlow function: built from the checked nodes and functions alone, its variables filled by our own reader.

Nothing of a SavedModel is loaded by TensorFlow's loader: no initializer, no saver, no asset. What is imported is a new
``GraphDef`` with the nodes that the signature needs and the functions that they call, and its operators are looked at once
more in the form in which TensorFlow gets them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.plugin import encoded
from micronet_verify_tensorflow.allowed import check_operators
from micronet_verify_tensorflow.messages import Reader
from micronet_verify_tensorflow.program import Program, Variable
from micronet_verify_tensorflow.recording import Record, record_branches

Array = NDArray[Any]


def clean_graph(program: Program) -> bytes:
    """The serialized ``GraphDef`` of what the signature's outputs need."""
    data = program.reader.data
    nodes = program.before(tuple(program.signature.outputs.values()))
    functions = sorted(program.reached(nodes))
    library = b"".join(encoded(1, bytes(data[slice(*program.functions[name].span)])) for name in functions)
    return b"".join(encoded(1, bytes(data[slice(*node.span)])) for node in nodes) + encoded(2, library)


class Model:
    """A program that answers. ``records``: the branches whose predicate comes back with every answer."""

    def __init__(self, program: Program, output: str, batch: int | None, branches: frozenset[str], tf: Any) -> None:
        self._tf = tf
        graph = tf.compat.v1.GraphDef.FromString(clean_graph(program))
        _neutral(graph)
        _check_again(program, graph)
        self.records: Sequence[Record] = record_branches(graph, branches)
        ((_, source),) = program.signature.inputs.items()
        fetched = [_port(output), *(_port(record.ref) for record in self.records)]
        fed = {node.name: found for node in program.before(tuple(program.signature.outputs.values())) if (found := program.variable(node))}
        self._variables = {name: _filled(tf, variable) for name, variable in fed.items()}
        placeholder = next(node for node in graph.node if node.name == source.partition(":")[0])
        dtype = tf.dtypes.as_dtype(placeholder.attr["dtype"].type)
        shape = [dim.size for dim in placeholder.attr["shape"].shape.dim]
        self.dtype, self.shape = np.dtype(dtype.as_numpy_dtype), tuple(shape)
        self._function = self._built(graph, _port(source), fetched, tf.TensorSpec([batch, *shape[1:]], dtype))

    def _built(self, graph: Any, source: str, fetched: list[str], spec: Any) -> Callable[[Any], Any]:
        tf, variables = self._tf, self._variables

        def imported(x: Any) -> Any:
            here = tf.compat.v1.get_default_graph()
            captured = {_port(name): here.capture(getattr(value, "handle", value)) for name, value in variables.items()}
            return tf.graph_util.import_graph_def(graph, {**captured, source: x}, fetched, name="")

        function: Callable[[Any], Any] = tf.compat.v1.wrap_function(imported, [spec])
        return function

    def answer(self, batch: Array) -> list[Array]:
        """The output and the predicates of all records. Raises TensorFlow's own errors."""
        return [np.asarray(part) for part in self._function(self._tf.constant(batch))]


_models = itertools.count()


def _neutral(graph: Any) -> None:
    """Functions get names of their own, because TensorFlow keeps one library for a process; devices and noted shapes are left out."""
    prefix, names = f"model_{next(_models)}_", {function.signature.name for function in graph.library.function}
    for function in graph.library.function:
        function.signature.name = prefix + function.signature.name
    for nodes in (graph.node, *(function.node_def for function in graph.library.function)):
        for node in nodes:
            node.device = ""
            node.attr.pop("_output_shapes", None)
            for value in node.attr.values():
                kind = value.WhichOneof("value")
                for called in (value.func,) if kind == "func" else value.list.func if kind == "list" else ():
                    called.name = prefix + called.name if called.name in names else called.name


def _port(ref: str) -> str:
    return ref if ":" in ref else f"{ref}:0"


def _filled(tf: Any, variable: Variable) -> Any:
    array = np.array(variable.stored.load())
    return tf.Variable(array, trainable=False) if variable.handle else tf.constant(array)


def _check_again(program: Program, graph: Any) -> None:
    """The same check on the bytes as protobuf itself writes them: two readers may not disagree on what a node is."""
    data: bytes = graph.SerializeToString(deterministic=True)
    reader = Reader(data, program.name)
    main, functions = reader.graph((0, len(data)))
    unfilled: Mapping[str, Variable] = {}
    again = Program(program.name, reader, main, functions, program.signature, lambda node: unfilled.get(node.name))
    check_operators(again, ("", "", ""))
