"""Defects of the PyTorch plugin's op rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from micronet_verify_pytorch import control, op_table, ops_layers, ops_reduce
from micronet_verify_pytorch import ops_elementwise as elementwise
from micronet_verify_pytorch import ops_index as index
from micronet_verify_pytorch import ops_recurrent as recurrent
from micronet_verify_pytorch.call import Call
from micronet_verify_pytorch.ops_attention import attention

from micronet_verify.facts.formats import numeric_format
from micronet_verify.facts.graph import Value
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.translation import recurrent as lowering
from tests.mutants.planting import Emission, Plant, emits, misreads, more, replaced, sets, square, takes, times


def line(name: str, rule: Callable[[Call], Any]) -> Plant:
    """Another rule in the op table."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        table = {**op_table.TABLE, name: replace(op_table.TABLE[name], rule=rule)}
        monkeypatch.setattr(op_table, "TABLE", table)

    return plant


def reads(operator: str, name: str, change: Any) -> Plant:
    """The rule takes an argument for another one."""
    return misreads(Call, operator, "raw", name, change)


def _one_input_a_group(e: Emission) -> None:
    """Of a weight of two input channels a group the second one is dropped."""
    if e.attributes["groups"] == 4:
        e.inputs[1] = e.builder.emit("move", e.inputs[1], op="slice", axes=(1,), starts=(0,), ends=(1,), steps=(1,))
        e.attributes["groups"] = 8


def _slope_not_read(call: Call) -> Value:
    call.ignore("negative_slope")
    return call.builder.elementwise("leaky_relu", call.tensor(), alpha=0.01)


def _nothing_done(call: Call) -> Value:
    call.ignore(*call.names())
    return call.tensor()


IMAGES: dict[str, Plant] = {
    "strides in the other order": sets("aten.conv2d", "conv", {"stride": (3, 2)}, stride=(2, 3)),
    "padding at the end alone": sets("aten.conv2d", "conv", {"padding": (1, 0, 1, 0)}, padding=(0, 0, 2, 0)),
    "no dilation": sets("aten.conv2d", "conv", {"dilation": (2, 2)}, dilation=(1, 1), padding=(1,) * 4),
    "a group for each channel": emits("aten.conv2d", "conv", _one_input_a_group),
    "no bias of a convolution": takes("aten.conv2d", "conv", 0, 1),
    "no bias of a transposed convolution": takes("aten.conv_transpose2d", "conv", 0, 1),
    "transposed convolution: padding at the end": sets("aten.conv_transpose2d", "conv", padding=(0, 0, 2, 2)),
    "transposed convolution: channels in and out exchanged": emits("aten.conv_transpose2d", "conv", lambda e: e.turn(1, (1, 0, 2, 3))),
    "transposed convolution: kernel on its side": emits("aten.conv_transpose2d", "conv", lambda e: e.turn(1, (0, 1, 3, 2))),
    "batch norm: mean and variance exchanged": takes("aten.batch_norm", "normalise", 0, 2, 1, 3, 4),
    "batch norm: scale and shift exchanged": takes("aten.batch_norm", "normalise", 0, 1, 2, 4, 3),
    "batch norm: no shift": takes("aten.batch_norm", "normalise", 0, 1, 2, 3),
    "batch norm: eps ten times too large": sets("aten.batch_norm", "normalise", eps=times(10)),
    "group norm: four groups for two": reads("aten.group_norm", "num_groups", 4),
    "group norm: one group": reads("aten.group_norm", "num_groups", 1),
    "group norm: eps ten times too large": sets("aten.group_norm", "normalise", eps=times(10)),
    "relu6 without an upper bound": line("aten.relu6", elementwise.unary("relu", real=False)),
    "relu6 up to 6.5": sets("aten.relu6", "elementwise", high=6.5),
    "hard swish as swish": line("aten.hardswish", elementwise.unary("silu")),
    "hard sigmoid with ONNX's slope": sets("aten.hardsigmoid", "elementwise", alpha=0.2),
    "leaky relu: the slope is not read": line("aten.leaky_relu", _slope_not_read),
    "prelu: slopes from the last channel on": emits("aten.prelu", "elementwise", lambda e: e.flip(1, 0)),
    "a maximum for an average": line("aten.avg_pool2d", ops_layers.pool("max", 2)),
    "average pool: padding counts": reads("aten.avg_pool2d", "count_include_pad", True),
    "maximum pool: padding at the end": sets("aten.max_pool2d", "pool", padding=(0, 0, 2, 2)),
    "linear resize as nearest": sets("aten.upsample_bilinear2d", "resize", op="nearest"),
    "linear resize between corners": reads("aten.upsample_bilinear2d", "align_corners", True),
    "nearest resize rounds up": sets("aten.upsample_nearest2d", "resize", nearest="ceil"),
    "square weights transposed": emits("aten.linear", "matmul", square),
    "log softmax left out": line("aten.log_softmax", _nothing_done),
    "log softmax as softmax": line("aten.log_softmax", ops_reduce.softmax("softmax")),
}


