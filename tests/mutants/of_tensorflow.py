"""Defects of the TensorFlow plugin's op rules."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from micronet_verify_tensorflow import ops_elementwise, ops_index, ops_layers, ops_quantize, translate
from micronet_verify_tensorflow.op import Op

from micronet_verify.facts.formats import numeric_format
from micronet_verify.framework.translation import elementwise
from tests.mutants.planting import Emission, Plant, begins_odd, emits, misreads, more, replaced, ruled, sets, square, takes, times

line = partial(ruled, translate)
reads = partial(misreads, Op)


def laid(operator: str, change: tuple[int, ...]) -> Plant:
    """The axes of a filter are read in another order."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        whole = Op.weight
        monkeypatch.setattr(Op, "weight", lambda self, at, perm: whole(self, at, change if self.kind == operator else perm))

    return plant


IMAGES: dict[str, Plant] = {
    "strides in the other order": sets("Conv2D", "conv", {"stride": (3, 2)}, stride=(2, 3)),
    "explicit padding all at the end": sets("Conv2D", "conv", {"padding": (1, 0, 1, 0)}, padding=(0, 0, 2, 0)),
    "a filter's height for its width": laid("Conv2D", (3, 2, 1, 0)),
    "no bias of a convolution": takes("Conv2D", "conv", 0, 1),
    "depthwise filter: height for width": laid("DepthwiseConv2dNative", (2, 3, 1, 0)),
    "blocks of a dilation in the other order": sets("SpaceToBatchND", "move:transpose", perm=(4, 2, 0, 1, 3, 5)),
    "transposed convolution: channels in and out exchanged": laid("Conv2DBackpropInput", (2, 3, 0, 1)),
    "transposed convolution: an odd rest at the begin": emits("Conv2DBackpropInput", "conv", begins_odd),
    "fused norm: mean and variance exchanged": takes("FusedBatchNormV3", "normalise", 0, 2, 1, 3, 4),
    "fused norm: scale and shift exchanged": takes("FusedBatchNormV3", "normalise", 0, 1, 2, 4, 3),
    "fused norm: eps ten times too large": reads("FusedBatchNormV3", "number", "epsilon", times(10)),
    "written norm: scale and shift exchanged": takes("AddV2", "normalise", 0, 1, 2, 4, 3),
    "written norm: eps ten times too large": sets("AddV2", "normalise", eps=times(10)),
    "written norm: variance for mean": takes("AddV2", "normalise", 0, 2, 2, 3, 4),
    "relu6 without an upper bound": line("Relu6", elementwise.unary("relu")),
    "relu6 up to 6.5": line("Relu6", elementwise.unary("clip", low=0.0, high=6.5)),
    "relu6 from −0.1 on": line("Relu6", elementwise.unary("clip", low=-0.1, high=6.0)),
    "an average for a maximum": line("MaxPool", ops_layers.pool("average")),
    "maximum pool: an odd rest at the begin": emits("MaxPool", "pool", begins_odd),
    "average pool: padding counts": sets("AvgPool", "pool", counts_padding=True),
    "average pool: an odd rest at the begin": emits("AvgPool", "pool", begins_odd),
    "leaky relu: TensorFlow's default slope": reads("LeakyRelu", "number", "alpha", 0.2),
    "elu as selu": line("Elu", elementwise.unary("selu", alpha=1.6732632423543772, gamma=1.0507009873554805)),
    "response norm: alpha of the whole window": sets("LRN", "normalise", alpha=times(0.2)),
    "response norm: a radius for a size": sets("LRN", "normalise", size=2, alpha=times(0.4)),
    "response norm: bias of 1": reads("LRN", "number", "bias", 1.0),
    "a square factor not transposed": reads("MatMul", "flag", "transpose_b", False),
    "a maximum for a mean": line("Mean", ops_layers.reduce("max")),
    "linear resize between corners": reads("ResizeBilinear", "flag", "align_corners", True),
    "linear resize from the edges": reads("ResizeBilinear", "flag", "half_pixel_centers", False),
    "nearest resize between centres": reads("ResizeNearestNeighbor", "flag", "half_pixel_centers", True),
    "concat in the other order": emits("ConcatV2", "move", lambda e: e.inputs.reverse()),
    "log softmax as softmax": line("LogSoftmax", ops_layers.softmax("softmax")),
}

