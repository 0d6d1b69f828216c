"""Every operator of the table: what the neutral graph computes is what TensorFlow computes, number by number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from micronet_verify_tensorflow.op_table import TABLE

from micronet_verify.framework.translation.table import Line, Refusal
from tests.plugins.tensorflow.support import Builder, problems, random

X = random(1, 4, 6)
IMAGE = random(1, 8, 7, 4)
POSITIVE = np.abs(X) + 0.1
UNIT = np.tanh(X)
WHOLE = np.arange(24, dtype=np.int32).reshape(1, 4, 6) % 7

UNARY = (
    "Abs Acos Asin Asinh Atan Atanh Ceil Cos Cosh Elu Erf Erfc Exp Expm1 Floor IsFinite IsInf IsNan Log Log1p Neg Reciprocal Relu Relu6 "
    "Rint Round Rsqrt Selu Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Square Tan Tanh Identity Snapshot LogSoftmax Softmax ZerosLike "
    "OnesLike StopGradient PreventGradient Inv"
).split()
BINARY = "Add AddV2 Atan2 Div DivNoNan FloorDiv FloorMod Maximum Minimum Mul Pow RealDiv SquaredDifference Sub".split()
COMPARE = "Equal NotEqual Greater GreaterEqual Less LessEqual".split()
ARGUMENT = {"Softmax": "logits", "LogSoftmax": "logits", "Relu": "features", "Relu6": "features", "Elu": "features", "Selu": "features"}
ARGUMENT |= {"Softplus": "features", "Softsign": "features", "Identity": "input", "Snapshot": "input", "StopGradient": "input"}
ARGUMENT |= {"PreventGradient": "input"}


@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_tensor(build: Builder, name: str) -> None:
    tf = build.tf
    x = UNIT if name in ("Acos", "Asin", "Atanh") else POSITIVE if name in ("Log", "Log1p", "Rsqrt", "Sqrt", "Reciprocal", "Inv") else X
    found = build.compare(lambda x: getattr(tf.raw_ops, name)(**{ARGUMENT.get(name, "x"): x}), x)
    assert isinstance(TABLE[name], Line)
    assert found.shapes() == [x.shape]


def test_acosh(build: Builder) -> None:
    build.compare(build.tf.math.acosh, POSITIVE + 1)


@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_tensors_broadcast(build: Builder, name: str) -> None:
    y = POSITIVE[:, :1] + 0.5
    build.compare(lambda x, y: getattr(build.tf.raw_ops, name)(**({"x": x, "y": y} if name != "Atan2" else {"y": x, "x": y})), POSITIVE, y)


@pytest.mark.parametrize("name", COMPARE)
def test_comparisons(build: Builder, name: str) -> None:
    tf = build.tf
    build.compare(lambda x, y: getattr(tf.raw_ops, name)(x=x, y=y), WHOLE, WHOLE[:, :, ::-1].copy())


def test_logic_selection_and_sums_of_many(build: Builder) -> None:
    tf = build.tf
    build.compare(lambda x: tf.where(tf.logical_and(x > 0, tf.logical_not(x > 1)), x, -x), X)
    build.compare(lambda x: tf.where(tf.logical_or(x > 1, x < -1), x, 0.5), X)
    build.compare(lambda x: tf.raw_ops.Select(condition=x > 0, x=x, y=2 * x), X)
    build.compare(lambda x: tf.add_n([x, 2 * x, x * x]), X)
    build.compare(lambda x: tf.clip_by_value(x, -0.5, 0.7), X)
    build.compare(lambda x: tf.raw_ops.ClipByValue(t=x, clip_value_min=-0.5, clip_value_max=0.25), X)
    build.compare(lambda x: tf.nn.leaky_relu(x, 0.3), X)
    build.compare(lambda x: tf.nn.bias_add(x, [1.0, 2, 3, 4, 5, 6]), X)
    build.compare(lambda x: x**2 + x**1, X)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("name", "Sum Mean Max Min Prod EuclideanNorm".split())
def test_reductions(build: Builder, name: str, keepdims: bool) -> None:
    build.compare(lambda x: getattr(build.tf.raw_ops, name)(input=x, axis=[1, -1], keep_dims=keepdims), X)


def test_reductions_of_truth_values_and_choices(build: Builder) -> None:
    tf = build.tf
    build.compare(lambda x: tf.cast(tf.reduce_all(x > -1, 1), tf.float32) + tf.cast(tf.reduce_any(x > 1, 1), tf.float32), X)
    build.compare(lambda x: tf.argmax(x, -1), X)
    build.compare(lambda x: tf.argmin(x, 1, output_type=tf.int32), X)
    build.compare(lambda x: tuple(tf.math.top_k(x, 3)), X)
    build.compare(lambda x: tf.cumsum(x, 1), X)
    build.compare(lambda x: tf.math.cumprod(x, 1), X)


MOVES: dict[str, Callable[[Any, Any], Any]] = {
    "reshape": lambda tf, x: tf.reshape(x, [-1, 24]),
    "reshape by the shape": lambda tf, x: tf.reshape(x, tf.stack([tf.shape(x)[0], 2, tf.shape(x)[1] // 2, 6])),
    "squeeze": lambda tf, x: tf.squeeze(tf.expand_dims(tf.expand_dims(x, 1), -1), [1, 4]),
    "transpose": lambda tf, x: tf.transpose(x, [0, 2, 1]),
    "concat": lambda tf, x: tf.concat([x, 2 * x, x[:, :0]], 1),
    "stack": lambda tf, x: tf.stack([x, x + 1], 2),
    "unstack": lambda tf, x: tf.add_n(tf.unstack(x, axis=1)),
    "split": lambda tf, x: tf.split(x, 3, -1)[1],
    "split by sizes": lambda tf, x: tf.split(x, [1, -1, 2], -1)[1],
    "slice": lambda tf, x: tf.slice(x, [0, 1, 2], [-1, 2, -1]),
    "strided slice": lambda tf, x: x[:, 1:4:2, ..., tf.newaxis, ::-1],
    "one element": lambda tf, x: x[:, -1],
    "reverse": lambda tf, x: tf.reverse(x, [1, -1]),
    "pad": lambda tf, x: tf.pad(x, [[0, 0], [1, 2], [0, 1]]),
    "pad with a number": lambda tf, x: tf.pad(x, [[0, 0], [1, 2], [0, 1]], constant_values=3.0),
    "tile": lambda tf, x: tf.tile(x, [1, 2, 3]),
    "broadcast": lambda tf, x: tf.broadcast_to(x[:, :1], tf.shape(x)) + tf.fill([4, 6], 2.0),
    "gather": lambda tf, x: tf.gather(x, [2, 0, 1, 1], axis=1),
    "gather one": lambda tf, x: tf.gather(x, 3, axis=2),
    "gather nd": lambda tf, x: tf.gather_nd(tf.transpose(x, [1, 0, 2]), [[2], [0]]),
    "cast": lambda tf, x: tf.cast(tf.cast(x, tf.int32), tf.float32),
    "band": lambda tf, x: tf.linalg.band_part(x, 1, -1),
    "range": lambda tf, x: x + tf.cast(tf.range(tf.shape(x)[2]), tf.float32),
    "long range": lambda tf, x: tf.reduce_sum(x) + tf.range(5000.0) * 0.001,
    "identities": lambda tf, x: tf.identity_n([x, 2 * x])[1],
    "ensure shape": lambda tf, x: tf.ensure_shape(x, [None, 4, 6]),
}


@pytest.mark.parametrize("name", MOVES)
def test_moves(build: Builder, name: str) -> None:
    build.compare(lambda x: MOVES[name](build.tf, x), X)


def test_mirrors_are_copies(build: Builder) -> None:
    found = build.compare(lambda x: build.tf.pad(x, [[0, 0], [1, 1], [0, 0]], "REFLECT"), X)
    assert found.work == []


def test_blocks_of_space(build: Builder) -> None:
    tf = build.tf
    image = random(1, 4, 6, 8)
    build.compare(lambda x: tf.nn.depth_to_space(x, 2), image)
    build.compare(lambda x: tf.nn.space_to_depth(x, 2), image)
    build.compare(lambda x: tf.batch_to_space(tf.space_to_batch(x, [2, 3], [[0, 0], [1, 2]]), [2, 3], [[0, 0], [1, 2]]), image)


def test_lookups(build: Builder) -> None:
    tf, table = build.tf, random(7, 3)
    found = build.compare(lambda i, t: tf.gather(t, i), WHOLE[:, 0], variables=[table])
    assert found.work == ["lookup:embedding"]
    wrapped = build.compare(lambda i, t: tf.gather(t, tf.where(i < 0, i + 7, i)), WHOLE[:, 0], variables=[table])
    assert wrapped.work == ["lookup:embedding"], "counting from the end is addressing"
    # Another number than the table's length is arithmetic.
    build.compare(lambda i, t: tf.gather(t, tf.where(i < 0, i + 5, i)), WHOLE[:, 0], variables=[table])
    build.compare(lambda i: tf.one_hot(i, 7), WHOLE[:, 0])
    build.compare(lambda i: tf.one_hot(i, 7, 2.0, -1.0, axis=1), WHOLE[:, 0])


@pytest.mark.parametrize("padding", ["SAME", "VALID", [[0, 0], [2, 1], [0, 3], [0, 0]]])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_convolutions(build: Builder, stride: int, padding: Any) -> None:
    tf = build.tf
    build.compare(lambda x, w: tf.nn.conv2d(x, w, stride, padding), IMAGE, variables=[random(3, 2, 4, 5)])
    build.compare(lambda x, w: tf.nn.conv2d(x, w, [stride, 1], padding), IMAGE, variables=[random(3, 2, 2, 6)])  # two groups


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_depthwise_dilated_and_in_three_dimensions(build: Builder, padding: str) -> None:
    tf = build.tf
    build.compare(lambda x, w: tf.nn.depthwise_conv2d(x, w, [1, 2, 2, 1], padding), IMAGE, variables=[random(3, 3, 4, 2)])
    build.compare(lambda x, w: tf.nn.conv2d(x, w, 1, padding, dilations=2), IMAGE, variables=[random(3, 3, 4, 5)])
    build.compare(lambda x, w: tf.nn.conv3d(x, w, [1, 1, 2, 2, 1], padding), random(1, 4, 5, 6, 2), variables=[random(2, 2, 2, 2, 3)])


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("kernel", [2, 3, 5])
def test_transposed_convolutions(build: Builder, kernel: int, padding: str) -> None:
    tf, stride = build.tf, 3
    sizes = [n * stride if padding == "SAME" else (n - 1) * stride + kernel for n in (8, 7)]
    shape = [1, *sizes, 5]

    def layer(x: Any, w: Any) -> Any:
        return tf.nn.conv2d_transpose(x, w, tf.stack([tf.shape(x)[0], *shape[1:]]), stride, padding)

    build.compare(layer, IMAGE, variables=[random(kernel, kernel, 5, 4)])


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_pools(build: Builder, padding: str) -> None:
    tf = build.tf
    build.compare(lambda x: tf.nn.max_pool2d(x, 3, 2, padding), IMAGE)
    build.compare(lambda x: tf.nn.avg_pool2d(x, [3, 2], [2, 1], padding), IMAGE)


def test_products(build: Builder) -> None:
    tf = build.tf
    build.compare(lambda x, w: tf.matmul(x, w), X[:, 0], variables=[random(6, 3)])
    build.compare(lambda x, w: tf.matmul(x, w, transpose_b=True), X[:, 0], variables=[random(3, 6)])
    build.compare(lambda x: tf.matmul(x, x, transpose_b=True), X)
    build.compare(lambda x, w: tf.matmul(x, w), X, variables=[random(6, 3)])
    build.compare(lambda x, w: tf.matmul(w, x, transpose_a=True), X, variables=[random(2, 1, 4, 5)])
    build.compare(lambda x, w: tf.einsum("bij,jk->bik", x, w), X, variables=[random(6, 3)])
    build.compare(lambda x: tf.einsum("bij,bkj->bik", x, x), X)


def test_batch_norm_in_one_operator(build: Builder) -> None:
    tf = build.tf
    parts = [random(4, seed=1), random(4, seed=2), random(4, seed=3), np.abs(random(4, seed=4)) + 0.1]
    found = build.compare(
        lambda x, s, b, m, v: tf.compat.v1.nn.fused_batch_norm(x, s, b, m, v, epsilon=0.01, is_training=False)[0], IMAGE, variables=parts
    )
    assert found.work == ["normalise:batch_norm"]
    assert found.nodes[-1].attributes["channels_last"] is True
    trained = build.saved(
        lambda x, s, b: tf.compat.v1.nn.fused_batch_norm(x, s, b, is_training=True)[0], [(None, 8, 7, 4)], variables=parts[:2]
    )
    assert problems(trained) == [
        "got batch norm in training mode but should be exported for inference [FusedBatchNormV3 in FusedBatchNormV3] "
        "(call the model with training=False)"
    ]


def test_norms_that_are_written_out(build: Builder) -> None:
    tf = build.tf
    mean, scale, shift, variance = random(4, seed=1), random(4, seed=2), random(4, seed=3), np.abs(random(4, seed=4)) + 0.1
    norm = tf.nn.batch_normalization
    found = build.compare(lambda x, m, v, b, s: norm(x, m, v, b, s, 1e-3), IMAGE, variables=[mean, variance, shift, scale])
    assert found.work == ["normalise:batch_norm"]

    def layer(x: Any, b: Any, s: Any) -> Any:
        return norm(x, *tf.nn.moments(x, [-1], keepdims=True), b, s, 1e-3)

    assert build.compare(layer, IMAGE, variables=[shift, scale]).work == ["normalise:layer_norm"]
    # Over other axes than the last it is read as it is written.
    assert "normalise:layer_norm" not in build.compare(lambda x: norm(x, *tf.nn.moments(x, [1], keepdims=True), None, None, 1e-3), X).work
    # A variance from the data is no batch norm.
    other = build.compare(lambda x, m, b: norm(x, m, x * x, b, None, 1e-3), IMAGE, variables=[mean, shift])
    assert "normalise:batch_norm" not in other.work


def test_local_response_norm(build: Builder) -> None:
    tf = build.tf
    build.compare(lambda x: tf.nn.lrn(x, 2, 1.5, 0.01, 0.75), random(1, 3, 3, 8))


@pytest.mark.parametrize(("method", "kind"), [("bilinear", "linear"), ("nearest", "nearest"), ("bicubic", "cubic")])
def test_resizes(build: Builder, method: str, kind: str) -> None:
    found = build.compare(lambda x: build.tf.image.resize(x, [16, 14], method), IMAGE)
    assert found.work == [f"resize:{kind}"]


def test_scatters(build: Builder) -> None:
    tf = build.tf
    indices = np.array([[0], [2]], np.int32)
    found = build.compare(lambda x: tf.tensor_scatter_nd_update(tf.squeeze(x, 0), indices, random(2, 6)), X)
    assert found.work == ["scatter:replace"]
    found = build.compare(lambda x: tf.scatter_nd(indices, tf.squeeze(x, 0)[:2], [4, 6]), X)
    assert found.work == ["scatter:add"]


def test_the_table_is_sorted_and_moves_give_their_reason() -> None:
    assert list(TABLE) == sorted(TABLE)
    assert all(line.note for line in TABLE.values() if isinstance(line, Line) and line.treatment == "moves")
    assert all(line.advice for line in TABLE.values() if isinstance(line, Refusal))


def test_every_operator_of_the_table_is_one_of_tensorflow(tf: Any) -> None:
    from tensorflow.python.framework import op_def_registry

    missing = [name for name in TABLE if op_def_registry.get(name) is None and not hasattr(tf.raw_ops, name)]
    assert missing == []


def test_constant_tuples_name_their_own_places(build: Builder) -> None:
    """A0: a dense weight read out of a table that is padded with zeros; the last number of a tuple is not its place."""
    tf, weight, rng = build.tf, random(6, 3), np.random.default_rng(0)
    table, places = np.zeros((9, 5), np.float32), rng.permutation(9 * 5)[: 6 * 3]
    table.reshape(-1)[places] = weight.reshape(-1)
    tuples = np.stack(np.unravel_index(places.reshape(6, 3), table.shape), -1)
    spelled = [
        build.compare(lambda x, t: tf.matmul(x[:, 0], tf.gather_nd(t, tuples)), X, variables=[table]),
        build.compare(lambda x, t: tf.matmul(x[:, 0], tf.gather(tf.reshape(t, [-1]), places.reshape(6, 3))), X, variables=[table]),
    ]
    for found in spelled:
        ledger = found.count().ledgers["quantized"]
        assert sum(line.amount for line in ledger.lines if line.operation == "multiply" and line.rule == "O1") == 6 * 3
        assert ledger.storage >= 6 * 3
