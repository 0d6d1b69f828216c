"""Defects that are planted in the plugin of the notation, by name: mistakes of a translator, each in counter, loader, or both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from micronet_verify.testing import Step
from micronet_verify.testing.program import Array
from tests.testing.changes import (
    Change,
    along_rows,
    arrays,
    as_reshape,
    colliding,
    every,
    first_group,
    gates,
    nibbles,
    nothing,
    options,
    other,
    pairs_swapped,
    scaled_inputs,
    swapped,
    turned_over,
    without,
)

_WINDOWS, _POOLS = "conv conv_transposed", "max_pool average_pool"


def _scaled(factor: float) -> Change:
    return every("quantize", lambda step: arrays(step, lambda scale: np.asarray(scale * np.float32(factor), np.float32), "scale"))


def _early(step: Step) -> Step:
    start, end = step.options["start"], step.options["end"]
    return options(step, start=0, end=end - start)


def _zero_pads(step: Step) -> Step | tuple[Step, ...]:
    """A max pool whose padding is zeros, which may win."""
    if not step.options.get("padding"):
        return step
    padded = f"{step.name}.padded"
    return Step("pad", step.inputs, {}, {"padding": step.options["padding"]}, padded), replace(options(step, padding=0), inputs=(padded,))


def _from_start(step: Step) -> Step:
    """A loop that forgets what its last turn made: every turn begins with the first state."""
    return replace(
        step,
        bodies=(
            tuple(replace(inner, inputs=tuple(step.inputs[0] if n == "state" else n for n in inner.inputs)) for inner in step.bodies[0]),
        ),
    )


def _ties_away(step: Step) -> tuple[Step, ...]:
    """What lies between two codes is moved away from zero before it is rounded: by a thousandth, which only ties feel."""
    more = f"{step.name}.more"
    eye = np.eye(8, dtype=np.float32) * np.float32(1.001)
    return Step("linear", step.inputs, {"weight": eye}, {}, more), replace(step, inputs=(more,))


def _other_axes(step: Step) -> tuple[Step, ...]:
    """A mean over channels and height."""
    turned = f"{step.name}.turned"
    return Step("transpose", step.inputs, {}, {"perm": (0, 3, 1, 2)}, turned), replace(step, inputs=(turned,))


def _names_of_first(step: Step) -> Step:
    """Tensors of the second body that have the names of the first's are these."""
    known = {inner.name: inner for inner in step.bodies[0]}
    second = tuple(known[inner.name] if inner.arrays and inner.name in known else inner for inner in step.bodies[1])
    return step if second == step.bodies[1] else replace(step, bodies=(step.bodies[0], second))


def _taken_apart(array: Array) -> Array:
    return array.reshape(2, -1, *array.shape[1:]).swapaxes(0, 1).reshape(array.shape)


