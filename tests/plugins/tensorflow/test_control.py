"""Calls, loops of known length, branches that the data decides, and recurrent layers."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pytest

from micronet_verify.counting.count import count_graph
from micronet_verify.facts.graph import Graph
from micronet_verify.track.rules import CountingRules
from tests.plugins.tensorflow.support import Builder, predict, problems, random, translate

SEQUENCE = random(1, 5, 6)
HALF = Fraction(1, 2)


def test_calls_are_inlined_and_share_their_variables(build: Builder) -> None:
    tf = build.tf
    inner = tf.function(lambda x, w: tf.nn.relu(tf.matmul(x, w)))
    found = build.compare(lambda x, w: inner(inner(x, w), w), random(1, 6), variables=[random(6, 6)])
    assert found.work == ["matmul", "elementwise:relu"] * 2
    assert len({name for node in found.nodes if node.kind == "matmul" for name in node.inputs[1:]}) == 1


def test_loops_of_known_length_are_written_out(build: Builder) -> None:
    found = build.compare(turning(build.tf, 3), random(1, 4), variables=[random(4, 4)])
    assert found.work == ["matmul", "elementwise:tanh"] * 3


def turning(tf: Any, turns: int, first: int = 0, step: int = 1) -> Any:
    """x times a matrix and a tanh, while a counter is below ``turns``."""
    return lambda x, w: tf.while_loop(lambda i, y: i < turns, lambda i, y: (i + step, tf.tanh(tf.matmul(y, w))), [first, x])[1]


def test_a_long_loop_of_constant_turns_is_one_node(build: Builder) -> None:
    """70,000 turns of a 4×4 product and a tanh: the price of a turn, 70,000 times, as in ONNX and TFLite."""
    turns = 70_000
    found = translate(build.saved(turning(build.tf, turns), [(None, 4)], variables=[random(4, 4)]))
    (node,) = [node for node in found.nodes if node.kind == "loop"]
    assert node.attributes["trips"] == turns
    ledger = found.count().ledgers["quantized"]
    assert ledger.operations == turns * (4 * 4 + 4 * 3 + 4)
    assert ledger.storage == 4 * 4


def test_a_long_loop_computes_what_tensorflow_computes(build: Builder) -> None:
    """From 3, by 2, below 9,000: ⌈(9,000 − 3)/2⌉ turns."""
    found = build.compare(turning(build.tf, 9_000, 3, 2), random(1, 4), variables=[random(4, 4)])
    (node,) = [node for node in found.nodes if node.kind == "loop"]
    assert node.attributes["trips"] == -(-(9_000 - 3) // 2)


CONSTANT = "(give it a constant number of turns: a counter that constants bound, and no condition on the data)"


def test_a_loop_whose_length_the_data_decides_is_refused(build: Builder) -> None:
    tf = build.tf

    def loop(x: Any) -> Any:
        return tf.while_loop(lambda y: tf.reduce_sum(y) < 10, lambda y: (2 * y,), [x])[0]

    (found,) = problems(build.saved(loop, [(None, 6)]))
    assert found.startswith("got a loop whose turns the data decides but should turn a constant number of times [")
    assert found.endswith(CONSTANT)


def test_a_loop_without_end_is_refused(build: Builder) -> None:
    tf = build.tf
    path = build.saved(lambda x: tf.while_loop(lambda i, y: i < 3, lambda i, y: (i - 0, y + 1), [0, x])[1], [(None, 6)])
    (found,) = problems(path)
    assert found.startswith("got a loop whose condition always holds but should end [")


def test_a_condition_with_axes_is_refused(build: Builder) -> None:
    """TensorFlow takes [False] for true: it holds something."""
    tf = build.tf
    then, other = (tf.function(f, input_signature=[tf.TensorSpec([None, 6])]).get_concrete_function() for f in (tf.nn.relu, tf.exp))

    def model(x: Any) -> Any:
        return tf.raw_ops.If(cond=x[0, :1] > 0, input=[x], Tout=[tf.float32], then_branch=then, else_branch=other)[0]

    (found,) = problems(build.saved(model, [(None, 6)]))
    assert found.startswith("got a condition of shape (1,) but should be one truth value [If")


@pytest.mark.parametrize("layer", ["LSTM", "GRU", "SimpleRNN"])
@pytest.mark.parametrize("whole", [False, True])
def test_recurrent_layers_are_their_steps(build: Builder, keras: Any, layer: str, whole: bool) -> None:
    """The same count whether Keras writes a loop or the steps one by one."""
    counts = []
    for unrolled in (False, True):
        keras.utils.set_random_seed(1)
        recurrent = getattr(keras.layers, layer)(3, return_sequences=whole, unroll=unrolled, bias_initializer="random_normal")
        model = keras.Sequential([keras.Input((5, 6)), recurrent])
        found = translate(build.exported(model), batch=True)
        np.testing.assert_allclose(found.run(SEQUENCE)[0], np.asarray(model(SEQUENCE)), rtol=1e-5, atol=1e-6)
        counts.append({name: (ledger.storage, ledger.operations) for name, ledger in found.count().ledgers.items()})
    assert counts[0] == counts[1]


def test_both_directions(build: Builder, keras: Any) -> None:
    model = keras.Sequential([keras.Input((5, 6)), keras.layers.Bidirectional(keras.layers.GRU(3, return_sequences=True))])
    found = translate(build.exported(model), batch=True)
    np.testing.assert_allclose(found.run(SEQUENCE)[0], np.asarray(model(SEQUENCE)), rtol=1e-5, atol=1e-6)


def test_an_lstm_costs_its_steps(build: Builder, keras: Any) -> None:
    steps, inputs, hidden = 5, 6, 3
    layer = keras.layers.LSTM(hidden, bias_initializer="random_normal", unit_forget_bias=False)
    ledger = translate(build.exported(keras.Sequential([keras.Input((steps, inputs)), layer]))).count().ledgers["freebie"]
    sigmoids, tanhs, products = 3 * 2, 2, 3
    assert ledger.quantity("operations", "multiply") == steps * hidden * (4 * (inputs + hidden) + sigmoids + tanhs + products)
    # Both products are summed, then the bias; a sigmoid has an add, and so has the new cell.
    sums = 4 * (inputs - 1 + hidden - 1 + 1 + 1)
    assert ledger.quantity("operations", "add") == steps * hidden * (sums + 3 + 1)
    assert ledger.storage == Fraction(16, 32) * 4 * hidden * (inputs + hidden + 1)


def branching(tf: Any) -> Any:
    """Positive examples take the first body."""

    def model(x: Any, w: Any, b: Any) -> Any:
        inner = tf.function(lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: tf.matmul(x, w), lambda: x[:, :2] + b))
        return inner(x)

    return model


def test_branches_are_counted_and_recorded_example_by_example(build: Builder) -> None:
    w, b = random(3, 2), random(2, seed=1)
    path = build.saved(branching(build.tf), [(None, 3)], variables=[w, b])
    found = translate(path)
    (branch,) = [node for node in found.nodes if node.kind == "branch"]
    inputs = np.array([[1, 1, 1], [-1, -1, -1], [9, 9, 9], [-2, 0, 0]], np.float32)
    (answer,) = predict(path, inputs)
    assert answer.taken == {branch.attributes["id"]: (0, 1, 0, 1)}
    wanted = np.where(inputs.sum(1, keepdims=True) > 0, inputs @ w, inputs[:, :2] + b)
    np.testing.assert_allclose(answer.outputs, wanted, rtol=1e-5)
    np.testing.assert_allclose(found.run(inputs[:1])[0], wanted[:1], rtol=1e-5)


def nested(tf: Any) -> Any:
    """x [1, 8]: where its greatest number is above 0, a product of 3 columns; else one of 8·8, and after it another choice."""

    def hard(x: Any, square: Any, *last: Any) -> Any:
        wide = tf.matmul(x, square)
        bodies = (lambda: tf.nn.relu(tf.matmul(wide, last[0])), lambda: tf.tanh(tf.matmul(wide, last[1])))
        return tf.cond(tf.reduce_min(x) > -1, *bodies)

    def model(x: Any, easy: Any, *others: Any) -> Any:
        call = tf.function(lambda x: hard(x, *others))
        return tf.cond(tf.reduce_max(x) > 0, lambda: tf.matmul(x, easy), lambda: call(x))

    return model


DEEP = [random(8, 3), random(8, 8, seed=1), random(8, 3, seed=2), random(8, 3, seed=3)]


def test_a_branch_inside_a_branch_is_charged_by_how_often_it_is_reached(build: Builder) -> None:
    """Half of the examples go the hard way, and half of those (a quarter of all) take each inner body: as in TFLite."""
    found = translate(build.saved(nested(build.tf), [(None, 8)], variables=DEEP))
    outer, inner = sorted(branches(found.graph))
    assert inner.startswith(f"{outer}/else/")
    ledger = count_graph(found.graph, found.store, CountingRules(), {outer: HALF, inner: HALF}).ledgers["quantized"]
    easy, wide, last = 3 * 8 + 3 * 7, 8 * 8 + 8 * 7, 3 * 8 + 3 * 7
    relu, tanh = 3, 3
    assert ledger.operations == 7 + 1 + HALF * easy + HALF * (wide + 7 + 1 + HALF * (last + relu) + HALF * (last + tanh))


def test_branches_inside_branches_say_when_they_were_not_reached(build: Builder) -> None:
    path = build.saved(nested(build.tf), [(None, 8)], variables=DEEP)
    outer, inner = sorted(branches(translate(path).graph))
    x = -np.abs(random(12, 8)) * np.linspace(0.1, 3, 12, dtype=np.float32)[:, None]
    x[::3] *= -1
    (answer,) = predict(path, x, 12)
    assert answer.taken[outer] == tuple(0 if row.max() > 0 else 1 for row in x)
    assert answer.taken[inner] == tuple(-1 if row.max() > 0 else (0 if row.min() > -1 else 1) for row in x)
    assert set(answer.taken[inner]) == {-1, 0, 1}


def test_a_branch_in_a_body_that_a_constant_chose_is_recorded(build: Builder) -> None:
    tf = build.tf

    def model(x: Any) -> Any:
        inner = lambda: tf.cond(tf.reduce_sum(x) > 0, lambda: tf.nn.relu(x), lambda: tf.exp(x))  # noqa: E731
        return tf.cond(tf.shape(x)[1] > 4, inner, lambda: x)

    path = build.saved(model, [(None, 6)])
    (name,) = branches(translate(path).graph)
    x = random(5, 6)
    (answer,) = predict(path, x, 5)
    assert answer.taken == {name: tuple(0 if row.sum() > 0 else 1 for row in x)}


def test_two_branches_of_one_name_are_refused(build: Builder) -> None:
    """A branch ``b`` in the first body of ``a`` and a branch called ``a/then/b``: a record of one would be the other's, too."""
    tf = build.tf
    specs = [tf.TensorSpec([None, 6])]

    def choice(x: Any, then: Any, name: str) -> Any:
        other = tf.function(tf.exp, input_signature=specs).get_concrete_function()
        return tf.raw_ops.If(cond=x[0, 0] > 0, input=[x], Tout=[tf.float32], then_branch=then, else_branch=other, name=name)[0]

    relu = tf.function(tf.nn.relu, input_signature=specs).get_concrete_function()
    inner = tf.function(lambda x: choice(x, relu, "b"), input_signature=specs).get_concrete_function()
    path = build.saved(lambda x: choice(choice(x, inner, "a"), relu, "a/then/b"), [(None, 6)])
    (found,) = problems(path)
    assert "/a/then/b' but should have a name of its own [If in a.then]" in found
    assert len(branches(translate(build.saved(lambda x: choice(choice(x, inner, "a"), relu, "a/else/b"), [(None, 6)])).graph)) == 3


