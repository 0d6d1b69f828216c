"""The contract's programs as TensorFlow functions, written as SavedModels and, converted, as .tflite files."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from micronet_verify.testing import Program, Step, Unsupported
from tests.plugins.tensorflow.program_layers import OPERATORS

Tensors = Mapping[str, Any]


class Programs:
    """Writes programs with TensorFlow, which is handed in: importing this module imports it not."""

    def __init__(self, tf: Any) -> None:
        self.tf = tf

    def saved(self, program: Program, folder: Path) -> Path:
        """A SavedModel; every array is a variable, one for a tensor that two steps share."""
        module = self._module(program, variables=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.tf.saved_model.save(module, str(folder))
        return folder / "saved_model.pb"

    def converted(self, program: Program, folder: Path) -> Path:
        """A .tflite file, as the converter makes it of floats."""
        module = self._module(program, variables=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            converter = self.tf.lite.TFLiteConverter.from_concrete_functions([module.call.get_concrete_function()], module)
            path = folder / "model.tflite"
            path.write_bytes(converter.convert())
        return path

    def unknown(self, folder: Path) -> tuple[Path, str]:
        """A SavedModel with an operator that the table has not."""
        tf = self.tf
        module = tf.Module()
        module.call = tf.function(tf.math.bessel_i0e, input_signature=[tf.TensorSpec([None, 4])], autograph=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tf.saved_model.save(module, str(folder))
        return folder / "saved_model.pb", "BesselI0e"

    def _module(self, program: Program, variables: bool) -> Any:
        if program.states:
            raise Unsupported("steps of language models: its loader has no stepper")
        if program.unit:
            raise Unsupported("ties to even: its quantizers round them up")
        tf, made = self.tf, dict[int, Any]()
        module = tf.Module()

        def tensor(step: Step, name: str) -> Any:
            array = step.arrays[name]
            if id(array) not in made:
                label = "n" if program.alike else f"{step.name}_{name}"
                made[id(array)] = tf.Variable(array, name=label) if variables else tf.constant(array)
            return made[id(array)]

        tensors = {id(step): {name: tensor(step, name) for name in step.arrays} for step in program.all_steps()}
        module.kept = [item for step in tensors.values() for item in step.values()]
        walk = Walk(tf, tensors, "n" if program.alike else "", not variables)
        spec = tf.TensorSpec([1 if program.branches else None, *program.shape], tf.int64 if program.words else tf.float32, "x")
        module.call = tf.function(lambda x: walk.steps(program.steps, {"x": x}), input_signature=[spec], autograph=False)
        return module


class Walk:
    """Calls TensorFlow for each step. ``scope``: one name for all steps, which else have their own. ``written_out``: loops that collect are
    no loops, because the converter has lists of a fixed batch alone.
    """

    def __init__(self, tf: Any, tensors: Mapping[int, Tensors], scope: str, written_out: bool) -> None:
        self._tf, self._tensors, self._scope, self._written_out = tf, tensors, scope, written_out

    def steps(self, steps: Sequence[Step], values: dict[str, Any]) -> Any:
        """Adds what each step makes to ``values``; the last step's result."""
        for step in steps:
            operands = [values[name] for name in step.inputs]
            with self._tf.name_scope(self._scope or step.name):
                if step.op == "branch":
                    values[step.name] = self._branch(step, operands[0], values)
                elif step.op == "loop":
                    values[step.name] = self._loop(step, operands, values)
                else:
                    values[step.name] = OPERATORS[step.op](self._tf, step, self._tensors[id(step)], *operands)
        return values[steps[-1].name]

    def _branch(self, step: Step, predicate: Any, values: Mapping[str, Any]) -> Any:
        then, other = (lambda body=body: self.steps(body, dict(values)) for body in step.bodies)
        return self._tf.cond(predicate, then, other)

    def _loop(self, step: Step, operands: Sequence[Any], values: Mapping[str, Any]) -> Any:
        tf, trips = self._tf, step.options["trips"]

        def turned(number: Any, state: Any) -> Any:
            seen = {**values, "state": state}
            if len(operands) > 1:
                seen["slice"] = tf.gather(operands[1], number, axis=1)
            return self.steps(step.bodies[0], seen)

        def more(number: Any, *others: Any) -> Any:
            return number < trips

        if not step.options.get("collected"):
            begin = (tf.constant(0), operands[0])
            return tf.while_loop(more, lambda number, state: (number + 1, turned(number, state)), begin, maximum_iterations=trips)[1]
        if self._written_out:
            states = list(accumulate(range(trips), lambda state, number: turned(number, state), initial=operands[0]))
            return tf.stack(states[1:], 1)

        def turn(number: Any, state: Any, kept: Any) -> Any:
            state = turned(number, state)
            return number + 1, state, kept.write(number, state)

        kept = tf.TensorArray(tf.float32, trips, element_shape=operands[0].shape)
        _, last, kept = tf.while_loop(more, turn, (tf.constant(0), operands[0], kept), maximum_iterations=trips)
        return tf.transpose(kept.stack(), (1, 0, *range(2, len(last.shape) + 1)))
