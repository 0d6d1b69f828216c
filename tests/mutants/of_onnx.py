"""Defects of the ONNX plugin's op rules."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from micronet_verify_onnx import ops_linear, ops_quantize, ops_recurrent, ops_reduce, translate
from micronet_verify_onnx import ops_pool as pools
from micronet_verify_onnx.op import Op, Rule

from micronet_verify.facts.formats import numeric_format
from micronet_verify.framework.translation import elementwise, recurrent
from tests.mutants.planting import Emission, Plant, emits, misreads, more, replaced, ruled, sets, square, takes, times

reads = partial(misreads, Op)


def line(name: str, rule: Rule) -> Plant:
    """Another rule in the op table for an operator of ONNX's own domain."""
    return ruled(translate, ("", name), rule)


def gates(name: str, order: str) -> Plant:
    """A recurrent layer whose blocks of rows stand in another order."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        whole = getattr(recurrent, name)
        monkeypatch.setattr(recurrent, name, lambda *operands, **more: whole(*operands, **{**more, "gates": order}))

    return plant


def weights(change: Callable[[list[Any]], list[Any]]) -> Plant:
    """The weights of a direction: of the input, of the state, and both biases."""
    return replaced(ops_recurrent, "_weights", lambda whole: lambda *asked: tuple(change(list(whole(*asked)))))


IMAGES: dict[str, Plant] = {
    "strides in the other order": reads("Conv", "integers", "strides", lambda found: (2, 3) if found == (3, 2) else found),
    "padding: all begins are at the end": sets("Conv", "conv", {"padding": (1, 0, 1, 0)}, padding=(0, 0, 2, 0)),
    "no dilation": sets("Conv", "conv", {"dilation": (2, 2)}, dilation=(1, 1), padding=(1,) * 4),
    "no bias of a convolution": replaced(ops_linear, "given", lambda whole: lambda value: ()),
    "kernels on their side": emits("Conv", "conv", lambda e: e.turn(1, (0, 1, 3, 2))),
    "transposed convolution: padding at the end": sets("ConvTranspose", "conv", padding=(0, 0, 2, 2)),
    "transposed convolution: channels in and out exchanged": emits("ConvTranspose", "conv", lambda e: e.turn(1, (1, 0, 2, 3))),
    "transposed convolution: output padding before": sets("ConvTranspose", "conv", output_padding=None, padding=(0, 0, 1, 1)),
    "batch norm: mean and variance exchanged": takes("BatchNormalization", "normalise", 0, 2, 1, 3, 4),
    "batch norm: scale and shift exchanged": takes("BatchNormalization", "normalise", 0, 1, 2, 4, 3),
    "batch norm: eps ten times too large": reads("BatchNormalization", "number", "epsilon", times(10)),
    "instance norm: its scale left out": takes("InstanceNormalization", "normalise", 0),
    "instance norm: of all channels": sets("InstanceNormalization", "normalise", op="group_norm", groups=1),
    "instance norm: eps ten times too large": sets("InstanceNormalization", "normalise", eps=times(10)),
    "response norm: another size": reads("LRN", "integer", "size", 5),
    "response norm: beta of ONNX's default": reads("LRN", "number", "beta", 0.75),
    "response norm: alpha is not divided by the size": reads("LRN", "number", "alpha", times(3)),
    "clip: no upper bound": sets("Clip", "elementwise", high=None),
    "clip: another lower bound": sets("Clip", "elementwise", low=0.1),
    "hard swish as swish": line("HardSwish", elementwise.unary("silu")),
    "hard sigmoid with torch's slope": sets("HardSigmoid", "elementwise", alpha=1 / 6),
    "hard sigmoid: its offset left out": reads("HardSigmoid", "number", "beta", 0.5),
    "leaky relu: ONNX's default slope": reads("LeakyRelu", "number", "alpha", 0.01),
    "prelu: slopes from the last channel on": emits("PRelu", "elementwise", lambda e: e.flip(1, 0)),
    "a maximum for an average": line("AveragePool", pools.pool("max")),
    "average pool: padding counts": reads("AveragePool", "integer", "count_include_pad", 1),
    "maximum pool: padding at the end": sets("MaxPool", "pool", padding=(0, 0, 2, 2)),
    "gemm: its square factor not transposed": reads("Gemm", "integer", "transB", lambda found: 0),
    "gemm: alpha left out": reads("Gemm", "number", "alpha", 1.0),
    "gemm: beta for alpha": reads("Gemm", "number", "alpha", 2.0),
    "linear resize between corners": sets("Resize", "resize", {"op": "linear"}, coordinates="align_corners"),
    "linear resize from the edges": sets("Resize", "resize", {"op": "linear"}, coordinates="asymmetric"),
    "nearest resize rounds up": reads("Resize", "text", "nearest_mode", "ceil"),
    "concat in the other order": emits("Concat", "move", lambda e: e.inputs.reverse()),
}

TEXT: dict[str, Plant] = {
    "layer norm: eps ten times too large": reads("LayerNormalization", "number", "epsilon", times(10)),
    "layer norm: over all axes": reads("LayerNormalization", "integer", "axis", 1),
    "layer norm: no shift": takes("LayerNormalization", "normalise", 0, 1),
    "layer norm as rms norm": sets("LayerNormalization", "normalise", op="rms_norm"),
    "matmul: a square factor transposed": emits("MatMul", "matmul", square),
    "softmax along the other axis": reads("Softmax", "integer", "axis", 1),
    "lstm: gates in torch's order": gates("lstm", "ifgo"),
    "lstm: hidden weights for those of the input": weights(lambda found: [found[1], found[0], *found[2:]]),
    "lstm: biases left out": weights(lambda found: [*found[:2], None, None]),
    "gru: gates in torch's order": gates("gru", "rzn"),
    "gru: the reset comes after the product": reads("GRU", "integer", "linear_before_reset", 1),
    "lstm: from the last step on": reads("LSTM", "text", "direction", "reverse"),
    "gemm: its left factor not transposed": reads("Gemm", "integer", "transA", 0),
    "gemm: beta left out": reads("Gemm", "number", "beta", 1.0),
    "argmin for argmax": line("ArgMax", ops_reduce.arg_extreme("argmin")),
    "argmax along the other axis": reads("ArgMax", "integer", "axis", 0),
    "gelu by tanh": sets("Gelu", "elementwise", op="gelu_tanh"),
    "elu: alpha of 1": reads("Elu", "number", "alpha", 1.0),
    "cumulative sum with its own element": reads("CumSum", "integer", "exclusive", 0),
    "cumulative sum from the end": reads("CumSum", "integer", "reverse", 1),
    "cumulative sum along the other axis": reads("CumSum", "known_ints", 1, (1,)),
    "softplus as relu": line("Softplus", elementwise.unary("relu")),
    "clip: a lower bound of 0": sets("Clip", "elementwise", low=0.0),
    "einsum: its square factor transposed": reads("Einsum", "text", "equation", "ab,cb->ac"),
    "a norm of order 1": line("ReduceL2", ops_reduce.reduce("l1")),
    "a minimum for a maximum": line("ReduceMax", ops_reduce.reduce("min")),
    "sub: the operands exchanged": takes("Sub", "elementwise", 1, 0),
    "div: the operands exchanged": takes("Div", "elementwise", 1, 0),
    "mod with the divisor's sign": reads("Mod", "integer", "fmod", 0),
    "topk: the largest": reads("TopK", "integer", "largest", 1),
    "topk along the other axis": reads("TopK", "integer", "axis", 1),
    "pow: a square": line("Pow", elementwise.unary("square")),
    "slice: one later": sets("Slice", "move", starts=more(1), ends=more(1)),
    "look-up of the rows from the end": emits("Gather", "lookup", lambda e: e.flip(0, 0)),
}


def _bodies_exchanged(whole: Any) -> Any:
    def branch(self: Op, name: str) -> Any:
        other = {"then_branch": "else_branch", "else_branch": "then_branch"}
        return whole(self, other.get(name, name))

    return branch


PLACES: dict[str, Plant] = {
    "gather along the next axis": reads("Gather", "integer", "axis", 3),
    "gather by the inverse order": emits("Gather", "permute", lambda e: e.flip(1, 0)),
    "gather of elements along another axis": reads("GatherElements", "integer", "axis", 2),
    "scatter of elements along another axis": reads("ScatterElements", "integer", "axis", 3),
    "scatter of elements writes": reads("ScatterElements", "text", "reduction", "none"),
    "scatter by tuples adds": reads("ScatterND", "text", "reduction", "add"),
    "scatter by tuples in the other order": emits("ScatterND", "scatter", lambda e: e.flip(1, 0)),
    "a slice backwards is not turned": sets("Slice", "permute", axis=3),
    "a slice begins one later": sets("Slice", "move", {"steps": (2,)}, starts=more(1), ends=more(1)),
    "a step of a slice left out": sets("Slice", "move", {"steps": (2,)}, steps=(1,), ends=more(-2)),
    "concat in the other order": emits("Concat", "move", lambda e: e.inputs.reverse()),
    "matmul: a square factor transposed": emits("MatMul", "matmul", square),
    "transpose of other axes": reads("Transpose", "integers", "perm", (0, 3, 2, 1)),
    "reflected padding with the edge": sets("Pad", "move", {"mode": "reflect"}, mode="symmetric"),
    "reflected padding at the end": sets("Pad", "move", {"mode": "reflect"}, padding=(0, 0, 0, 0, 0, 0, 1, 2)),
    "padding with zeros for a value": sets("Pad", "move", {"value": 0.5}, value=0.0),
    "where: the two values exchanged": takes("Where", "elementwise", 0, 2, 1),
    "less for greater": line("Greater", elementwise.binary("less")),
    "the lower triangle for the upper": reads("Trilu", "integer", "upper", 0),
    "another diagonal of a triangle": reads("Trilu", "known_ints", 1, (0,)),
    "split: the sizes exchanged": emits("Split", "move", lambda e: e.flip(0, 1)),
    "a sum for a mean": sets("ReduceMean", "reduce", op="sum"),
    "depth to space: blocks outside": reads("DepthToSpace", "text", "mode", "DCR"),
    "space to depth: rows and columns of a block exchanged": sets("SpaceToDepth", "move:transpose", perm=(0, 5, 3, 1, 2, 4)),
    "gather by tuples in the other order": emits("GatherND", "lookup", lambda e: e.flip(1, 2)),
    "a mean for a sum": sets("ReduceSum", "reduce", op="mean"),
    "if: its bodies exchanged": replaced(Op, "graph", _bodies_exchanged),
    "neg as abs": line("Neg", elementwise.unary("abs")),
}


def _signed(e: Emission) -> None:
    """Codes from 0 to 255 are read as such from −128 to 127."""
    e.fmts = [numeric_format("int8") if fmt == numeric_format("uint8") else fmt for fmt in e.fmts]


CODES: dict[str, Plant] = {
    "codes from 0 to 255 as those from -128 to 127": emits("QuantizeLinear", "quantize", _signed),
    "no zero points": replaced(ops_quantize, "_zero", lambda whole: lambda zero: ()),
    "zero point of a quantizer left out": takes("QuantizeLinear", "quantize", 0, 1),
    "zero point of a dequantizer left out": takes("DequantizeLinear", "dequantize", 0, 1),
    "ties rounded up": sets("QuantizeLinear", "quantize", rounding="up"),
    "ties rounded away from 0": sets("QuantizeLinear", "quantize", rounding="away"),
    "scales along the other axis": sets("DequantizeLinear", "dequantize", {"axis": 0}, axis=1),
    "zero points of the other channels": emits(
        "DequantizeLinear", "dequantize", lambda e: e.flip(2, 0) if e.attributes["axis"] == 0 else None
    ),
    "scales of the other channels": emits("DequantizeLinear", "dequantize", lambda e: e.flip(1, 0) if e.attributes["axis"] == 0 else None),
    "a range one code too short": sets("QuantizeLinear", "quantize", high=lambda found: 126.0),
    "integer convolution: no zero points": takes("ConvInteger", "dequantize", 0, 1),
    "integer convolution: its square weight transposed": emits("ConvInteger", "conv", lambda e: e.turn(1, (1, 0, 2, 3))),
    "integer product: factors exchanged": emits("QLinearMatMul", "matmul", lambda e: e.turn(1, (1, 0))),
    "integer product: no zero point of the result": takes("QLinearMatMul", "quantize", 0, 1),
}

DEFECTS = {"images": IMAGES, "text": TEXT, "places": PLACES, "codes": CODES}
