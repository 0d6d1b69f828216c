"""Integer tensors: codes with a scale are dequantized in front of an operator and quantized behind it, whatever their kind."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from tests.plugins.tflite.support import Translated, bits, compare, execute, ints, problems, random, translate
from tests.plugins.tflite.writer import File, Sub

Array = NDArray[Any]
CONV = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1, "padding": 1}


def codes(*shape: int, seed: int = 0, low: int = -127, high: int = 127, dtype: Any = np.int8) -> Array:
    found = np.random.default_rng(seed).integers(low, high + 1, shape).astype(dtype)
    found.reshape(-1)[:2] = low, high
    return found


def compared(file: File, x: Array, steps: float = 1.01) -> Translated:
    """Translate a file of quantized input and output; its numbers are the interpreter's within ``steps`` of the output's scale."""
    found = translate(file)
    main = file.subs[0]
    given, made = main.tensors[main.inputs[0]], main.tensors[main.outputs[0]]
    scale, zero = given.quantization.scale[0], given.quantization.zeroPoint[0]
    limits = np.iinfo({schema.TensorType.INT16: np.int16, schema.TensorType.UINT8: np.uint8}.get(given.type, np.int8))
    fed = np.clip(np.rint(x / scale) + zero, limits.min, limits.max).astype(limits.dtype)
    (answer,) = execute(found.path, fed)
    step = made.quantization.scale[0]
    numbers = (answer.astype(np.float64) - made.quantization.zeroPoint[0]) * step
    np.testing.assert_allclose(found.run(x)[0], numbers, atol=steps * step)
    return found


def convolution(per_channel: bool, activations: str = "int8", bias: str = "int32", function: int = 0) -> File:
    file, sub = File.new()
    zero = 0 if activations == "int16" else 3
    step = 1 / 256 if activations == "int16" else 0.02
    x = sub.input((-1, 6, 6, 3), activations, scale=step, zero=zero)
    scales = [0.01, 0.02, 0.03, 0.04] if per_channel else [0.01]
    weight = sub.constant(codes(4, 3, 3, 3), name="w", scale=scales)
    shift = sub.constant(codes(4, low=-1000, high=1000, dtype=np.dtype(bias)), name="b", scale=[step * s for s in scales])
    y = sub.tensor((-1, 4, 4, 4), activations, scale=0.0003 if activations == "int16" else 0.07, zero=0 if activations == "int16" else -5)
    sub.outputs = sub.op("CONV_2D", [x, weight, shift], [y], "Conv2D", fusedActivationFunction=function, **CONV)
    return file


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("function", [0, 1, 3])
def test_an_integer_convolution_is_dequantize_conv_quantize(per_channel: bool, function: int) -> None:
    found = compared(convolution(per_channel, function=function), random(1, 6, 6, 3))
    between = {0: [], 1: ["elementwise:relu"], 3: ["elementwise:clip"]}[function]
    # The product of the scales is arithmetic of constants, which the core does once.
    assert found.kinds == [
        "quantize",
        "dequantize",
        "dequantize",
        "elementwise:mul",
        "dequantize",
        "conv",
        *between,
        "quantize",
        "dequantize",
    ]
    axes = [n.attributes["axis"] for n in found.nodes if n.kind == "dequantize"]
    assert axes == [-1, 0 if per_channel else -1, 0 if per_channel else -1, -1]


def test_what_an_integer_convolution_costs() -> None:
    ledger = translate(convolution(True)).count().ledgers["quantized"]
    macs = 4 * 4 * 4 * 3 * 3 * 3
    assert ledger.operations == Fraction(macs * 8 + (macs - 4 * 4 * 4) * 32 + 4 * 4 * 4 * 32, 32)
    # 108 codes with a scale for each channel; 4 biases, which 32 bits each hold as they are, for less than codes with 4 scales;
    # scales of input and output, and their zero points of 8 bits each (B14).
    weights = 4 * 3 * 3 * 3 * 8 + 4 * 32 + 4 * 32
    assert ledger.storage * 32 == weights + bits([np.float32(0.02), np.float32(0.07)]) + 2 * 8


def test_int16_activations() -> None:
    found = compared(convolution(True, "int16", "int64"), random(1, 6, 6, 3), steps=1.5)
    ledger = found.count().ledgers["quantized"]
    macs = 4 * 4 * 4 * 3 * 3 * 3
    assert ledger.operations == Fraction(macs * 16 + macs * 32, 32)


def test_a_bias_is_in_units_of_the_product_of_the_scales_whatever_it_declares() -> None:
    lying = convolution(True)
    lying.subs[0].tensors[2].quantization.scale = np.ones(4, np.float32)
    assert translate(lying).count().ledgers["quantized"].storage == translate(convolution(True)).count().ledgers["quantized"].storage
    compared(lying, random(1, 6, 6, 3))


def two(kind: str, options: str = "", zero: int = 4, **fields: Any) -> File:
    """x and a constant, each with its own scale, to a third."""
    file, sub = File.new()
    x = sub.input((-1, 3, 5), "int8", scale=0.03, zero=zero)
    other = sub.constant(codes(5), scale=0.02, zero=7)
    y = sub.tensor((-1, 3, 5), "int8", scale=0.06, zero=-8)
    sub.outputs = sub.op(kind, [x, other], [y], options, **fields)
    return file


@pytest.mark.parametrize(("kind", "options", "op"), [("ADD", "Add", "add"), ("SUB", "Sub", "sub"), ("MUL", "Mul", "mul")])
def test_integer_arithmetic(kind: str, options: str, op: str) -> None:
    found = compared(two(kind, options), random(1, 3, 5))
    assert [kind for kind in found.kinds if ":" in kind] == [f"elementwise:{op}"]
    # Codes of 8 bits multiply as they are; those of two scales are added at 32 bits (A9).
    assert found.count().ledgers["quantized"].operations == Fraction(3 * 5 * (8 if op == "mul" else 32), 32)


@pytest.mark.parametrize(
    ("kind", "scale", "zero", "op"),
    [
        ("LOGISTIC", 1 / 256, -128, "sigmoid"),
        ("TANH", 1 / 128, 0, "tanh"),
        ("HARD_SWISH", 0.03, 0, "hard_swish"),
        ("RELU", 0.02, -3, "relu"),
    ],
)
def test_integer_functions(kind: str, scale: float, zero: int, op: str) -> None:
    file, sub = File.new()
    x = sub.input((-1, 7), "int8", scale=0.03, zero=4)
    sub.outputs = sub.op(kind, [x], [sub.tensor((-1, 7), "int8", scale=scale, zero=zero)])
    assert compared(file, random(1, 7), steps=1.6).work == ["quantize", "dequantize", f"elementwise:{op}", "quantize", "dequantize"]


def test_integer_pool_mean_and_softmax() -> None:
    file, sub = File.new()
    x = sub.input((-1, 4, 4, 3), "int8", scale=0.03, zero=4)

    def like() -> int:
        return sub.tensor((), "int8", scale=0.03, zero=4)

    pool = {"strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2}
    (most,) = sub.op("MAX_POOL_2D", [x], [like()], "Pool2D", **pool)
    (middle,) = sub.op("AVERAGE_POOL_2D", [most], [like()], "Pool2D", **pool)
    (mean,) = sub.op("MEAN", [middle, sub.constant(ints(1, 2))], [like()], "Reducer")
    sub.outputs = sub.op("SOFTMAX", [mean], [sub.tensor((), "int8", scale=1 / 256, zero=-128)], "Softmax", beta=1.0)
    found = compared(file, random(1, 4, 4, 3), steps=2)
    assert [kind for kind in found.work if ":" in kind] == ["pool:max", "pool:average", "reduce:mean", "softmax:softmax"]


def moved(kind: str, *constants: Any, options: str = "", scale: float = 0.03, **fields: Any) -> Translated:
    file, sub = File.new()
    x = sub.input((1, 4, 6), "int8", scale=0.03, zero=4)
    y = sub.tensor((), "int8", scale=scale, zero=4)
    sub.outputs = sub.op(kind, [x, *(sub.constant(constant) for constant in constants)], [y], options, **fields)
    return compared(file, random(1, 4, 6))


def test_codes_are_moved_where_the_scale_stays() -> None:
    for found in (
        moved("RESHAPE", ints(1, 24)),
        moved("TRANSPOSE", ints(0, 2, 1)),
        moved("SLICE", ints(0, 1, 2), ints(1, 2, 3)),
        moved("GATHER", ints(3, 1), options="Gather", axis=1),
    ):
        assert found.work in (["quantize", "dequantize"], ["quantize", "permute:index", "dequantize"])
    # Zero is not the code 0: padding goes through the numbers.
    assert moved("PAD", ints(0, 0, 1, 1, 0, 2).reshape(3, 2)).kinds == ["quantize", "dequantize", "move:pad", "quantize", "dequantize"]


def test_parts_of_other_scales_are_joined_as_numbers() -> None:
    for scale, kinds in ((0.03, ["move:concat"]), (0.05, ["dequantize", "dequantize", "move:concat", "quantize"])):
        file, sub = File.new()
        x = sub.input((1, 2, 6), "uint8", scale=0.03, zero=100)
        y = sub.tensor((), "uint8", scale=scale, zero=100)
        sub.outputs = sub.op("CONCATENATION", [x, x], [y], "Concatenation", axis=1)
        assert compared(file, random(1, 2, 6)).kinds == ["quantize", *kinds, "dequantize"]


def test_a_channel_shuffle_of_codes_is_seen() -> None:
    file, sub = File.new()

    def like() -> int:
        return sub.tensor((), "int8", scale=0.03, zero=4)

    x = sub.input((1, 4, 4, 6), "int8", scale=0.03, zero=4)
    (apart,) = sub.op("RESHAPE", [x, sub.constant(ints(1, 4, 4, 2, 3))], [like()])
    (turned,) = sub.op("TRANSPOSE", [apart, sub.constant(ints(0, 1, 2, 4, 3))], [like()])
    sub.outputs = sub.op("RESHAPE", [turned, sub.constant(ints(1, 4, 4, 6))], [like()])
    ledger = compared(file, random(1, 4, 4, 6)).count().ledgers["quantized"]
    assert ledger.operations == Fraction(4 * 4 * 6 * 8, 32)


def test_requantize_and_dequantize() -> None:
    file, sub = File.new()
    x = sub.input((1, 6), "int8", scale=0.03, zero=4)
    (other,) = sub.op("QUANTIZE", [x], [sub.tensor((), "uint8", scale=0.05, zero=100)])
    (real,) = sub.op("DEQUANTIZE", [other], [sub.tensor(())])
    (again,) = sub.op("QUANTIZE", [real], [sub.tensor((), "int16", scale=0.01, zero=0)])
    sub.outputs = [again]
    assert compared(file, random(1, 6)).kinds == ["quantize", "dequantize"] * 3


def test_half_precision_constants_are_charged_at_16_bits_and_stay_in_the_file() -> None:
    file, sub = File.new()
    x = sub.input((-1, 6, 6, 3))
    half = [sub.constant(random(4, 3, 3, 3).astype(np.float16)), sub.constant(random(4).astype(np.float16))]
    weight, shift = (sub.op("DEQUANTIZE", [constant], [sub.tensor(())])[0] for constant in half)
    sub.outputs = sub.op("CONV_2D", [x, weight, shift], [sub.tensor(())], "Conv2D", **CONV)
    found = compare(file, random(1, 6, 6, 3))
    assert list(found.sidecar.iterdir()) == []
    assert {regime: ledger.storage for regime, ledger in found.count().ledgers.items()} == {
        "freebie": Fraction((4 * 27 + 4) * 16, 32),
        "quantized": Fraction((4 * 27 + 4) * 16, 32),
    }


def hybrid(rows: int, asymmetric: bool = True, weight: Array | None = None) -> File:
    """Float activations, int8 weights: the kernel quantizes the activations."""
    file, sub = File.new()
    x = sub.input((-1, rows, 8) if rows > 1 else (-1, 8))
    matrix = sub.constant(codes(5, 8) if weight is None else weight, scale=[0.01, 0.02, 0.03, 0.04, 0.05])
    (y,) = sub.op(
        "FULLY_CONNECTED",
        [x, matrix, sub.constant(random(5))],
        [sub.tensor(())],
        "FullyConnected",
        asymmetricQuantizeInputs=asymmetric,
        keepNumDims=rows > 1,
    )
    sub.outputs = [y]
    return file


@pytest.mark.parametrize("asymmetric", [False, True])
@pytest.mark.parametrize("rows", [1, 4])
def test_hybrid_products_quantize_their_activations_by_row(rows: int, asymmetric: bool) -> None:
    found = compare(hybrid(rows, asymmetric), random(1, rows, 8) if rows > 1 else random(1, 8))
    made = next(n for n in found.nodes if n.kind == "quantize")
    assert found.graph.values[made.outputs[0]].format.name == ("uint8" if asymmetric else "int8")
    assert found.kinds[-1] == "move:reshape" if rows > 1 else "matmul"


def test_what_a_hybrid_product_costs() -> None:
    """One row is DynamicQuantizeLinear and a product of 8 bits.

    max and min of the row and of 0; (max − min) / 255; −min / scale, clipped and rounded.
    """
    ledger = translate(hybrid(1)).count().ledgers["quantized"]
    extremes, bounds, scale, point = 2 * (8 - 1), 2, 1 + 1, 1 + 2 + 1
    product = Fraction(5 * 8 * 8 + (5 * 7 + 5) * 32, 32)
    assert ledger.operations == extremes + bounds + scale + point + product


def test_hybrid_rows_pay_for_their_scales() -> None:
    one, four = (translate(hybrid(rows, False)).count().ledgers["quantized"] for rows in (1, 4))
    # Each row: the same; and besides, a multiply for each code and each result.
    assert four.operations == 4 * one.operations + 4 * 8 + 4 * 5


def test_hybrid_convolutions_quantize_each_example() -> None:
    file, sub = File.new()
    x = sub.input((-1, 6, 6, 3))
    weight = sub.constant(codes(4, 3, 3, 3), scale=[0.01, 0.02, 0.03, 0.04])
    sub.outputs = sub.op("CONV_2D", [x, weight, sub.constant(random(4))], [sub.tensor(())], "Conv2D", **CONV)
    found = compare(file, random(1, 6, 6, 3))
    multiplies = [line for line in found.count().ledgers["quantized"].lines if line.rule == "O1" and "positions" in line.formula]
    assert [line.bits for line in multiplies if "weights" in line.formula] == [8]


def test_int4_weights_are_four_bits() -> None:
    weight = codes(5, 8, low=-8, high=7)
    packed = (weight.reshape(-1)[::2] & 15) | ((weight.reshape(-1)[1::2] & 15) << 4)
    file, sub = File.new()
    x = sub.input((-1, 8))
    matrix = sub.tensor((5, 8), "int4", packed.astype(np.uint8).tobytes(), scale=[0.01, 0.02, 0.03, 0.04, 0.05])
    sub.outputs = sub.op("FULLY_CONNECTED", [x, matrix, -1], [sub.tensor(())], "FullyConnected")
    found = translate(file)
    value = next(v for v in found.graph.values.values() if v.format.name == "int4")
    assert value.constant is not None
    assert np.array_equal(found.store.open(value.constant, value.shape, value.format), weight)
    lines = [line for line in found.count().ledgers["quantized"].lines if line.axis == "storage" and line.subject.startswith("t1")]
    assert sum(line.quantity * line.bits for line in lines) == 5 * 8 * 4 + 5 * 32


def sparse(file: File, sub: Sub, weight: Array) -> int:
    """``weight`` [rows, columns] as a CSR tensor."""
    made = sub.tensor(weight.shape, weight.dtype.name, weight[weight != 0])
    sparsity, rows, columns = schema.SparsityParametersT(), schema.DimensionMetadataT(), schema.DimensionMetadataT()
    sparsity.traversalOrder, sparsity.blockMap = [0, 1], []
    rows.format, rows.denseSize = 0, weight.shape[0]
    columns.format = 1
    segments, indices = schema.Int32VectorT(), schema.Uint8VectorT()
    segments.values = np.concatenate([[0], np.cumsum((weight != 0).sum(1))]).astype(np.int32)
    indices.values = np.nonzero(weight)[1].astype(np.uint8)
    columns.arraySegmentsType, columns.arraySegments = schema.SparseIndexVector.Int32Vector, segments
    columns.arrayIndicesType, columns.arrayIndices = schema.SparseIndexVector.Uint8Vector, indices
    sparsity.dimMetadata = [rows, columns]
    sub.tensors[made].sparsity = sparsity
    return made


def pruned() -> tuple[File, Array]:
    weight = random(40, 64)
    weight[np.random.default_rng(1).random(weight.shape) < 0.9] = 0
    file, sub = File.new()
    x = sub.input((-1, 64))
    (full,) = sub.op("DENSIFY", [sparse(file, sub, weight)], [sub.tensor((40, 64))])
    sub.outputs = sub.op("FULLY_CONNECTED", [x, full, -1], [sub.tensor(())], "FullyConnected")
    return file, weight


def test_sparse_constants_are_read_with_their_zeros() -> None:
    file, weight = pruned()
    found = compare(file, random(1, 64))
    nonzeros, rows = int((weight != 0).sum()), int((weight != 0).any(1).sum())
    ledger = found.count().ledgers["quantized"]
    assert ledger.storage * 32 == nonzeros * 32 + weight.size
    assert ledger.operations == nonzeros + nonzeros - rows


def blocked(file: File, sub: Sub, weight: Array) -> int:
    """``weight`` [4, 4] whose 2×2 blocks at (0, 1) and (1, 0) are kept."""
    kept = np.concatenate([weight[0:2, 2:4].reshape(-1), weight[2:4, 0:2].reshape(-1)])
    made = sub.tensor(weight.shape, weight.dtype.name, kept)
    sparsity = schema.SparsityParametersT()
    sparsity.traversalOrder, sparsity.blockMap = [0, 1, 2, 3], [0, 1]
    axes = [schema.DimensionMetadataT() for _ in range(4)]
    for axis in (0, 2, 3):
        axes[axis].format, axes[axis].denseSize = 0, 2
    segments, indices = schema.Int32VectorT(), schema.Int32VectorT()
    segments.values, indices.values = ints(0, 1, 2), ints(1, 0)
    axes[1].format, axes[1].arraySegmentsType, axes[1].arraySegments = 1, 1, segments
    axes[1].arrayIndicesType, axes[1].arrayIndices = 1, indices
    sparsity.dimMetadata = axes
    sub.tensors[made].sparsity = sparsity
    return made


def test_sparse_blocks() -> None:
    weight = random(4, 4)
    weight[0:2, 0:2] = weight[2:4, 2:4] = 0
    file, sub = File.new()
    x = sub.input((-1, 4))
    (full,) = sub.op("DENSIFY", [blocked(file, sub, weight)], [sub.tensor((4, 4))])
    sub.outputs = sub.op("FULLY_CONNECTED", [x, full, -1], [sub.tensor(())], "FullyConnected")
    compare(file, random(1, 4))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("indices", "got a sparse tensor with an index outside of it but should lie within (40, 64) [tensor 't1']"),
        (
            "segments",
            "got a sparse tensor with segments that do not fit but should ascend within the indices, one more than there are rows "
            "[tensor 't1']",
        ),
        ("order", "got a sparse tensor with the order [0, 0] of 2 axes and 0 block axes but should name each once [tensor 't1']"),
        ("size", "got a sparse tensor with a dimension of 1073741824 but should have a size of at least 1 that fits [tensor 't1']"),
    ],
)
def test_sparse_constants_that_lie(change: str, sentence: str) -> None:
    file, _ = pruned()
    found = next(tensor for tensor in file.subs[0].tensors if tensor.sparsity is not None).sparsity
    if change == "indices":
        found.dimMetadata[1].arrayIndices.values[0] = 64
    elif change == "segments":
        found.dimMetadata[1].arraySegments.values[7] = 5000
    elif change == "order":
        found.traversalOrder = [0, 0]
    else:
        found.dimMetadata[0].denseSize = 1 << 30
    assert problems(file) == [sentence]


def test_fake_quantization_is_quantize_and_dequantize() -> None:
    file, sub = File.new()
    x = sub.input((-1, 6))
    (y,) = sub.op("FAKE_QUANT", [x], [sub.tensor(())], "FakeQuant", min=-1.0, max=2.0, numBits=4)
    sub.outputs = [y]
    found = compare(file, random(1, 6))
    assert found.kinds == ["quantize", "dequantize"]
    assert found.graph.values[found.nodes[0].outputs[0]].format.name == "uint4"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"scale": [0.1, 0.2]},
            "got 2 scales along axis 0 of (4, 3, 3, 3) but should be one number, or one per slice of an axis [tensor 'w']",
        ),
        (
            {"scale": [0.1] * 4, "axis": 7},
            "got 4 scales along axis 7 of (4, 3, 3, 3) but should be one number, or one per slice of an axis [tensor 'w']",
        ),
        ({"scale": [-0.1]}, "got a scale that is negative or not a number but should be positive [tensor 'w']"),
        ({"scale": [float("nan")]}, "got a scale that is negative or not a number but should be positive [tensor 'w']"),
        ({"scale": [0.1], "zero": [4000]}, "got a zero point of 4000 but should be a code of int8, -128 to 127 [tensor 'w']"),
    ],
)
def test_scales_that_lie(fields: dict[str, Any], sentence: str) -> None:
    file, sub = File.new()
    x = sub.input((-1, 6, 6, 3), "int8", scale=0.02)
    weight = sub.constant(codes(4, 3, 3, 3), name="w", **fields)
    sub.outputs = sub.op("CONV_2D", [x, weight, -1], [sub.tensor((), "int8", scale=0.1)], "Conv2D", **CONV)
    assert problems(file) == [sentence]


def test_blocks_of_scales_are_refused_by_name() -> None:
    file = hybrid(1)
    tensor = file.subs[0].tensors[1]
    tensor.quantization.detailsType = schema.QuantizationDetails.BlockwiseQuantization
    tensor.quantization.details = schema.BlockwiseQuantizationT()
    assert problems(file) == [
        "got a tensor quantized in blocks but should have one scale, or one per channel [tensor 't1'] (quantize per channel instead)"
    ]


def test_weights_alone_may_be_integers() -> None:
    """A constant that is dequantized first: 8 bits stored, and a scale for each channel that factors out of 32-bit activations."""
    file, sub = File.new()
    x = sub.input((-1, 6, 6, 3))
    stored = sub.constant(codes(4, 3, 3, 3), scale=[0.01, 0.02, 0.03, 0.04])
    (weight,) = sub.op("DEQUANTIZE", [stored], [sub.tensor(())])
    sub.outputs = sub.op("CONV_2D", [x, weight, sub.constant(random(4))], [sub.tensor(())], "Conv2D", **CONV)
    found = compare(file, random(1, 6, 6, 3))
    assert found.work == ["dequantize", "conv"]
    assert list(found.sidecar.iterdir()) == []
    lines = [line for line in found.count().ledgers["quantized"].lines if line.axis == "storage"]
    assert sum(line.quantity * line.bits for line in lines) == 4 * 27 * 8 + 4 * 32 + 4 * 32


def test_a_quantized_table_is_looked_up_and_scaled() -> None:
    file, sub = File.new()
    x, table = sub.input((1,), "int32"), sub.constant(codes(10, 3), scale=0.02)
    sub.outputs = sub.op("EMBEDDING_LOOKUP", [x, table], [sub.tensor(())], version=3)
    assert compare(file, ints(4)).kinds == ["dequantize", "lookup:embedding"]


def test_hybrid_batch_matmul() -> None:
    file, sub = File.new()
    x = sub.input((1, 2, 5))
    matrix = sub.constant(codes(1, 5, 4), scale=0.01)
    sub.outputs = sub.op("BATCH_MATMUL", [x, matrix], [sub.tensor(())], "BatchMatMul", asymmetricQuantizeInputs=False)
    found = compare(file, random(1, 2, 5))
    assert found.work[-2:] == ["matmul", "elementwise:mul"]


def test_padding_with_a_quantized_number() -> None:
    file, sub = File.new()
    x = sub.input((1, 4), "int8", scale=0.03, zero=4)
    fill = sub.constant(np.array([24], np.int8), scale=0.03, zero=4)
    pads = sub.constant(ints(0, 0, 1, 2).reshape(2, 2))
    sub.outputs = sub.op("PADV2", [x, pads, fill], [sub.tensor((), "int8", scale=0.03, zero=4)])
    found = compared(file, random(1, 4))
    assert next(n for n in found.nodes if n.kind == "move").attributes["value"] == pytest.approx(0.6)


def test_a_transposed_integer_convolution() -> None:
    file, sub = File.new()
    x = sub.input((1, 4, 4, 3), "int8", scale=0.03, zero=4)
    weight = sub.constant(codes(2, 3, 3, 3), scale=[0.01, 0.02])
    bias = sub.constant(codes(2, low=-500, high=500, dtype=np.int32), scale=[0.0003, 0.0006])
    operands = [sub.constant(ints(1, 8, 8, 2)), weight, x, bias]
    y = sub.tensor((1, 8, 8, 2), "int8", scale=0.1, zero=3)
    sub.outputs = sub.op("TRANSPOSE_CONV", operands, [y], "TransposeConv", strideH=2, strideW=2, version=3)
    assert [kind for kind in compared(file, random(1, 4, 4, 3)).work if kind == "conv"] == ["conv"]
