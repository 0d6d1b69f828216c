"""The contract's programs as TensorFlow functions, written as SavedModels and, converted, as .tflite files."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from micronet_verify.testing import Program, Step, Unsupported

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
        if program.operators & {"quantize", "quantized_linear"}:
            raise Unsupported("the converter quantizes a network as a whole")
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
        tf, made = self.tf, dict[int, Any]()
        module = tf.Module()
        unsupported = [
            step for step in program.steps if step.op == "conv" and 1 < step.options.get("groups", 1) < len(step.arrays["weight"])
        ]
        if unsupported:
            raise Unsupported("grouped convolutions, on a processor")

        def tensor(step: Step, name: str) -> Any:
            array = step.arrays[name]
            if id(array) not in made:
                made[id(array)] = tf.Variable(array, name=f"{step.name}_{name}") if variables else tf.constant(array)
            return made[id(array)]

        tensors = {step.name: {name: tensor(step, name) for name in step.arrays} for step in program.steps}
        module.kept = [item for step in tensors.values() for item in step.values()]

        def call(x: Any) -> Any:
            values = {"x": x}
            for step in program.steps:
                with tf.name_scope(step.name):
                    values[step.name] = _OPERATORS[step.op](tf, step, tensors[step.name], *(values[name] for name in step.inputs))
            return values["y"]

        spec = tf.TensorSpec([None, *program.shape], tf.int64 if program.words else tf.float32, "x")
        module.call = tf.function(call, input_signature=[spec], autograph=False)
        return module


def _linear(tf: Any, step: Step, arrays: Tensors, x: Any) -> Any:
    y = tf.matmul(x, arrays["weight"], transpose_b=True) if len(x.shape) == 2 else tf.einsum("brk,ok->bro", x, arrays["weight"])
    return y + arrays["bias"] if "bias" in arrays else y


def _quantized_linear(tf: Any, step: Step, arrays: Tensors, x: Any) -> Any:
    return tf.matmul(x, tf.cast(arrays["codes"], tf.float32) * arrays["scale"][:, None], transpose_b=True)


def _quantize(tf: Any, step: Step, arrays: Tensors, x: Any) -> Any:
    raise Unsupported("int8 codes around a zero point of 0: FakeQuant has 0 to 255")


def _last(tf: Any, x: Any) -> Any:
    return tf.transpose(x, (0, 2, 3, 1))


def _first(tf: Any, x: Any) -> Any:
    return tf.transpose(x, (0, 3, 1, 2))


def _conv(tf: Any, step: Step, arrays: Tensors, x: Any) -> Any:
    options, side = step.options, step.options.get("padding", 0)
    stride, dilation = options.get("stride", 1), options.get("dilation", 1)
    padding = ((0, 0), (side, side), (side, side), (0, 0))
    if options.get("groups", 1) > 1:  # depthwise: [out, 1, k, k] to [k, k, channels, 1]
        padded = tf.pad(_last(tf, x), padding)
        y = tf.nn.depthwise_conv2d(padded, tf.transpose(arrays["weight"], (2, 3, 0, 1)), (1, stride, stride, 1), "VALID")
    else:
        weight = tf.transpose(arrays["weight"], (2, 3, 1, 0))
        y = tf.nn.conv2d(_last(tf, x), weight, stride, padding if side else "VALID", dilations=dilation)
    return _first(tf, tf.nn.bias_add(y, arrays["bias"]) if "bias" in arrays else y)


def _batch_norm(tf: Any, step: Step, arrays: Tensors, x: Any) -> Any:
    parts = [arrays[name] for name in ("scale", "shift", "mean", "variance")]
    y, *_ = tf.compat.v1.nn.fused_batch_norm(_last(tf, x), *parts, epsilon=step.options["eps"], is_training=False)
    return _first(tf, y)


def _layer_norm(tf: Any, step: Step, arrays: Tensors, x: Any) -> Any:
    centred = x - tf.reduce_mean(x, -1, keepdims=True)
    variance = tf.reduce_mean(tf.square(centred), -1, keepdims=True)
    return centred * tf.math.rsqrt(variance + step.options["eps"]) * arrays["scale"] + arrays["shift"]


def _pool(kind: str) -> Callable[..., Any]:
    def pool(tf: Any, step: Step, arrays: Tensors, x: Any) -> Any:
        return _first(tf, getattr(tf.nn, kind)(_last(tf, x), step.options["kernel"], step.options["stride"], "VALID"))

    return pool


def _pad(tf: Any, step: Step, arrays: Tensors, x: Any) -> Any:
    side = step.options["padding"]
    return tf.pad(x, ((0, 0), (0, 0), (side, side), (side, side)))


def _slice(tf: Any, step: Step, arrays: Tensors, x: Any) -> Any:
    return x[(slice(None),) * step.options["axis"] + (slice(step.options["start"], step.options["end"]),)]


def _resize(tf: Any, step: Step, arrays: Tensors, x: Any) -> Any:
    size = [side * step.options["scale"] for side in x.shape[2:]]
    return _first(tf, tf.image.resize(_last(tf, x), size, "nearest"))


_OPERATORS: Mapping[str, Callable[..., Any]] = {
    "linear": _linear,
    "quantized_linear": _quantized_linear,
    "quantize": _quantize,
    "conv": _conv,
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "relu": lambda tf, step, arrays, x: tf.nn.relu(x),
    "relu6": lambda tf, step, arrays, x: tf.nn.relu6(x),
    "sigmoid": lambda tf, step, arrays, x: tf.sigmoid(x),
    "tanh": lambda tf, step, arrays, x: tf.tanh(x),
    "hard_swish": lambda tf, step, arrays, x: x * tf.nn.relu6(x + 3) / 6,
    "softmax": lambda tf, step, arrays, x: tf.nn.softmax(x),
    "add": lambda tf, step, arrays, x, y: x + y,
    "mul": lambda tf, step, arrays, x, y: x * y,
    "matmul": lambda tf, step, arrays, x, y: tf.matmul(x, y),
    "max_pool": _pool("max_pool2d"),
    "average_pool": _pool("avg_pool2d"),
    "global_average": lambda tf, step, arrays, x: tf.reduce_mean(x, (2, 3)),
    "reshape": lambda tf, step, arrays, x: tf.reshape(x, (-1, *step.options["shape"])),
    "transpose": lambda tf, step, arrays, x: tf.transpose(x, step.options["perm"]),
    "concat": lambda tf, step, arrays, *parts: tf.concat(parts, step.options["axis"]),
    "pad": _pad,
    "slice": _slice,
    "embedding": lambda tf, step, arrays, x: tf.gather(arrays["table"], x),
    "resize_nearest": _resize,
}
