"""Defects of the TFLite plugin's op rules."""

from __future__ import annotations

from functools import partial

import pytest
from micronet_verify_tflite import ops_layers, translate
from micronet_verify_tflite.op import Op
from micronet_verify_tflite.operands import Scaling

from micronet_verify.facts.formats import numeric_format
from micronet_verify.framework.translation import elementwise
from tests.mutants.planting import Emission, Plant, begins_odd, emits, misreads, more, replaced, ruled, sets, square, takes, times

line = partial(ruled, translate)
reads = partial(misreads, Op)


def laid(operator: str, change: tuple[int, ...]) -> Plant:
    """The axes of a filter are read in another order."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        whole = Op.real
        monkeypatch.setattr(
            Op, "real", lambda self, at=0, perm=None: whole(self, at, change if perm and self.kind == operator and at == 1 else perm)
        )

    return plant


IMAGES: dict[str, Plant] = {
    "strides in the other order": sets("CONV_2D", "conv", {"stride": (3, 2)}, stride=(2, 3)),
    "a filter's height for its width": laid("CONV_2D", (0, 3, 2, 1)),
    "no bias of a convolution": takes("CONV_2D", "conv", 0, 1),
    "a fused relu6 without an upper bound": sets("CONV_2D", "elementwise", high=None),
    "no fused activation": replaced(Op, "activated", lambda whole: lambda self, value: value),
    "padding of the data at the end": sets("PAD", "move", padding=(0, 0, 0, 0, 0, 2, 0, 0)),
    "depthwise filter: height for width": laid("DEPTHWISE_CONV_2D", (3, 0, 2, 1)),
    "no dilation": sets("DEPTHWISE_CONV_2D", "conv", dilation=(1, 1), padding=(1,) * 4),
    "hard swish as swish": line("HARD_SWISH", elementwise.unary("silu")),
    "an average for a maximum": line("MAX_POOL_2D", ops_layers.pool("average")),
    "maximum pool: an odd rest at the begin": emits("MAX_POOL_2D", "pool", begins_odd),
    "average pool: padding counts": sets("AVERAGE_POOL_2D", "pool", counts_padding=True),
    "average pool: an odd rest at the begin": emits("AVERAGE_POOL_2D", "pool", begins_odd),
    "leaky relu: another slope": sets("LEAKY_RELU", "elementwise", alpha=0.2),
    "transposed convolution: channels in and out exchanged": laid("TRANSPOSE_CONV", (0, 3, 1, 2)),
    "transposed convolution: an odd rest at the begin": emits("TRANSPOSE_CONV", "conv", begins_odd),
    "response norm: alpha of the whole window": sets("LOCAL_RESPONSE_NORMALIZATION", "normalise", alpha=times(0.2)),
    "response norm: bias of 1": reads("LOCAL_RESPONSE_NORMALIZATION", "number_option", "bias", 1.0),
    "a maximum for a mean": line("MEAN", ops_layers.reduce("max")),
    "a square factor transposed": emits("FULLY_CONNECTED", "matmul", square),
    "elu as relu": line("ELU", elementwise.unary("relu")),
    "linear resize between corners": reads("RESIZE_BILINEAR", "option", "align_corners", True),
    "linear resize from the edges": reads("RESIZE_BILINEAR", "option", "half_pixel_centers", False),
    "nearest resize between centres": reads("RESIZE_NEAREST_NEIGHBOR", "option", "half_pixel_centers", True),
    "concatenation in the other order": emits("CONCATENATION", "move", lambda e: e.inputs.reverse()),
}

TEXT: dict[str, Plant] = {
    "sub for add": line("ADD", elementwise.binary("sub")),
    "squared difference: no square": sets("SQUARED_DIFFERENCE", "elementwise:square", op="abs"),
    "rsqrt as reciprocal": line("RSQRT", elementwise.unary("reciprocal")),
    "mean along the other axis": emits("MEAN", "reduce", lambda e: e.turn(0, (0, 2, 1))),
    "batched product: the right factor transposed": reads("BATCH_MATMUL", "option", "adj_y", lambda found: not found),
    "softmax along the other axis": sets("SOFTMAX", "softmax", axis=more(-1)),
    "argmin for argmax": line("ARG_MAX", ops_layers.arg_extreme("argmin")),
    "argmax along the other axis": reads("ARG_MAX", "known_ints", 1, (0,)),
    "look-up of the rows from the end": emits("GATHER", "lookup", lambda e: e.flip(0, 0)),
    "select: the two values exchanged": takes("SELECT", "elementwise", 0, 2, 1),
    "unpacked from the end": emits("UNPACK", "move:slice", lambda e: e.flip(0, 0)),
    "cumulative sum with its own element": reads("CUMSUM", "option", "exclusive", False),
    "cumulative sum from the end": reads("CUMSUM", "option", "reverse", True),
    "a minimum for a maximum": line("MAXIMUM", elementwise.binary("min")),
    "topk: the least": sets("TOPK_V2", "select", smallest=True),
    "floor mod with the dividend's sign": sets("FLOOR_MOD", "elementwise", rounding="trunc"),
    "sub: the operands exchanged": takes("SUB", "elementwise", 1, 0),
    "div: the operands exchanged": takes("DIV", "elementwise", 1, 0),
    "a sum for a product": line("REDUCE_PROD", ops_layers.reduce("sum")),
    "sine as cosine": line("SIN", elementwise.unary("cos")),
}

PLACES: dict[str, Plant] = {
    "gather along the next axis": sets("GATHER", "permute", axis=3),
    "gather in batches along another axis": sets("GATHER", "lookup", axis=2),
    "gather by tuples from the end": emits("GATHER_ND", "permute", lambda e: e.flip(0, 0)),
    "scatter by tuples in the other order": emits("SCATTER_ND", "scatter", lambda e: e.flip(1, 0)),
    "reverse of another axis": reads("REVERSE_V2", "known_ints", 1, (3,)),
    "a slice begins one later": sets("STRIDED_SLICE", "move", {"steps": (2,)}, starts=more(1), ends=more(1)),
    "a slice backwards is not turned": sets("STRIDED_SLICE", "permute", axis=3),
    "transpose of other axes": reads("TRANSPOSE", "known_ints", 1, (0, 3, 2, 1)),
    "reflected padding with the edge": reads("MIRROR_PAD", "choice", "mode", "symmetric"),
    "padding with zeros for a value": sets("PADV2", "move", value=0.0),
    "split: the parts from the end": emits("SPLIT_V", "move", lambda e: e.flip(0, 1)),
    "pack in the other order": emits("PACK", "move:concat", lambda e: e.inputs.reverse()),
    "depth to space: rows and columns of a block exchanged": sets("DEPTH_TO_SPACE", "move:transpose", perm=(0, 1, 4, 2, 3, 5)),
    "space to depth: rows and columns of a block exchanged": sets("SPACE_TO_DEPTH", "move:transpose", perm=(0, 1, 3, 4, 2, 5)),
    "one hot: on and off exchanged": takes("ONE_HOT", "elementwise:where", 0, 2, 1),
    "neg as abs": line("NEG", elementwise.unary("abs")),
    "less for greater": line("GREATER", elementwise.predicate("less")),
}


def _unsigned(e: Emission) -> None:
    """Codes from −128 to 127 are read as such from 0 to 255."""
    e.fmts = [numeric_format("uint8") if fmt == numeric_format("int8") else fmt for fmt in e.fmts]


def _other_channels(e: Emission) -> None:
    if e.attributes["axis"] == 0:
        e.flip(1, 0)


def _other_axis(e: Emission) -> None:
    if len(e.inputs[0].shape) == 4 and e.attributes["axis"] == 0:
        e.attributes["axis"] = 1


INTEGERS: dict[str, Plant] = {
    "codes from -128 to 127 as those from 0 to 255": emits("CONV_2D", "quantize", _unsigned),
    "no zero points": replaced(Scaling, "zero", lambda whole: lambda self: ()),
    "no zero point of the data": takes("QUANTIZE", "quantize", 0, 1),
    "no zero point of a factor": takes("MUL", "dequantize", 0, 1),
    "scales of the other channels": emits("FULLY_CONNECTED", "dequantize", _other_channels),
    "scales along the other axis": emits("CONV_2D", "dequantize", _other_axis),
    "a bias in units of the data alone": emits("CONV_2D", "elementwise:mul", lambda e: e.attributes.update(op="max")),
    "a maximum for an average": line("AVERAGE_POOL_2D", ops_layers.pool("max")),
    "a range one code too short": sets("CONV_2D", "quantize", high=126.0),
    "a joined tensor in the other order": emits("CONCATENATION", "move", lambda e: e.inputs.reverse()),
    "a filter's height for its width": laid("CONV_2D", (0, 3, 2, 1)),
    "no bias of a product": takes("FULLY_CONNECTED", "matmul", 0, 1),
    "tanh as sigmoid": line("TANH", elementwise.unary("sigmoid")),
}

DEFECTS = {"images": IMAGES, "text": TEXT, "places": PLACES, "integers": INTEGERS}