TEXT: dict[str, Plant] = {
    "layer norm: eps ten times too large": sets("AddV2", "normalise", eps=times(10)),
    "layer norm: no shift": takes("AddV2", "normalise", 0, 1),
    "layer norm: scale and shift exchanged": takes("AddV2", "normalise", 0, 2, 1),
    "layer norm as rms norm": sets("AddV2", "normalise", op="rms_norm"),
    "layer norm over all axes": sets("AddV2", "normalise", axes=(1, 2)),
    "einsum: its square factor transposed": emits("Einsum", "matmul", square),
    "batched product: the right factor not transposed": reads("BatchMatMulV2", "flag", "adj_y", False),
    "batched product: the right factor transposed": emits("BatchMatMulV2", "matmul", square),
    "product: the left factor not transposed": reads("MatMul", "flag", "transpose_a", False),
    "softmax along the other axis": sets("Softmax", "softmax", axis=lambda axis: axis - 1),
    "unstacked along the other axis": reads("Unpack", "integer", "axis", 1),
    "tanh as sigmoid": line("Tanh", elementwise.unary("sigmoid")),
    "argmin for argmax": line("ArgMax", ops_layers.arg_extreme("argmin")),
    "argmax along the other axis": reads("ArgMax", "known_int", 1, 0),
    "look-up of the rows from the end": emits("ResourceGather", "lookup", lambda e: e.flip(0, 0)),
    "selu as elu": line("Selu", elementwise.unary("elu", alpha=1.0)),
    "cumulative sum with its own element": reads("Cumsum", "flag", "exclusive", False),
    "cumulative sum from the end": reads("Cumsum", "flag", "reverse", True),
    "cumulative sum along the other axis": reads("Cumsum", "known_int", 1, 1),
    "transpose: not turned": sets("Transpose", "move", perm=(0, 1)),
    "softplus as relu": line("Softplus", elementwise.unary("relu")),
    "a minimum for a maximum": line("Maximum", elementwise.binary("min")),
    "topk: the least": sets("TopKV2", "select", smallest=True),
    "topk: sorted along the other axis": emits("TopKV2", "select", lambda e: e.turn(0, (1, 0))),
    "a least value for a greatest": line("Max", ops_layers.reduce("min")),
    "floor mod with the dividend's sign": line("FloorMod", ops_elementwise.truncated_mod),
    "truncated mod with the divisor's sign": line("TruncateMod", elementwise.binary("mod")),
    "pow: a square": line("Pow", elementwise.unary("square")),
    "sub: the operands exchanged": takes("Sub", "elementwise", 1, 0),
    "div: the operands exchanged": takes("RealDiv", "elementwise", 1, 0),
    "a sum for a product": line("Prod", ops_layers.reduce("sum")),
    "erf as tanh": line("Erf", elementwise.unary("tanh")),
    "slice: one later": sets("StridedSlice", "move:slice", starts=more(1), ends=more(1)),
}


def _bodies_exchanged(whole: Any) -> Any:
    def function(self: Op, name: str) -> str:
        return str(whole(self, {"then_branch": "else_branch", "else_branch": "then_branch"}.get(name, name)))

    return function