def branches(graph: Graph) -> list[str]:
    """Names of the branches of a graph and of their bodies."""
    found = []
    for node in graph.nodes:
        found += [str(node.attributes["id"])] if node.kind == "branch" else []
        found += [name for body in node.bodies for name in branches(body)]
    return found


def functions(tf: Any, depth: int) -> Any:
    """x + 1 behind ``depth`` functions, each of which calls the next."""
    found = tf.function(lambda x: x + 1)
    for _ in range(depth - 1):
        found = tf.function(partial(lambda inner, x: inner(x), found))
    return found


def test_functions_inside_functions_are_deep_but_not_recursive(build: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    """42 levels are counted. More than the limit are too deep, and nothing calls itself: TensorFlow can trace no 65."""
    path = build.saved(functions(build.tf, 42), [(None, 6)])
    assert translate(path).work == ["elementwise:add"]
    monkeypatch.setattr("micronet_verify.framework.translation.walk.DEEPEST", 30)
    (found,) = problems(path)
    assert found.startswith("got functions, branches and loops more than 30 levels deep but should be at most 30 levels deep [")


def test_a_function_that_calls_itself_is_refused(build: Builder) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    path = build.saved(functions(build.tf, 2), [(None, 6)])
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for function in model.meta_graphs[0].graph_def.library.function:
        for node in function.node_def:
            if "f" in node.attr and node.attr["f"].func.name.startswith("__inference") and "restore" not in function.signature.name:
                node.attr["f"].func.name = function.signature.name
    path.write_bytes(model.SerializeToString())
    (found,) = problems(path)
    assert "got a recursive function" in found


def test_a_choice_that_shapes_decide_is_its_body(build: Builder) -> None:
    tf = build.tf

    def model(x: Any) -> Any:
        return tf.cond(tf.shape(x)[1] > 4, lambda: tf.nn.relu(x), lambda: tf.exp(x))

    path = build.saved(model, [(None, 6)])
    assert translate(path).work == ["elementwise:relu"]
    assert predict(path, random(3, 6))[0].taken == {}


def test_lists_that_are_read_before_they_are_written(build: Builder) -> None:
    tf = build.tf

    def model(x: Any) -> Any:
        empty = tf.raw_ops.TensorListReserve(element_shape=tf.constant([6], tf.int32), num_elements=2, element_dtype=tf.float32)
        return x + tf.raw_ops.TensorListGetItem(input_handle=empty, index=1, element_shape=tf.constant([6]), element_dtype=tf.float32)

    (found,) = problems(build.saved(model, [(None, 6)]))
    assert found.startswith("got element 1 of a list, which nothing wrote but should be written before it is read [TensorListGetItem")
