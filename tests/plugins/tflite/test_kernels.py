"""Integer kernels: the codes that TFLite answers are those of the neutral graph, or differ by as much as is stated here.

A kernel whose arithmetic the neutral graph cannot say (fixed-point scales of a few bits, tables) is a line with the share of
its codes that may differ, by one code, or by as many as the line says; the README lists them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from micronet_verify_tflite.loader import TfliteLoader
from micronet_verify_tflite.model import Model
from numpy.typing import NDArray

from micronet_verify.framework.requests import PredictRequest
from tests.plugins.tflite.support import ints, saved, translate
from tests.plugins.tflite.writer import File, Sub

Array = NDArray[Any]
WINDOW = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
POOL = {"strideH": 2, "strideW": 2, "filterHeight": 3, "filterWidth": 2, "padding": 0}
# Scales without simple ratios, or half of the results of small sums are ties.
SCALES = [0.0101, 0.0207, 0.0303, 0.0411]
X_SCALE = 0.0197


def codes(*shape: int, low: int = -127, high: int = 127, dtype: Any = np.int8) -> Array:
    return np.random.default_rng(0).integers(low, high + 1, shape).astype(dtype)


def bias(sub: Sub, scales: list[float]) -> int:
    return sub.constant(codes(len(scales), low=-1000, high=1000, dtype=np.int32), scale=[X_SCALE * scale for scale in scales])


@dataclass(frozen=True)
class Kernel:
    """``build`` adds the operator between x and y; ``share`` of the codes may differ, by at most ``most`` of them."""

    shape: tuple[int, ...]
    build: Callable[[Sub, int, int], Any]
    scale: float = X_SCALE
    zero: int = 3
    share: float = 0.0
    most: int = 1
    kind: str = "int8"
    x: tuple[float, int] = (X_SCALE, 3)


def plain(kind: str, options: str = "", *constants: Any, **fields: Any) -> Callable[[Sub, int, int], Any]:
    return lambda sub, x, y: sub.op(kind, [x, *(sub.constant(each) for each in constants)], [y], options, **fields)


def with_codes(kind: str, options: str = "", scale: float = 0.0303, zero: int = 7) -> Callable[[Sub, int, int], Any]:
    return lambda sub, x, y: sub.op(kind, [x, sub.constant(codes(200), scale=scale, zero=zero)], [y], options)


def convolution(kind: str, options: str, weight: tuple[int, ...], axis: int, **fields: Any) -> Callable[[Sub, int, int], Any]:
    return lambda sub, x, y: sub.op(
        kind, [x, sub.constant(codes(*weight), scale=SCALES, axis=axis), bias(sub, SCALES)], [y], options, **WINDOW, **fields
    )


WIDE = (1 / 4096, 0)
KERNELS: dict[str, Kernel] = {
    # Products and what has one rounding: a code in a thousand, where float32 falls on the other side of a tie. Convolutions of files
    # written by hand lack what XNNPACK asks for and run on the built-in kernels, which round twice.
    "CONV_2D": Kernel((8, 8, 3), convolution("CONV_2D", "Conv2D", (4, 3, 3, 3), 0), 0.0703, -5, 5e-3),
    "DEPTHWISE_CONV_2D": Kernel((8, 8, 4), convolution("DEPTHWISE_CONV_2D", "DepthwiseConv2D", (1, 3, 3, 4), 3), 0.0501, -5, 5e-3),
    "FULLY_CONNECTED": Kernel(
        (64,),
        lambda sub, x, y: sub.op(
            "FULLY_CONNECTED", [x, sub.constant(codes(4, 64), scale=SCALES), bias(sub, SCALES)], [y], "FullyConnected"
        ),
        0.0703,
        -5,
        1e-3,
    ),
    "MUL": Kernel((200,), with_codes("MUL", "Mul"), 0.0607, -8, 1e-3),
    "ADD": Kernel((200,), with_codes("ADD", "Add"), 0.0607, -8, 2e-3),
    "SUB": Kernel((200,), with_codes("SUB", "Sub"), 0.0607, -8, 2e-3),
    # On codes.
    "AVERAGE_POOL_2D": Kernel((9, 9, 4), plain("AVERAGE_POOL_2D", "Pool2D", **POOL)),
    "AVERAGE_POOL_2D of uint8": Kernel((9, 9, 4), plain("AVERAGE_POOL_2D", "Pool2D", **POOL), zero=120, kind="uint8", x=(X_SCALE, 120)),
    "MAX_POOL_2D": Kernel((9, 9, 4), plain("MAX_POOL_2D", "Pool2D", **POOL)),
    "MAXIMUM": Kernel((200,), with_codes("MAXIMUM", scale=X_SCALE, zero=3)),
    "MINIMUM": Kernel((200,), with_codes("MINIMUM", scale=X_SCALE, zero=3)),
    "REDUCE_MAX": Kernel((8, 8, 40), plain("REDUCE_MAX", "Reducer", ints(1, 2))),
    "RESIZE_BILINEAR twice": Kernel((5, 6, 4), plain("RESIZE_BILINEAR", "ResizeBilinear", ints(10, 12), halfPixelCenters=True)),
    "RESIZE_NEAREST_NEIGHBOR": Kernel((5, 6, 4), plain("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighbor", ints(10, 12))),
    # Tables made by floats, one entry for each code.
    "LOGISTIC": Kernel((200,), plain("LOGISTIC"), 1 / 256, -128),
    "TANH": Kernel((200,), plain("TANH"), 1 / 128, 0),
    "ELU": Kernel((200,), plain("ELU"), 0.0201, -60),
    "GELU": Kernel((200,), plain("GELU", "Gelu"), 0.0201, -100),
    "EXP": Kernel((200,), plain("EXP"), 0.0503, -128),
    "SOFTMAX": Kernel((20,), plain("SOFTMAX", "Softmax", beta=1.0), 1 / 256, -128),
    "LOG_SOFTMAX": Kernel((20,), plain("LOG_SOFTMAX"), 16 / 256, 127),
    "HARD_SWISH": Kernel((200,), plain("HARD_SWISH"), 0.0201, -80, 5e-3),
    "RELU": Kernel((200,), plain("RELU"), 0.0131, -128, 1e-3),
    "L2_NORMALIZATION": Kernel((20,), plain("L2_NORMALIZATION", "L2Norm"), 1 / 128, 0, 1e-3),
    # What the neutral graph cannot say.
    "MEAN": Kernel((8, 8, 40), plain("MEAN", "Reducer", ints(1, 2)), 0.0031, 3, 0.03),
    "LEAKY_RELU": Kernel((200,), plain("LEAKY_RELU", "LeakyRelu", alpha=0.1), 0.0173, -80, 0.1),
    "QUANTIZE": Kernel((200,), plain("QUANTIZE"), 0.0313, -7, 0.2),
    "RESIZE_BILINEAR": Kernel((5, 6, 4), plain("RESIZE_BILINEAR", "ResizeBilinear", ints(7, 11), halfPixelCenters=True), share=0.25),
    "LOGISTIC of int16": Kernel((200,), plain("LOGISTIC"), 1 / 32768, 0, 1.0, 8, "int16", WIDE),
    "TANH of int16": Kernel((200,), plain("TANH"), 1 / 32768, 0, 1.0, 14, "int16", WIDE),
    "SOFTMAX of int16": Kernel((20,), plain("SOFTMAX", "Softmax", beta=1.0), 1 / 32768, 0, 0.3, 4, "int16", WIDE),
}


@pytest.mark.parametrize("name", KERNELS)
def test_the_codes_of_integer_kernels(name: str) -> None:
    kernel = KERNELS[name]
    file, sub = File.new()
    scale, zero = kernel.x
    x, y = (
        sub.input((1, *kernel.shape), kernel.kind, scale=scale, zero=zero),
        sub.tensor((), kernel.kind, scale=kernel.scale, zero=kernel.zero),
    )
    sub.outputs = kernel.build(sub, x, y)
    path, info = saved(file), np.iinfo(kernel.kind)
    limits = (-20_000, 20_000) if kernel.kind == "int16" else (info.min, info.max)
    examples = max(4, 4000 // int(np.prod(kernel.shape)))
    fed = np.random.default_rng(1).integers(limits[0], limits[1] + 1, (examples, *kernel.shape))
    numbers = ((fed - zero) * np.float32(scale)).astype(np.float32)
    theirs = _codes(np.concatenate([answer.outputs for answer in TfliteLoader().predict(PredictRequest(path, numbers, 16, 1))]), kernel)
    found = translate(path, batch=False)
    mine = _codes(np.concatenate([found.run(example[None], precision="float64")[0] for example in numbers]), kernel)
    apart = np.abs(mine - theirs)
    assert apart.max() <= (kernel.most if kernel.share else 0)
    assert np.count_nonzero(apart) <= kernel.share * apart.size


def _codes(numbers: Array, kernel: Kernel) -> NDArray[np.int64]:
    return np.rint(numbers.astype(np.float64) / np.float32(kernel.scale)).astype(np.int64) + kernel.zero


SAMPLE = Path(__file__).parents[3] / "sample_submissions" / "digits" / "int8-tflite" / "model.tflite"


def test_the_kernels_that_run_are_the_exact_ones() -> None:
    """The digits' int8 sample: of 5,000 answers 3 differ from exact arithmetic, and 1,384 where the built-in kernels run (C1)."""
    pytest.importorskip("sklearn")
    from micronet_verify.quality.datasets.digits import columns

    images = (columns("test", 0, 64).astype(np.float32) / np.float32(16)).reshape(-1, 1, 8, 8)
    found = translate(SAMPLE, batch=False)
    exact = np.concatenate([found.run(image[None], precision="float64")[0] for image in images])
    answers = np.concatenate([answer.outputs for answer in TfliteLoader().predict(PredictRequest(SAMPLE, images, 50, 1))])
    tensors = Model(SAMPLE).subgraph(0)
    scaling = tensors.tensors[tensors.outputs[0]].quantization
    assert scaling is not None
    step = float(scaling.scale[0])
    assert np.count_nonzero(np.abs(answers - exact) > step / 2) <= 5
    assert np.count_nonzero(np.abs(_built_in(images, scaling.scale[0], int(scaling.zero[0])) - exact) > step / 2) > 1000


def _built_in(images: Array, scale: float, zero: int) -> Array:
    session = Interpreter(str(SAMPLE), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES, num_threads=1)
    session.allocate_tensors()
    (given,), (made,) = session.get_input_details(), session.get_output_details()
    step, point = given["quantization"]
    rows = []
    for image in images:
        ratio = image / np.float32(step)  # never negative here
        session.set_tensor(given["index"], np.clip(np.floor(ratio + 0.5) + point, -128, 127).astype(np.int8)[None])
        session.invoke()
        rows.append((session.get_tensor(made["index"]).astype(np.float32) - zero) * np.float32(scale))
    return np.concatenate(rows)