PLACES: dict[str, Plant] = {
    "gather along the next axis": sets("GatherV2", "permute", axis=3),
    "gather by the inverse order": emits("GatherV2", "permute", lambda e: e.flip(1, 0)),
    "gather in batches along another axis": sets("GatherV2", "lookup", axis=2),
    "scatter by tuples writes": line("TensorScatterAdd", ops_index.scatter("replace")),
    "scatter by tuples adds": line("TensorScatterUpdate", ops_index.scatter("add")),
    "scatter by tuples in the other order": emits("TensorScatterAdd", "scatter", lambda e: e.flip(1, 0)),
    "scatter by tuples: updates in the other order": emits("TensorScatterUpdate", "scatter", lambda e: e.flip(2, 0)),
    "reverse of another axis": reads("ReverseV2", "known_ints", 1, (3,)),
    "a slice backwards is not turned": sets("StridedSlice", "permute", axis=3),
    "a slice begins one later": sets("StridedSlice", "move", {"steps": (2,)}, starts=more(1), ends=more(1)),
    "a step of a slice left out": sets("StridedSlice", "move", {"steps": (2,)}, steps=(1,), ends=more(-1)),
    "concat in the other order": emits("ConcatV2", "move", lambda e: e.inputs.reverse()),
    "batched product: a square factor transposed": emits("BatchMatMulV2", "matmul", square),
    "transpose of other axes": reads("Transpose", "known_ints", 1, (0, 3, 2, 1)),
    "reflected padding with the edge": reads("MirrorPad", "text", "mode", "SYMMETRIC"),
    "reflected padding at the end": sets("MirrorPad", "move", padding=(0, 0, 0, 0, 0, 0, 1, 2)),
    "padding with zeros for a value": sets("PadV2", "move", value=0.0),
    "padding on the other side": sets("PadV2", "move", padding=(0, 0, 0, 1, 0, 0, 0, 0)),
    "where: the two values exchanged": takes("SelectV2", "elementwise", 0, 2, 1),
    "less for greater": line("Greater", elementwise.binary("less")),
    "band: its two widths exchanged": reads("MatrixBandPart", "known_int", 1, 2),
    "split: the parts from the end": emits("SplitV", "move", lambda e: e.flip(0, 1)),
    "stack in the other order": emits("Pack", "move:concat", lambda e: e.inputs.reverse()),
    "depth to space: rows and columns of a block exchanged": sets("DepthToSpace", "move:transpose", perm=(0, 1, 4, 2, 3, 5)),
    "space to depth: rows and columns of a block exchanged": sets("SpaceToDepth", "move:transpose", perm=(0, 1, 3, 4, 2, 5)),
    "gather by tuples from the end": emits("GatherNd", "permute", lambda e: e.flip(0, 0)),
    "a mean for a sum": line("Sum", ops_layers.reduce("mean")),
    "one hot: on and off exchanged": takes("OneHot", "elementwise:where", 0, 2, 1),
    "argmax along the other axis": reads("ArgMax", "known_int", 1, 1),
    "if: its bodies exchanged": replaced(Op, "function", _bodies_exchanged),
    "neg as abs": line("Neg", elementwise.unary("abs")),
}


def _signed(e: Emission) -> None:
    """Codes from 0 to 255 are read as such from −128 to 127."""
    e.fmts = [numeric_format("int8") if fmt == numeric_format("uint8") else fmt for fmt in e.fmts]


ARGS, VARS, CHANNELS = "FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel"
CODES: dict[str, Plant] = {
    "codes from 0 to 255 as those from -128 to 127": emits(ARGS, "quantize", _signed),
    "no zero points": emits(VARS, "quantize", lambda e: e.inputs.pop()),
    "zero point of a dequantizer left out": takes(VARS, "dequantize", 0, 1),
    "a zero point of one more": replaced(ops_quantize, "_zero_point", lambda whole: lambda *asked: min(whole(*asked) + 1, 31)),
    "ties to even numbers": sets(ARGS, "quantize", rounding="even"),
    "ties to even numbers, before the zero point": sets(ARGS, "quantize", rounding="even", zero_first=None),
    "narrow range left out": reads(ARGS, "flag", "narrow_range", False),
    "narrow range of weights left out": reads(CHANNELS, "flag", "narrow_range", False),
    "bounds of 8 bits": reads(VARS, "integer", "num_bits", 8),
    "scales along the other axis": sets(CHANNELS, "dequantize", axis=1),
    "scales of the other channels": emits(CHANNELS, "dequantize", lambda e: e.flip(1, 0)),
    "zero points of the other channels": emits(CHANNELS, "quantize", lambda e: e.flip(2, 0)),
    "a greatest value of a hundredth more": reads(ARGS, "number", "max", lambda found: found * 1.01),
    "a range one code too short": sets(ARGS, "quantize", high=lambda found: 126.0),
}

DEFECTS = {"images": IMAGES, "text": TEXT, "places": PLACES, "codes": CODES}