def _keys_ask(call: Call) -> Value:
    call._arguments = {**call._arguments, "query": call.tensor("key"), "key": call.tensor("query")}
    return attention(call)


def _hidden_for_input(builder: GraphBuilder, x: Value, w: recurrent.Weights, state: recurrent.State) -> recurrent.State:
    return recurrent.lstm(builder, x, replace(w, input=w.hidden, hidden=w.input), state)


def _from_the_end(builder: GraphBuilder, x: Value, w: recurrent.Weights, state: recurrent.State) -> recurrent.State:
    return recurrent.lstm(builder, x, replace(w, reverse=True), state)


def _gates_of_onnx(builder: GraphBuilder, x: Value, w: recurrent.Weights, state: recurrent.State) -> recurrent.State:
    return lowering.lstm(builder, x, w.input, w.hidden, w.input_bias, w.hidden_bias, *state, gates="iofg")


def _no_alpha(call: Call) -> Value:
    call.ignore("alpha")
    return call.elementwise("sub", call.operand("self"), call.operand("other"))


TEXT: dict[str, Plant] = {
    "layer norm: eps ten times too large": sets("aten.layer_norm", "normalise", eps=times(10)),
    "layer norm: along the other axis": sets("aten.layer_norm", "normalise", axes=(1, 2)),
    "layer norm: no shift": takes("aten.layer_norm", "normalise", 0, 1),
    "rms norm as layer norm": sets("aten.rms_norm", "normalise", op="layer_norm"),
    "rms norm: eps ten times too small": sets("aten.rms_norm", "normalise", eps=times(0.1)),
    "attention: keys for queries": line("aten.scaled_dot_product_attention", _keys_ask),
    "attention: no causal mask": reads("aten.scaled_dot_product_attention", "is_causal", False),
    "attention: no scale": reads("aten.scaled_dot_product_attention", "scale", 1.0),
    "attention: softmax over queries": sets("aten.scaled_dot_product_attention", "softmax", axis=1),
    "square weights of rows transposed": emits("aten.linear", "matmul", square),
    "lstm: hidden weights for those of the input": line("aten.lstm", recurrent.layer(_hidden_for_input, 2)),
    "lstm: gates in ONNX's order": line("aten.lstm", recurrent.layer(_gates_of_onnx, 2)),
    "lstm: from the last step on": line("aten.lstm", recurrent.layer(_from_the_end, 2)),
    "addmm: alpha and beta exchanged": reads("aten.addmm", "alpha", 2),
    "addmm: its square factor transposed": emits("aten.addmm", "matmul", square),
    "argmin for argmax": line("aten.argmax", ops_reduce.arg_extreme("argmin")),
    "argmax along the other axis": sets("aten.argmax", "select", axis=0),
    "gelu by erf for gelu by tanh": sets("aten.gelu", "elementwise", op="gelu"),
    "elu: alpha of 1": reads("aten.elu", "alpha", 1.0),
    "softplus: no division by beta": sets("aten.softplus", "elementwise:div", op="mul"),
    "cumulative sum without its own element": sets("aten.cumsum", "cumulative", exclusive=True),
    "cumulative sum from the end": sets("aten.cumsum", "cumulative", reverse=True),
    "softmax along the other axis": sets("aten.softmax", "softmax", axis=1),
    "clamp: a lower bound of 0": reads("aten.clamp", "min", 0.0),
    "clamp: no upper bound": sets("aten.clamp", "elementwise", high=None),
    "variance without correction": sets("aten.var", "reduce", correction=None),
    "a minimum for a maximum": line("aten.amax", ops_reduce.reduce("min")),
    "sub: alpha is not read": line("aten.sub", _no_alpha),
    "sub: the operands exchanged": takes("aten.sub", "elementwise:sub", 1, 0),
    "remainder with the dividend's sign": line("aten.remainder", elementwise.binary("mod", rounding="trunc")),
    "topk: the largest": reads("aten.topk", "largest", True),
    "cat in the other order": emits("aten.cat", "move", lambda e: e.inputs.reverse()),
}


def _bodies_exchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    def exchanged(call: Call) -> Any:
        bodies = call.bodies(2)[::-1]
        monkeypatch.setattr(call, "bodies", lambda count: bodies)
        return control.cond(call)

    line("higher_order.cond", exchanged)(monkeypatch)


def _from_behind(call: Call, part: Value, length: int) -> Value:
    return call.elementwise("sub", length - 1, part)


