"""Functions of one tensor, each with the nodes it must become (moves left out): nearly every line of the op table.

``expected`` names nodes as ``support.word`` does: an element-wise node by its function, another by its kind and function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.plugins.pytorch.support import Function


@dataclass(frozen=True, slots=True)
class Case:
    model: nn.Module
    shape: tuple[int, ...]
    expected: str


CASES: dict[str, Case] = {}
IMAGE = (4, 8, 8)


def case(
    name: str, expected: str, function: Callable[..., object], *parts: nn.Module | torch.Tensor, shape: tuple[int, ...] = IMAGE
) -> None:
    CASES[name] = Case(Function(function, *parts).eval(), shape, expected)


def layer(name: str, expected: str, module: nn.Module, shape: tuple[int, ...] = IMAGE) -> None:
    case(name, expected, lambda x, m: m(x), module, shape=shape)


torch.manual_seed(0)
for _name in "relu silu gelu celu selu leaky_relu softplus mish hardtanh sigmoid tanh elu".split():
    case(_name, "clip" if _name == "hardtanh" else _name, getattr(F, _name))
case("relu6", "clip", F.relu6)
case("hardswish", "hard_swish", F.hardswish)
case("hardsigmoid", "hard_sigmoid", F.hardsigmoid)
case("logsigmoid", "log_sigmoid", F.logsigmoid)
case("gelu tanh", "gelu_tanh", lambda x: F.gelu(x, approximate="tanh"))
case("softsign", "abs add div", F.softsign)
case("tanhshrink", "tanh sub", F.tanhshrink)
case("threshold", "threshold", lambda x: F.threshold(x, 0.1, 2.0))
case("glu", "sigmoid mul", lambda x: F.glu(x, 1))
case("elu scaled", "elu mul", lambda x: torch.ops.aten.elu(x, 1.0, 2.0))
case("softplus beta", "mul softplus div", lambda x: F.softplus(x, beta=2.0))
layer("prelu", "prelu", nn.PReLU(4))
for _name in "abs neg sign floor ceil round trunc square exp expm1 sin cos atan sinh cosh asinh erf exp2".split():
    case(_name, _name, getattr(torch, _name))
for _name in "sqrt rsqrt reciprocal log log1p log2".split():
    case(_name, f"abs add {_name}", lambda x, name=_name: getattr(torch, name)(x.abs() + 1))
case("frac", "trunc sub", torch.frac)
case("isnan", "isnan", torch.isnan)

case("add scalar", "add", lambda x: x + 1)
case("add", "add", lambda x: x + x)
case("add alpha", "mul add", lambda x: torch.add(x, x, alpha=2))
case("sub", "sub", lambda x: x - 2.5)
case("rsub", "sub", lambda x: 1 - x)
case("rsub alpha", "mul sub", lambda x: torch.rsub(x, x, alpha=3))
case("mul", "mul", lambda x: x * 2.5)
case("div", "div", lambda x: x / 3)
case("div floor", "floor_div", lambda x: torch.div(x, 2, rounding_mode="floor"))
case("div trunc", "div trunc", lambda x: torch.div(x, 2, rounding_mode="trunc"))
case("scalar over tensor", "reciprocal mul", lambda x: 2 / x)
case("floor_divide", "floor_div", lambda x: x // 2)
case("remainder", "mod", lambda x: x % 3)
case("square by power", "square", lambda x: x**2)
case("power", "abs pow", lambda x: x.abs() ** 1.5)
case("power of scalar", "pow", lambda x: 2**x)
case("maximum", "max", lambda x: torch.maximum(x, x))
case("minimum", "min", lambda x: torch.minimum(x, x))
case("atan2", "atan2", lambda x: torch.atan2(x, x))
case("compare", "greater", lambda x: x > 0)
case("compare tensors", "equal", lambda x: x == x)
case("truth", "greater less and not", lambda x: ~((x > 0) & (x < 1)))
case("logical", "greater less or", lambda x: torch.logical_or(x > 0, x < -1))
case("where", "greater where", lambda x: torch.where(x > 0, x, 0.0))
case("masked fill", "greater where", lambda x: x.masked_fill(x > 0, float("-inf")))
case("clamp", "clip", lambda x: x.clamp(0, 6))
case("clamp below", "clip", lambda x: x.clamp_min(0.5))
case("clamp by tensor", "max", lambda x, low: x.clamp(min=low), torch.zeros(8))
case("addcmul", "mul mul add", lambda x: torch.addcmul(x, x, x, value=2))
case("addcdiv", "abs add div add", lambda x: torch.addcdiv(x, x, x.abs() + 1))
case("lerp", "mul sub mul add", lambda x: torch.lerp(x, x * 2, 0.3))
case("cosine similarity", "mul reduce sum reduce l2 max reduce l2 max mul div", lambda x: F.cosine_similarity(x, x))
case("tril", "where", torch.tril)
case("triu", "where", lambda x: torch.triu(x, 1))

layer("conv2d", "conv", nn.Conv2d(4, 6, 3))
layer("conv2d same", "conv", nn.Conv2d(4, 6, 4, padding="same", dilation=1))
layer("conv2d reflect", "conv", nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"))
layer("conv2d depthwise", "conv", nn.Conv2d(4, 8, 3, groups=4, dilation=2))
layer("conv transpose 2d", "conv", nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2))
layer("conv1d", "conv", nn.Conv1d(4, 4, 3, padding=1), (4, 8))
layer("conv1d same", "conv", nn.Conv1d(4, 4, 3, padding="same"), (4, 8))
layer("conv transpose 1d", "conv", nn.ConvTranspose1d(4, 4, 3), (4, 8))
layer("conv3d", "conv", nn.Conv3d(2, 3, 2, bias=False), (2, 4, 4, 4))
layer("conv transpose 3d", "conv", nn.ConvTranspose3d(2, 3, 2), (2, 3, 3, 3))
case("conv of one image", "conv", lambda x, w: F.conv2d(x[0], w).unsqueeze(0).expand(x.shape[0], -1, -1, -1), torch.randn(6, 4, 3, 3))
case("convolution", "conv", lambda x, w: torch.convolution(x, w, None, [2, 2], [1, 1], [1, 1], False, [0, 0], 1), torch.randn(6, 4, 3, 3))
layer("linear", "matmul", nn.Linear(8, 5))
case("bilinear", "matmul matmul", lambda x, m: m(x, x), nn.Bilinear(8, 8, 3))
case("matmul", "matmul", lambda x: x @ x)
case("matmul broadcast", "matmul", lambda x, w: x @ w, torch.randn(8, 5))
case("matmul vector", "matmul", lambda x, w: x @ w, torch.randn(8))
case("bmm", "matmul", lambda x: torch.bmm(x[:, 0], x[:, 1]))
case("mm", "matmul", lambda x, w: torch.mm(x[:, 0, 0], w), torch.randn(8, 3))
case("addmm", "matmul", lambda x, w, b: torch.addmm(b, x[:, 0, 0], w), torch.randn(8, 3), torch.randn(3))
case(
    "addmm scaled", "matmul mul mul add", lambda x, w, b: torch.addmm(b, x[:, 0, 0], w, alpha=2, beta=3), torch.randn(8, 3), torch.randn(3)
)
case("baddbmm", "matmul", lambda x: torch.baddbmm(x[:, 2], x[:, 0], x[:, 1]))
case("tensordot", "matmul", lambda x, w: torch.tensordot(x, w, ([1, 3], [1, 0])), torch.randn(8, 4, 5))
case("einsum", "matmul", lambda x: torch.einsum("bchw,bdhw->bcd", x, x))
case("einsum of three", "reduce sum matmul matmul", lambda x: torch.einsum("bchw,bdhw,be->bce", x, x, x[:, :, 0, 0]))
case("einsum ellipsis", "matmul", lambda x, w: torch.einsum("...i,oi->...o", x, w), torch.randn(5, 8))
case("einsum of one", "reduce sum", lambda x: torch.einsum("bchw->bwc", x))
case("einsum implicit", "matmul", lambda x: torch.einsum("bcij,bcjk", x, x))

layer("batch norm", "normalise batch_norm", nn.BatchNorm2d(4))
layer("batch norm without affine", "normalise batch_norm", nn.BatchNorm2d(4, affine=False))
layer("batch norm 1d", "normalise batch_norm", nn.BatchNorm1d(4), (4, 8))
layer("instance norm", "normalise instance_norm", nn.InstanceNorm2d(4, affine=True))
layer("instance norm tracked", "normalise batch_norm", nn.InstanceNorm2d(4, affine=True, track_running_stats=True))
layer("group norm", "normalise group_norm", nn.GroupNorm(2, 4))
layer("layer norm", "normalise layer_norm", nn.LayerNorm((8, 8)))
layer("rms norm", "normalise rms_norm", nn.RMSNorm(8))
layer("local response norm", "mul pool average mul add pow div", nn.LocalResponseNorm(3))
layer("avg pool", "pool average", nn.AvgPool2d(3, stride=2, padding=1))
layer("avg pool 1d", "pool average", nn.AvgPool1d(2), (4, 8))
layer("avg pool 3d", "pool average", nn.AvgPool3d(2), (2, 4, 4, 4))
layer("max pool", "pool max", nn.MaxPool2d(3, stride=2, padding=1, dilation=1))
layer("max pool ceil", "pool max", nn.MaxPool2d(3, stride=2, ceil_mode=True))
layer("max pool 1d", "pool max", nn.MaxPool1d(2), (4, 8))
layer("max pool 3d", "pool max", nn.MaxPool3d(2), (2, 4, 4, 4))
case("max pool with indices", "pool max", lambda x: F.max_pool2d(x, 2, return_indices=True)[0])
layer("adaptive avg pool", "pool average", nn.AdaptiveAvgPool2d((3, 2)))
layer("adaptive avg pool 1d", "pool average", nn.AdaptiveAvgPool1d(2), (4, 8))
layer("adaptive max pool", "pool max", nn.AdaptiveMaxPool2d(2))
layer("nearest", "resize nearest", nn.Upsample(scale_factor=2))
layer("nearest to size", "resize nearest", nn.Upsample(size=(5, 7)))
layer("bilinear resize", "resize linear", nn.Upsample(scale_factor=2, mode="bilinear"))
layer("bicubic resize", "resize cubic", nn.Upsample(scale_factor=2, mode="bicubic", align_corners=True))
layer("linear resize", "resize linear", nn.Upsample(scale_factor=2, mode="linear"), (4, 8))

case("sum", "reduce sum", lambda x: x.sum(1))
case("sum of truth", "greater reduce sum", lambda x: (x > 0).sum(1))
case("mean", "reduce mean", lambda x: x.mean((2, 3), keepdim=True))
case("amax", "reduce max", lambda x: x.amax((2, 3)))
case("amin", "reduce min", lambda x: x.amin(1))
case("prod", "reduce prod", lambda x: x.prod(1))
case("var", "reduce var", lambda x: x.var(1))
case("std", "reduce var sqrt", lambda x: x.std((2, 3), keepdim=True))
case("var and mean", "reduce mean reduce var add", lambda x: torch.add(*torch.var_mean(x, 1)))
case("max of axis", "reduce max", lambda x: x.max(1)[0])
case("place of max", "select argmax", lambda x: x.max(1)[1])
case("max and its place", "reduce max select argmax add", lambda x: torch.add(*x.max(1)))
case("logsumexp", "reduce logsumexp", lambda x: x.logsumexp(1))
case("norm", "reduce l2", lambda x: x.norm(dim=1))
case("norm of order 1", "reduce l1", lambda x: torch.linalg.vector_norm(x, 1, dim=1))
case("normalize", "reduce l2 clip div", lambda x: F.normalize(x))
case("any", "greater reduce any", lambda x: (x > 0).any(1))
case("all", "greater reduce all", lambda x: (x > 0).all(-1))
case("softmax", "softmax softmax", lambda x: x.softmax(1))
case("log softmax", "softmax log_softmax", lambda x: x.log_softmax(-1))
case("cumsum", "cumulative cumsum", lambda x: x.cumsum(1))
case("argmax", "select argmax", lambda x: x.argmax(1))
case("argmin", "select argmin", lambda x: x.argmin(-1, keepdim=True))
case("topk", "select topk", lambda x: x.topk(2, 1)[0])
case("sort", "select sort", lambda x: x.sort(1)[0])
case("argsort", "select sort", lambda x: x.argsort(1))

case("flatten", "", lambda x: x.flatten(1))
case("view", "", lambda x: x.view(x.shape[0], -1))
case("reshape", "", lambda x: x.reshape(-1, 8))
case("unflatten", "", lambda x: x.unflatten(1, (2, 2)))
case("permute", "", lambda x: x.permute(0, 2, 3, 1))
case("transpose", "", lambda x: x.transpose(1, 2).contiguous())
case("mT", "", lambda x: x.mT)
case("movedim", "", lambda x: x.movedim(1, -1))
case("swapaxes", "", lambda x: x.swapaxes(1, 2))
case("slice", "", lambda x: x[:, 1:3, ::2, 1::3])
case("select", "", lambda x: x[..., -1])
case("narrow", "", lambda x: x.narrow(1, 1, 2))
case("new axis", "", lambda x: x[:, None].squeeze(1).unsqueeze(-1))
case("split", "", lambda x: x.split(3, 1)[1])
case("split sizes", "", lambda x: x.split([1, 3], 1)[1])
case("chunk", "", lambda x: x.chunk(2, 1)[1])
case("unbind", "", lambda x: x.unbind(1)[2])
case("cat", "", lambda x: torch.cat([x, x[:, :1]], 1))
case("stack", "", lambda x: torch.stack([x, x], 1))
case("expand", "", lambda x: x[:, :1].expand(-1, 5, -1, -1))
case("expand as", "", lambda x: x[:, :1].expand_as(x))
case("repeat", "", lambda x: x.repeat(1, 2, 1, 1))
case("tile", "", lambda x: torch.tile(x, (2,)))
case("repeat interleave", "", lambda x: x.repeat_interleave(2, 1))
case("pad", "", lambda x: F.pad(x, (1, 2, 0, 1), value=2.0))
case("crop", "", lambda x: F.pad(x, (-1, -1)))
case("reflect pad", "", lambda x: F.pad(x, (1, 1, 2, 2), mode="reflect"))
case("replicate pad", "", lambda x: F.pad(x, (1, 1, 2, 2), mode="replicate"))
case("circular pad", "", lambda x: F.pad(x, (1, 1, 2, 2), mode="circular"))
layer("pixel shuffle", "", nn.PixelShuffle(2))
layer("pixel unshuffle", "", nn.PixelUnshuffle(2))
layer("channel shuffle", "", nn.ChannelShuffle(2))
case("windows", "", lambda x: x.unfold(2, 3, 2))
case("im2col", "", lambda x: F.unfold(x, 3, padding=1, stride=2))
case("diagonal", "", lambda x: x.diagonal(1, 2, 3))
case("identity", "", lambda x: F.dropout(x.detach().clone(), training=False).contiguous())
case("to half", "add", lambda x: x.half() + 1)
case("to int", "", lambda x: x.to(torch.int8))
case("type as", "", lambda x, w: x.type_as(w), torch.zeros(2, dtype=torch.float64))
case("zeros like", "add", lambda x: torch.zeros_like(x) + x)
case("full", "add", lambda x: torch.full((8,), 2.0) + x)
case("arange", "add", lambda x: torch.arange(8) + x)
case("linspace", "add", lambda x: torch.linspace(0, 1, 8) + x)
case("eye", "add", lambda x: torch.eye(8) + x)
case("new zeros", "add", lambda x: x.new_zeros(8) + x)
case("one hot", "select argmax equal", lambda x: F.one_hot(x.argmax(1), 4))
case("meshgrid", "add add", lambda x: x + torch.meshgrid(x[0, 0, 0], x[0, 0, 1], indexing="ij")[0] + 1)

case("constant index", "permute index", lambda x: x[:, torch.tensor([3, 0, 2])])
case("index select", "permute index", lambda x: x.index_select(2, torch.tensor([1, 0])))
case(
    "two constant indices",
    "less add where mul less add where add permute index",
    lambda x: x[:, torch.tensor([1, 0]), torch.tensor([0, -1])],
)
case("constant indices that cross", "permute index permute index", lambda x: x[:, torch.tensor([[1], [0], [-2]]), torch.tensor([0, -1])])
case("two indices from data", "select argmax select argmin lookup nd", lambda x: x[:, x[0].argmax(0)[0, :3], x[0].argmin(-1)[1, :3]])
case("indices on separate axes", "permute index permute index", lambda x: x[:, [[0], [1]], :, [0, 5, 2]].movedim(2, 0))
case("index from data", "select argmax lookup gather", lambda x, w: w[x.argmax(1)], torch.randn(4, 3))
case("gather", "select argmax lookup elements", lambda x: x.gather(1, x.argmax(1, keepdim=True)))
case("constant gather", "permute index", lambda x: x.gather(1, torch.tensor([2, 0, 3]).view(1, 3, 1, 1).expand(x.shape[0], -1, 5, 8)))
case(
    "constant gather of two axes",
    "mul add permute index",
    lambda x: x.gather(1, torch.tensor([[2, 0, 3], [1, 1, 0]]).T[None, :, :, None].expand(x.shape[0], -1, -1, 8)),
)
case("take along", "select argmax lookup elements add", lambda x: x + torch.take_along_dim(x[0], x[0].argmax(0, keepdim=True), 0))
case("embedding", "select argmax lookup embedding", lambda x, w: F.embedding(x.argmax(1), w), torch.randn(4, 3))
case("roll", "permute index permute index", lambda x: x.roll((1, -2), (2, 3)))
case("flip", "permute flip permute flip", lambda x: x.flip(1, 2))
case("scatter", "select argmax scatter replace", lambda x: x.scatter(1, x.argmax(1, keepdim=True), x))
case("scatter add", "select argmax scatter add", lambda x: x.scatter_add(1, x.argmax(1, keepdim=True), x))
case("index add", "scatter add", lambda x: torch.index_add(x, 1, torch.tensor([0, 1]), x[:, :2]))
case("slice scatter", "", lambda x: x.slice_scatter(x[:, :2], 1, 1, 3))
case("select scatter", "", lambda x: x.select_scatter(x[:, 0], 1, 2))

case("attention", "matmul mul softmax softmax matmul", lambda x: F.scaled_dot_product_attention(x, x, x))
case("attention scaled by one", "matmul softmax softmax matmul", lambda x: F.scaled_dot_product_attention(x, x, x, scale=1.0))
case("causal attention", "matmul mul where softmax softmax matmul", lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True))
case(
    "masked attention", "matmul mul add softmax softmax matmul", lambda x, m: F.scaled_dot_product_attention(x, x, x, m), torch.randn(8, 8)
)
SEES = (torch.arange(8)[:, None] + torch.arange(8)) % 3 > 0
case(
    "attention that sees nothing",
    "greater and matmul mul where softmax softmax matmul",
    lambda x: F.scaled_dot_product_attention(x, x, x, (x[:, :, :, :1] > 0) & SEES),
)
case(
    "grouped attention",
    "matmul mul softmax softmax matmul",
    lambda x: F.scaled_dot_product_attention(x, x[:, :2], x[:, 2:], enable_gqa=True),
)
layer("weight norm", "reduce l2 div mul conv", nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 6, 3)))

case("hstack", "", lambda x: torch.hstack([x, x[:, :1]]))
case("vstack", "", lambda x: torch.vstack([x[0], x[0]]))
case("dstack", "", lambda x: torch.dstack([x, x]))
case("inner", "matmul", torch.inner, torch.randn(3, 8))
case("vecdot", "matmul", lambda x: torch.linalg.vecdot(x, x[:, :1], dim=2))
case("vdot", "matmul mul", lambda x, w: x * torch.vdot(w, w), torch.randn(8))
case("kron", "mul add", lambda x, w: x + torch.kron(w, w)[:1, :8], torch.randn(2, 3))
case("diff", "sub", lambda x: torch.diff(x, dim=2))
case("second diff", "sub sub", lambda x, w: torch.diff(x, 2, prepend=w.expand(x.shape[0], 4, 8, 3)), torch.randn(3))
case("nan to num", "isnan where equal where equal where", lambda x: torch.nan_to_num(x, posinf=3.0))
case("hypot", "add square square add sqrt", lambda x: torch.hypot(x, x + 1))
case("log10", "abs log mul", lambda x: torch.log10(x.abs()))
case("logit", "clip sub div log", lambda x: torch.logit(x, 0.01))
case("diag embed", "", torch.diag_embed)
case("diag embed beside", "", lambda x: torch.diag_embed(x, -2, 1, 3))
case("diag embed above", "", lambda x: torch.diag_embed(x, 1, 2, 1))
case("rot90", "permute flip", lambda x: torch.rot90(x, 1, (2, 3)))
case("rot 270", "permute flip", lambda x: torch.rot90(x, 3, (1, 3)))
case("half turn", "permute flip permute flip", lambda x: torch.rot90(x, 2, (2, 3)))
case("fold", "", lambda x: F.fold(x.reshape(-1, 16, 16), 8, 2, stride=2))
case("fold that overlaps", "add add add", lambda x: F.fold(x.flatten(2)[:, :, :9].repeat(1, 9, 1), (5, 5), 3, stride=2, padding=1))
case("round to decimals", "mul round div", lambda x: torch.round(x, decimals=2))
case("aminmax", "reduce min reduce max add", lambda x: torch.add(*torch.aminmax(x, dim=1)))
case("softplus with a low threshold", "mul softplus div greater where", lambda x: F.softplus(x, beta=2.0, threshold=1.0))
case("topk least", "select topk", lambda x: x.topk(3, 1, largest=False)[1])
case("sort falling", "select sort", lambda x: x.sort(1, descending=True)[1])
case("fmod", "mod", lambda x: torch.fmod(x, 1.5))
case("div of integers trunc", "mul div", lambda x: torch.div((x * 4).to(torch.int32), 3, rounding_mode="trunc"))
case("div of integers floor", "mul floor_div", lambda x: torch.div((x * 4).to(torch.int32), -3, rounding_mode="floor"))
case("integers that wrap", "mul mul", lambda x: (x * 4).to(torch.int8) * 37)
case("shift to the sign", "mul mul", lambda x: (x * 4).to(torch.int8) << 7)
case("shift of the sign", "mul floor_div floor_div", lambda x: (x * 4).to(torch.int8) >> 7)
layer("avg pool without padding", "pool average", nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False))
layer("avg pool partial", "pool average", nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True))
layer("avg pool partial without padding", "pool average", nn.AvgPool2d(3, stride=3, padding=1, ceil_mode=True, count_include_pad=False))
layer("avg pool by a divisor", "pool average", nn.AvgPool2d(3, padding=1, divisor_override=7))
layer("adaptive avg pool 3d", "pool average", nn.AdaptiveAvgPool3d((1, 3, 2)), (2, 4, 5, 7))
case("nearest fractional", "resize nearest", lambda x: F.interpolate(x, scale_factor=1.7))
case("nearest down", "resize nearest", lambda x: F.interpolate(x, size=(3, 5)))
case("nearest exact", "resize nearest", lambda x: F.interpolate(x, size=(5, 11), mode="nearest-exact"))
case("nearest exact fractional", "resize nearest", lambda x: F.interpolate(x, scale_factor=0.7, mode="nearest-exact"))
case("bilinear fractional", "resize linear", lambda x: F.interpolate(x, scale_factor=1.7, mode="bilinear"))
case("bilinear recomputed", "resize linear", lambda x: F.interpolate(x, scale_factor=1.7, mode="bilinear", recompute_scale_factor=True))
case("bilinear aligned", "resize linear", lambda x: F.interpolate(x, size=(5, 1), mode="bilinear", align_corners=True))
case("bicubic fractional", "resize cubic", lambda x: F.interpolate(x, scale_factor=1.3, mode="bicubic"))
case("trilinear", "resize linear", lambda x: F.interpolate(x, size=(3, 5, 9), mode="trilinear"), shape=(2, 4, 4, 4))
case("var without correction", "reduce var", lambda x: x.var(1, correction=0))
case("std of two corrections", "reduce var sqrt", lambda x: torch.std(x, (2, 3), correction=2))
case("scatter places", "select argmax scatter add", lambda x: x.scatter_reduce(1, x.argmax(1, keepdim=True), x, "sum"))
THREE = torch.tensor([1, 1, 3]).view(1, 3, 1, 1)
case("scatter product", "scatter mul", lambda x: x.scatter_reduce(1, THREE.expand_as(x[:, :3]), x, "prod"))
case(
    "scatter extreme alone",
    "scatter replace scatter max",
    lambda x: x.scatter_reduce(1, THREE.expand_as(x[:, :3]), x, "amax", include_self=False),
)
AT = torch.tensor([3, -4]), torch.tensor([0, 5])
put = torch.ops.aten.index_put
case("write by tuples", "scatter replace", lambda x: put(x, [None, *AT], x[:, :2, 0]))
case("add by tuples", "scatter add", lambda x: put(x, [None, None, *AT], x[:, :, 0, :2], True))
case("add at one place", "scatter add", lambda x: put(x, [None, None, torch.tensor([1, 1]), torch.tensor([0, 0])], x[:, :, 0, :2], True))
case("write apart", "scatter replace", lambda x: put(x, [None, AT[0], None, AT[1]], torch.ones(2, 1, 8)))
case("index copy", "scatter replace", lambda x: x.index_copy(1, torch.tensor([3, 0]), x[:, :2]))
case("index fill", "scatter replace", lambda x: x.index_fill(2, torch.tensor([3, 0]), 2.0))
case("take", "permute index add", lambda x: x + torch.take(x[0], torch.tensor([3, -1]))[0])
case("pad by minus infinity", "", lambda x: F.pad(x, (1, -2, 0, 1), value=float("-inf")))
case("reflect pad and cut", "", lambda x: F.pad(x, (3, -1, -2, 2), mode="reflect"))
case("circular pad and cut", "", lambda x: F.pad(x, (3, -1, -2, 2), mode="circular"))
case("replicate pad and cut", "", lambda x: F.pad(x, (3, -1, -2, 2), mode="replicate"))
case("celu", "celu", lambda x: F.celu(x, 0.7))
case("any batch norm of one example", "normalise instance_norm", lambda x: F.instance_norm(x, eps=0.1))
