"""IF and WHILE: constant choices and loops are written out, a choice of the data is a branch that the predictor records."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from micronet_verify_tflite.loader import TfliteLoader

from micronet_verify.counting.count import count_graph
from micronet_verify.framework.requests import PredictRequest
from micronet_verify.track.rules import CountingRules
from tests.plugins.tflite.support import compare, execute, ints, problems, random, saved, translate
from tests.plugins.tflite.writer import File, Sub

HALF = Fraction(1, 2)


def whole(sub: Sub) -> int:
    return sub.tensor((), "int32")


def branched(deep: bool = False) -> File:
    """x [1, 8]: where its greatest number is above 0, a product of 3 columns, else of 3 after 8·8; ``deep``: one more choice in there."""
    file, main = File.new()
    x = main.input((1, 8))
    (most,) = main.op("REDUCE_MAX", [x, main.constant(ints(0, 1))], [main.tensor(())], "Reducer")
    (truth,) = main.op("GREATER", [most, main.constant(np.float32(1))], [main.tensor((), "bool")])
    main.outputs = main.op("IF", [truth, x], [main.tensor((1, 3))], "If", thenSubgraphIndex=1, elseSubgraphIndex=2)
    easy, hard = file.sub("easy"), file.sub("hard")
    given = easy.input((1, 8))
    easy.outputs = easy.op("FULLY_CONNECTED", [given, easy.constant(random(3, 8)), -1], [easy.tensor((1, 3))], "FullyConnected")
    given = hard.input((1, 8))
    (wide,) = hard.op("FULLY_CONNECTED", [given, hard.constant(random(8, 8, seed=1)), -1], [hard.tensor((1, 8))], "FullyConnected")
    last = [wide, hard.constant(random(3, 8, seed=2)), -1]
    if not deep:
        hard.outputs = hard.op("FULLY_CONNECTED", last, [hard.tensor((1, 3))], "FullyConnected")
        return file
    (least,) = hard.op("REDUCE_MIN", [given, hard.constant(ints(0, 1))], [hard.tensor(())], "Reducer")
    (truth,) = hard.op("GREATER", [least, hard.constant(np.float32(-1))], [hard.tensor((), "bool")])
    hard.outputs = hard.op("IF", [truth, wide], [hard.tensor((1, 3))], "If", thenSubgraphIndex=3, elseSubgraphIndex=4)
    for index, kind in ((3, "RELU"), (4, "TANH")):
        inner = file.sub(kind)
        given = inner.input((1, 8))
        (y,) = inner.op("FULLY_CONNECTED", [given, inner.constant(random(3, 8, seed=index)), -1], [inner.tensor((1, 3))], "FullyConnected")
        inner.outputs = inner.op(kind, [y], [inner.tensor((1, 3))])
    return file


def test_a_choice_of_the_data_is_a_branch() -> None:
    for scale in (0.1, 3.0):
        found = compare(branched(), (scale * random(1, 8)).astype(np.float32))
        assert found.kinds[-1] == "branch"
    assert found.nodes[-1].attributes == {"id": "2"}


def test_the_predictor_says_which_branch_each_example_took() -> None:
    path = saved(branched())
    x = random(6, 8) * np.array([0.1, 3, 3, 0.1, 0.1, 3], np.float32)[:, None]
    answers = list(TfliteLoader().predict(PredictRequest(path, x, 4, 1)))
    taken = [number for answer in answers for number in answer.taken["2"]]
    assert taken == [0 if row.max() > 1 else 1 for row in x]
    assert [len(answer.outputs) for answer in answers] == [4, 2]
    expected = np.concatenate([execute(path, row[None])[0] for row in x])
    np.testing.assert_array_equal(np.concatenate([answer.outputs for answer in answers]), expected)


def test_branches_inside_branches_say_when_they_were_not_reached() -> None:
    path = saved(branched(deep=True))
    x = random(12, 8) * np.linspace(0.1, 3, 12, dtype=np.float32)[:, None]
    (answer,) = TfliteLoader().predict(PredictRequest(path, x, 12, 1))
    outer, inner = answer.taken["2"], answer.taken["2/else/3"]
    assert outer == tuple(0 if row.max() > 1 else 1 for row in x)
    assert inner == tuple(-1 if row.max() > 1 else (0 if row.min() > -1 else 1) for row in x)
    assert set(inner) >= {-1, 0}


def test_branches_are_charged_by_how_often_they_were_taken() -> None:
    found = translate(branched())
    ledger = count_graph(found.graph, found.store, CountingRules(), {"2": HALF}).ledgers["quantized"]
    easy, hard = 3 * 8 + 3 * 7, 8 * 8 + 8 * 7 + 3 * 8 + 3 * 7
    assert ledger.operations == 7 + 1 + HALF * easy + HALF * hard


def test_a_constant_condition_picks_its_subgraph() -> None:
    file = branched()
    file.subs[0].operators[2].inputs[0] = file.subs[0].constant(np.array(False))
    found = translate(file)
    assert "branch" not in found.kinds
    assert found.count().ledgers["quantized"].operations == 8 * 8 + 8 * 7 + 3 * 8 + 3 * 7


def test_branches_of_different_results_are_refused() -> None:
    file = branched()
    for tensor in (file.subs[2].tensors[3],):
        tensor.shape = [4, 8]
        file.buffers[tensor.buffer].data = np.frombuffer(random(4, 8).tobytes(), np.uint8)
    file.subs[2].tensors[-1].shape = []
    assert problems(file)[0].startswith(
        "got branches that return float32(1, 3) and float32(1, 4) but should return the same shapes and types"
    )


def loop(turns: int, bound: Any = None) -> File:
    """x times a matrix and a tanh, ``turns`` times, as converted recurrent layers are written."""
    file, main = File.new()
    x = main.input((1, 4))
    results = [whole(main), main.tensor((1, 4))]
    main.outputs = main.op("WHILE", [main.constant(np.int32(0)), x], results, "While", condSubgraphIndex=1, bodySubgraphIndex=2)[1:]
    test, body = file.sub("test"), file.sub("body")
    i = test.input((), "int32")
    test.input((1, 4))
    test.outputs = test.op("LESS", [i, test.constant(np.int32(turns))], [test.tensor((), "bool")])
    i, h = body.input((), "int32"), body.input((1, 4))
    (y,) = body.op("FULLY_CONNECTED", [h, body.constant(random(4, 4), name="cell"), -1], [body.tensor((1, 4))], "FullyConnected")
    (z,) = body.op("TANH", [y], [body.tensor((1, 4))])
    (j,) = body.op("ADD", [i, body.constant(np.int32(1))], [whole(body)], "Add")
    body.outputs = [j, z]
    return file


def test_a_loop_of_constant_turns_is_written_out_and_its_weights_stored_once() -> None:
    found = compare(loop(5), random(1, 4))
    assert found.work == ["matmul", "elementwise:tanh"] * 5
    ledger = found.count().ledgers["quantized"]
    assert ledger.operations == 5 * (4 * 4 + 4 * 3 + 4)
    assert ledger.storage == 4 * 4


BOUND = "(give it a constant number of turns: a counter that constants bound, and no condition on the data)"


def test_a_loop_that_never_ends_is_refused() -> None:
    file = loop(5)
    file.subs[1].operators.clear()
    file.subs[1].outputs = [file.subs[1].constant(np.array(True))]
    assert problems(file) == [f"got a loop whose condition always holds but should end [WHILE in t1] {BOUND}"]


def test_a_loop_that_the_data_decides_is_refused() -> None:
    file = loop(5)
    test = file.subs[1]
    (most,) = test.op("REDUCE_MAX", [test.inputs[1], test.constant(ints(0, 1))], [test.tensor(())], "Reducer")
    test.outputs = test.op("LESS", [most, test.constant(np.float32(2))], [test.tensor((), "bool")])
    assert problems(file) == [f"got a loop whose turns the data decides but should turn a constant number of times [WHILE in t1] {BOUND}"]


def test_a_fault_inside_a_loop_is_named_once_for_each_place() -> None:
    file = loop(5)
    body = file.subs[2]
    body.operators[1].opcodeIndex = file.code("RANDOM_UNIFORM")
    assert len(problems(file)) == 1


@pytest.mark.parametrize("batch", [1, 5])
def test_branches_run_one_example_at_a_time(batch: int, tmp_path: Path) -> None:
    path = branched().save(tmp_path / "model.tflite")
    x = random(5, 8)
    whole_answer = np.concatenate([a.outputs for a in TfliteLoader().predict(PredictRequest(path, x, batch, 1))])
    assert whole_answer.shape == (5, 3)


def test_a_long_loop_of_constant_turns_is_one_node() -> None:
    """70,000 turns of a 4×4 product and a tanh, counted from 0 to the bound: the price of a turn, 70,000 times."""
    turns = 70_000
    found = translate(loop(turns))
    (node,) = [node for node in found.nodes if node.kind == "loop"]
    assert node.attributes["trips"] == turns
    ledger = found.count().ledgers["quantized"]
    assert ledger.operations == turns * (4 * 4 + 4 * 3 + 4)
    assert ledger.storage == 4 * 4


def test_a_long_loop_counts_its_turns_as_the_interpreter_does() -> None:
    """From 3, by 2, while it is at most 9,000: ⌊(9,000 − 3)/2⌋ + 1 turns."""
    file = loop(9_000)
    main, test, body = file.subs
    main.operators[0].inputs[0] = main.constant(np.int32(3))
    test.operators[0].opcodeIndex = file.code("LESS_EQUAL")
    body.operators[2].inputs[1] = body.constant(np.int32(2))
    found = compare(file, random(1, 4))
    (node,) = [node for node in found.nodes if node.kind == "loop"]
    assert node.attributes["trips"] == (9_000 - 3) // 2 + 1


def nested(depth: int) -> File:
    """x, and where its greatest number is above 0 the same again ``depth`` levels deep: each level is a subgraph of its own."""
    file, sub = File.new()
    for level in range(1, depth + 1):
        x = sub.input((1, 3)) if level == 1 else sub.inputs[0]
        (most,) = sub.op("REDUCE_MAX", [x, sub.constant(ints(0, 1))], [sub.tensor(())], "Reducer")
        (truth,) = sub.op("GREATER", [most, sub.constant(np.float32(0))], [sub.tensor((), "bool")])
        sub.outputs = sub.op("IF", [truth, x], [sub.tensor((1, 3))], "If", thenSubgraphIndex=2 * level, elseSubgraphIndex=2 * level - 1)
        other = file.sub(f"else {level}")
        other.outputs = other.op("TANH", [other.input((1, 3))], [other.tensor((1, 3))])
        sub = file.sub(f"then {level}")
        given = sub.input((1, 3))
        if level == depth:
            sub.outputs = sub.op("RELU", [given], [sub.tensor((1, 3))])
    return file


def test_branches_inside_branches_are_deep_but_not_recursive() -> None:
    """42 levels are counted; 200 are too deep, and nothing calls itself."""
    assert translate(nested(42)).kinds[-1] == "branch"
    (sentence,) = problems(nested(200))
    assert "got functions, branches and loops more than 64 levels deep but should be at most 64 levels deep" in sentence


def test_a_branch_inside_a_branch_is_charged_by_how_often_it_is_reached() -> None:
    """Half of the examples go the hard way, and half of those (a quarter of all) take each inner body."""
    found = translate(branched(deep=True))
    ledger = count_graph(found.graph, found.store, CountingRules(), {"2": HALF, "2/else/3": HALF}).ledgers["quantized"]
    easy, wide, last = 3 * 8 + 3 * 7, 8 * 8 + 8 * 7, 3 * 8 + 3 * 7
    relu, tanh = 3, 3
    assert ledger.operations == 7 + 1 + HALF * easy + HALF * (wide + 7 + 1 + HALF * (last + relu) + HALF * (last + tanh))