PLACES: dict[str, Plant] = {
    "cond: its bodies exchanged": _bodies_exchanged,
    "index_select along the next axis": reads("aten.index_select", "dim", 3),
    "index_select by the inverse order": emits("aten.index_select", "permute", lambda e: e.flip(1, 0)),
    "gather along another axis": reads("aten.gather", "dim", 2),
    "scatter_add along another axis": reads("aten.scatter_add", "dim", 3),
    "scatter_add writes": sets("aten.scatter_add", "scatter", op="replace"),
    "index_add from the last place on": emits("aten.index_add", "scatter", lambda e: e.flip(1, 0)),
    "flip of another axis": reads("aten.flip", "dims", (3,)),
    "roll the other way": reads("aten.roll", "shifts", (-2,)),
    "slices begin one later": sets("aten.slice", "move", {"steps": (2,)}, starts=more(1), ends=more(1)),
    "a step of a slice left out": sets("aten.slice", "move", {"steps": (2,)}, steps=(1,), ends=more(-2)),
    "concatenation in the other order": emits("aten.cat", "move", lambda e: e.inputs.reverse()),
    "einsum: its square factor transposed": emits("aten.einsum", "matmul", square),
    "transpose of other axes": sets("aten.transpose", "move", perm=(0, 3, 2, 1)),
    "reflected padding with the edge": sets("aten.pad", "move", {"mode": "reflect"}, mode="symmetric"),
    "padding on the other side": sets("aten.pad", "move", {"mode": "reflect"}, padding=(0, 0, 1, 0, 0, 0, 1, 2)),
    "padding with zeros for a value": sets("aten.pad", "move", {"value": 0.5}, value=0.0),
    "where: the two values exchanged": takes("aten.where", "elementwise:where", 0, 2, 1),
    "less for greater": line("aten.gt", elementwise.compare("less")),
    "the lower triangle with its diagonal": reads("aten.tril", "diagonal", 0),
    "the upper triangle for the lower": line("aten.tril", elementwise.triangle(upper=True)),
    "select of the next element": sets("aten.select", "move", {"axes": (1,)}, starts=lambda at: (1 - at[0],), ends=lambda at: (3 - at[0],)),
    "stack in the other order": emits("aten.stack", "move:concat", lambda e: e.inputs.reverse()),
    "pixel shuffle: rows and columns of a block exchanged": sets("aten.pixel_shuffle", "move:transpose", perm=(0, 1, 4, 3, 5, 2)),
    "permute: not turned": sets("aten.permute", "move", perm=(0, 1, 2, 3)),
    "two indices exchanged": reads("aten.index", "indices", lambda found: (None, found[3], None, found[1])),
    "a mean for a sum": sets("aten.sum", "reduce", op="mean"),
    "index counted from the end": replaced(
        index, "_counted", lambda whole: lambda call, part, length: call.elementwise("sub", length - 1, part)
    ),
}


def _signed(e: Emission) -> None:
    """Codes from 0 to 255 are read as such from −128 to 127."""
    e.fmts = [numeric_format("int8") if fmt == numeric_format("uint8") else fmt for fmt in e.fmts]


def _scaled_up(e: Emission) -> None:
    e.inputs[1] = e.builder.elementwise("mul", e.inputs[1], e.builder.scalar(1.001))


CODES: dict[str, Plant] = {
    "codes from 0 to 255 as those from -128 to 127": emits("aten.fake_quantize_per_tensor_affine", "quantize", _signed),
    "zero point left out": takes("aten.fake_quantize_per_tensor_affine", "quantize", 0, 1),
    "zero point one too small": reads("aten.fake_quantize_per_tensor_affine", "zero_point", more(-1)),
    "a range as wide as the format": sets("aten.fake_quantize_per_tensor_affine", "quantize", low=None, high=None),
    "a range one code too short": reads("aten.fake_quantize_per_tensor_affine", "quant_max", more(-1)),
    "a range of weights one code too long": reads("aten.fake_quantize_per_channel_affine", "quant_min", more(-1)),
    "scales along the other axis": sets("aten.fake_quantize_per_channel_affine", "dequantize", axis=1),
    "zero points of the other channels": emits("aten.fake_quantize_per_channel_affine", "dequantize", lambda e: e.flip(2, 0)),
    "ties rounded up": sets("aten.fake_quantize_per_tensor_affine", "quantize", rounding="up"),
    "ties rounded away from 0": sets("aten.fake_quantize_per_tensor_affine", "quantize", rounding="away"),
    "a scale with an error of a thousandth": emits("aten.fake_quantize_per_tensor_affine", "dequantize", _scaled_up),
}

DEFECTS = {"images": IMAGES, "text": TEXT, "places": PLACES, "codes": CODES}