CHANGES: Mapping[str, Change] = {
    "wrong axis": every("softmax", along_rows),
    "wrong axis of a concatenation": every("concat", lambda step: options(step, axis=2)),
    "dropped bias": every("linear conv", lambda step: without(step, "bias")),
    "dropped bias of an LSTM": every("lstm", lambda step: arrays(step, np.zeros_like, "bias")),
    "wrong stride": every(_WINDOWS, lambda step: options(step, stride=1) if "stride" in step.options else step),
    "strides of height and width swapped": every(f"{_WINDOWS} {_POOLS}", lambda step: pairs_swapped(step, "stride")),
    "wrong padding": every(_WINDOWS, lambda step: options(step, padding=0) if "padding" in step.options else step),
    "padding of height and width swapped": every("conv", lambda step: pairs_swapped(step, "padding")),
    "padding at the wrong end": every(
        "conv", lambda step: options(step, padding=step.options["padding_end"], padding_end=0) if "padding_end" in step.options else step
    ),
    "padding at both ends": every(
        "conv", lambda step: options(step, padding=step.options["padding_end"]) if "padding_end" in step.options else step
    ),
    "sides of a pad swapped": every("pad", lambda step: pairs_swapped(step, "padding")),
    "sides of a resize swapped": every("resize_nearest", lambda step: pairs_swapped(step, "scale")),
    "scales along the other axis": every("quantized_linear", scaled_inputs),
    "mean over other axes": every("global_average", _other_axes),
    "transposed operand of a product": every("matmul", lambda step: replace(step, inputs=(step.inputs[0], "x"))),
    "operands of a product swapped": every("matmul", lambda step: replace(step, inputs=step.inputs[::-1])),
    "names of one body in the other": every("branch", _names_of_first),
    "wrong dilation": every("conv", lambda step: pairs_swapped(step, "dilation")),
    "dropped dilation": every("conv", lambda step: options(step, dilation=1) if "dilation" in step.options else step),
    "dropped group": every(_WINDOWS, first_group),
    "groups in another order": every(
        _WINDOWS, lambda step: arrays(step, _taken_apart, "weight") if step.options.get("groups") == 2 else step
    ),
    "convolution for correlation": every("conv", lambda step: arrays(step, lambda weight: weight[..., ::-1, ::-1], "weight")),
    "dropped output padding": every(
        "conv_transposed", lambda step: options(step, output_padding=0) if "output_padding" in step.options else step
    ),
    "transposed square weights": every("linear conv", lambda step: arrays(step, turned_over, "weight")),
    "kernel's height and width swapped": every(
        "conv", lambda step: arrays(step, lambda w: w.swapaxes(2, 3) if w.shape[2] == w.shape[3] else w, "weight")
    ),
    "ignored activation quantization": every("quantize", nothing),
    "scale of a fake quantizer": _scaled(2.0),
    "scale of a fake quantizer, by a twentieth": _scaled(1.05),
    "ties rounded away from zero": every("quantize", _ties_away),
    "a step of a slice left out": every("slice", lambda step: options(step, step=1) if "step" in step.options else step),
    "mean along another axis": every("mean", lambda step: options(step, axis=2)),
    "zero point of activations ignored": every("quantize", lambda step: without(step, "zero")),
    "zero points of weights ignored": every("quantized_linear", lambda step: arrays(step, np.zeros_like, "zero")),
    "int8 read as uint8": every(
        "quantized_linear", lambda step: arrays(step, lambda codes: codes.view(np.uint8) if codes.dtype == np.int8 else codes, "codes")
    ),
    "uint8 read as int8": every(
        "quantized_linear", lambda step: arrays(step, lambda codes: codes.view(np.int8) if codes.dtype == np.uint8 else codes, "codes")
    ),
    "int4 nibbles swapped": every("quantized_linear", nibbles),
    "one scale for all outputs": every("quantized_linear", lambda step: arrays(step, lambda scale: np.full_like(scale, scale[0]), "scale")),
    "wrong type": every("linear", lambda step: arrays(step, lambda w: w.view(np.int32).astype(np.float32), "weight")),
    "half read as bfloat16": every(
        "linear",
        lambda step: arrays(step, lambda w: _bfloat16(w) if w.dtype == np.float16 else w, "weight"),
    ),
    "constant not stored": every("linear", lambda step: arrays(step, lambda bias: np.full_like(bias, bias.flat[0]), "bias")),
    "name collisions": colliding,
    "BN eps": every("batch_norm layer_norm", lambda step: options(step, eps=1e-5)),
    "mean and variance swapped": every("batch_norm", lambda step: swapped(step, "mean", "variance")),
    "scale and shift swapped": every("batch_norm layer_norm", lambda step: swapped(step, "scale", "shift")),
    "transpose as reshape": as_reshape,
    "inverse transpose": every("transpose", lambda step: options(step, perm=tuple(int(at) for at in np.argsort(step.options["perm"])))),
    "dropped transpose": every("transpose", nothing),
    "slice start": every("slice", _early),
    "Add for Sub": every("sub", other("add")),
    "Mul for Div": every("div", other("mul")),
    "operands of Sub swapped": every("sub", lambda step: replace(step, inputs=step.inputs[::-1])),
    "operands of Div swapped": every("div", lambda step: replace(step, inputs=step.inputs[::-1])),
    "concat order": every("concat", lambda step: replace(step, inputs=step.inputs[::-1])),
    "count_include_pad": every(
        "average_pool",
        lambda step: options(step, counts_padding=not step.options.get("counts_padding")) if "padding" in step.options else step,
    ),
    "padding that wins": every("max_pool", _zero_pads),
    "wrong pool stride": every(_POOLS, lambda step: options(step, stride=step.options["kernel"])),
    "dropped pool padding": every(_POOLS, lambda step: options(step, padding=0) if "padding" in step.options else step),
    "mean for maximum": every("max_pool", other("average_pool")),
    "dropped upper bound": every("relu6", other("relu")),
    "dropped bounds of hard-swish": every("hard_swish", lambda step: replace(step, op="mul", inputs=step.inputs * 2)),
    "dropped bound of relu": every("relu", nothing),
    "softmax for its logarithm": every("log_softmax", other("softmax")),
    "LSTM gates in ONNX's order": every("lstm", gates("iofg")),
    "LSTM gates in Keras's order": every("lstm", gates("igfo")),
    "recurrent weights transposed": every(
        "lstm", lambda step: arrays(step, lambda w: np.concatenate([x.T for x in np.split(w, 4)]), "w_hh")
    ),
    "a turn too few": every("loop", lambda step: options(step, trips=step.options["trips"] - 1)),
    "a state that is not carried": every("loop", _from_start),
    "last state for all": every("loop", lambda step: options(step, collected=not step.options.get("collected"))),
    "then and else swapped": every("branch", lambda step: replace(step, bodies=step.bodies[::-1])),
    "another threshold": every("above", lambda step: options(step, than=0.0)),
    "states of a step swapped": lambda program: (
        replace(program, states=tuple(replace(one, after=two.after) for one, two in zip(program.states, program.states[::-1], strict=True)))
        if program.states
        else program
    ),
    "another state handed on": lambda program: (
        replace(program, states=tuple(replace(state, after="n") for state in program.states)) if program.states else program
    ),
    "one table row too late": every("embedding", lambda step: arrays(step, lambda table: np.roll(table, 1, 0), "table")),
    "rows and columns resized in another order": every(
        "resize_nearest",
        lambda step: (
            Step("transpose", step.inputs, {}, {"perm": (0, 1, 3, 2)}, f"{step.name}.turned"),
            replace(step, inputs=(f"{step.name}.turned",)),
        ),
    ),
}


def _bfloat16(array: Array) -> Array:
    """The bits of float16 as those of bfloat16."""
    return (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
