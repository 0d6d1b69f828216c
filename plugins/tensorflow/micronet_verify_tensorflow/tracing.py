"""A Keras file as a program: checked as data, loaded without compiling it, and its inference traced to a graph.

Keras is needed to read its own configuration, so this runs TensorFlow, inside the sandboxed step, on layers that were all
found in the list of built-in ones; no code of the entry runs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from micronet_verify.plugin import stored_array
from micronet_verify_tensorflow.allowed import check_operators
from micronet_verify_tensorflow.environment import require, tensorflow
from micronet_verify_tensorflow.keras_files import check_h5, check_keras
from micronet_verify_tensorflow.messages import NodeDef, Reader, Signature, bad
from micronet_verify_tensorflow.program import Program, Variable


def traced(path: Path) -> Program:
    """The program of a ``.keras`` or ``.h5`` file. Raises ``SubmissionFault`` for a file that is not one of built-in layers."""
    require("tensorflow", "keras", "h5py")
    (check_h5 if path.suffix == ".h5" else check_keras)(path)
    tf = tensorflow()
    import keras

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras' own deprecations
            keras.backend.clear_session()
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
            return _traced(tf, model, path.name)
    except MemoryError:
        raise bad("a model that does not fit into memory", "be smaller", path.name) from None
    except (ValueError, TypeError, KeyError, AttributeError, OSError, IndexError, RuntimeError, tf.errors.OpError) as error:
        text = (str(error).strip() or type(error).__name__).splitlines()[0][:200].replace(str(path.parent), ".")
        raise bad(f"a model that Keras does not load ({text})", "load", path.name) from None


def _traced(tf: Any, model: Any, name: str) -> Program:
    """``model(inputs, training=False)`` as a graph; the batch is free where the model leaves it so."""
    specs = [tf.TensorSpec(tuple(given.shape), given.dtype, name=f"input_{at}") for at, given in enumerate(tf.nest.flatten(model.inputs))]

    def infer(*given: Any) -> list[Any]:
        packed = given[0] if len(given) == 1 else list(given)
        return [tf.identity(part) for part in tf.nest.flatten(model(packed, training=False))]

    function = tf.function(infer, autograph=False).get_concrete_function(*specs)
    graph = function.graph.as_graph_def(add_shapes=False)
    data: bytes = graph.SerializeToString(deterministic=True)
    reader = Reader(data, name)
    main, functions = reader.graph((0, len(data)))
    captured = _captured(function)
    given = [part for part in function.inputs if part.name.partition(":")[0] not in captured]
    inputs = {f"input_{at}": part.name for at, part in enumerate(given)}
    outputs = {f"output_{at}": part.name for at, part in enumerate(tf.nest.flatten(function.structured_outputs))}

    def variable(node: NodeDef) -> Variable | None:
        found = captured.get(node.name)
        return found() if found is not None else None

    program = Program(name, reader, main, functions, Signature(inputs, outputs), variable)
    check_operators(program, ("", "", ""))
    return program


def _captured(function: Any) -> Mapping[str, Callable[[], Variable]]:
    """What the placeholders stand for that are no inputs: variables by their handles, and constants."""
    variables = {id(variable.handle): variable for variable in function.graph.variables}
    found: dict[str, Callable[[], Variable]] = {}
    for outside, inside in zip(function.captured_inputs, function.graph.internal_captures, strict=True):
        name = inside.name.partition(":")[0]
        found[name] = _reader(variables.get(id(outside)), outside, name)
    return found


def _reader(variable: Any, outside: Any, name: str) -> Callable[[], Variable]:
    def read() -> Variable:
        array = np.asarray((variable if variable is not None else outside).numpy())
        label = variable.name.partition(":")[0] if variable is not None else name
        return Variable(label, stored_array(array), handle=variable is not None)

    return read
