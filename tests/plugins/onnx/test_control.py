"""If, Loop, Scan: constant choices and counts are written out, what the data decides is a branch or refused."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from micronet_verify.counting.count import count_graph
from micronet_verify.track.rules import CountingRules
from tests.plugins.onnx.support import compare, graph, info, ints, model, node, problems, random, saved, translate, unknown, x_to_y

X = random(1, 4)
BOOL, INT64 = TensorProto.BOOL, TensorProto.INT64


def body(nodes: list[onnx.NodeProto], outputs: str, inputs: list[onnx.ValueInfoProto] | None = None, **constants: Any) -> onnx.GraphProto:
    results = [unknown(name, BOOL if name == "go2" else TensorProto.FLOAT) for name in outputs.split()]
    return graph(nodes, inputs or [], results, constants, name="body")


def both() -> dict[str, onnx.GraphProto]:
    """The first body multiplies the outer ``h`` by its own weight; the second returns it."""
    return {
        "then_branch": body([node("MatMul", "h w", "a")], "a", w=random(4, 4, seed=1)),
        "else_branch": body([node("Identity", "h", "b")], "b"),
    }


@pytest.mark.parametrize(("choice", "work"), [(True, ["elementwise:relu", "matmul"]), (False, ["elementwise:relu"])])
def test_a_constant_choice_picks_its_body(choice: bool, work: list[str]) -> None:
    nodes = [node("Relu", "x", "h"), node("If", "c", **both())]
    assert compare(nodes, {"x": X}, {"c": np.array(choice)}).kinds == work


def test_a_choice_by_shapes_is_constant() -> None:
    nodes = [
        node("Relu", "x", "h"),
        node("Shape", "x", "s"),
        node("Gather", "s one", "n"),
        node("Greater", "n three", "c"),
        node("If", "c", **both()),
    ]
    found = compare(nodes, {"x": X}, {"one": np.array(1), "three": np.array(3)})
    assert found.kinds == ["elementwise:relu", "matmul"]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_choice_by_the_data_is_a_branch_that_reads_around_it(sign: int) -> None:
    nodes = [
        node("Relu", "x", "h"),
        node("ReduceSum", "x", "t", keepdims=0),
        node("Greater", "t zero", "c"),
        node("If", "c", **both()),
    ]
    found = compare(nodes, {"x": sign * np.abs(X)}, {"zero": np.float32(0)})
    branch = found.nodes[-1]
    assert [[n.kind for n in inner.nodes] for inner in branch.bodies] == [["matmul"], ["move"]]
    assert branch.bodies[0].nodes[0].inputs[0] == found.nodes[0].outputs[0]
    assert branch.attributes["id"] == "y"


def test_branches_inside_branches_have_names_of_their_own() -> None:
    inner = node("If", "c", "z", **both())
    outer = {"then_branch": body([inner], "z"), "else_branch": body([node("Neg", "h", "n")], "n")}
    nodes = [node("Relu", "x", "h"), node("ReduceSum", "x", "t", keepdims=0), node("Greater", "t zero", "c"), node("If", "c", **outer)]
    found = compare(nodes, {"x": np.abs(X)}, {"zero": np.float32(0)})
    assert found.nodes[-1].attributes["id"] == "y"
    assert found.nodes[-1].bodies[0].nodes[0].attributes["id"] == "y/then/z"


def test_branches_of_different_shapes_are_refused() -> None:
    bodies = {"then_branch": body([node("Identity", "x", "a")], "a"), "else_branch": body([node("Concat", "x x", "b", axis=1)], "b")}
    nodes = [node("ReduceSum", "x", "t", keepdims=0), node("Cast", "t", "c", to=BOOL), node("If", "c", **bodies)]
    assert problems(model(x_to_y(nodes, (4,)))) == [
        "got branches that return float32(1, 4) and float32(1, 8) but should return the same shapes and types [If in the_If]"
    ]


def turning(nodes: list[onnx.NodeProto], outputs: str = "go2 h2", **constants: Any) -> onnx.GraphProto:
    inputs = [info("i", (), INT64), info("go", (), BOOL), info("h", None)]
    return body([node("Identity", "go", "go2"), *nodes], outputs, inputs, **constants)


def test_a_loop_of_few_turns_is_written_out() -> None:
    step = turning(
        [node("MatMul", "h w", "m"), node("Tanh", "m", "h2"), node("Identity", "h2", "out")], "go2 h2 out", w=random(4, 4, seed=1)
    )
    found = compare([node("Loop", "n - x", "y all", body=step)], {"x": X}, {"n": np.array(3)}, "y all")
    assert found.work == ["matmul", "elementwise:tanh"] * 3
    assert found.shapes() == [(1, 4), (3, 1, 4)]
    # One weight, however often it is used.
    assert len(found.constants()) == 1
    assert len({n.inputs[1] for n in found.nodes if n.kind == "matmul"}) == 1


def test_a_loop_that_ends_by_its_own_counting() -> None:
    step = body(
        [node("Less", "i four", "go2"), node("Neg", "h", "h2")],
        "go2 h2",
        [info("i", (), INT64), info("go", (), BOOL), info("h", None)],
        four=np.array(4),
    )
    found = compare([node("Loop", "n - x", body=step)], {"x": X}, {"n": np.array(2**62)})
    assert found.kinds == ["elementwise:neg"] * 5


def test_a_loop_of_many_turns_is_one_node_that_is_counted_so_often() -> None:
    step = turning([node("Add", "h b", "m"), node("Tanh", "m", "h2")], b=random(4, seed=1))
    found = compare([node("Loop", "n - x", body=step)], {"x": X}, {"n": np.array(2000)})
    assert found.kinds == ["loop"]
    assert found.nodes[0].attributes["trips"] == 2000
    assert [n.kind for n in found.nodes[0].bodies[0].nodes] == ["elementwise", "elementwise"]


def test_a_long_loop_that_ends_by_its_own_counting_is_one_node() -> None:
    """No trip count, and a condition on a carried counter, as converted While loops are written: 70,000 turns of an add and a tanh."""
    turns = 70_000
    step = body(
        [
            node("Add", "k one", "k2"),
            node("Less", "k2 most", "go2"),
            node("Add", "h b", "m"),
            node("Tanh", "m", "h2"),
        ],
        "go2 k2 h2",
        [info("i", (), INT64), info("go", (), BOOL), info("k", (), INT64), info("h", None)],
        one=np.array(1),
        most=np.array(turns),
        b=random(4, seed=1),
    )
    constants = {"k0": np.array(0), "going": np.array(True)}
    proto = model(graph([node("Loop", "- going k0 x", "k y", body=step)], [info("x", ("n", 4))], [unknown("y")], constants))
    found = translate(saved(proto))
    (loop,) = [each for each in found.nodes if each.kind == "loop"]
    assert loop.attributes["trips"] == turns
    assert len(loop.inputs) == 1
    assert count_graph(found.graph, found.store, CountingRules()).ledgers["quantized"].operations == turns * (4 + 4)


def test_a_branch_inside_a_branch_is_charged_by_how_often_it_is_reached() -> None:
    """Half of all examples come by the inner choice, a quarter of those take its product: 1/8 of it, and 3/8 of what else is in there."""
    inner_nodes = [node("ReduceSum", "h", "t2", keepdims=0), node("Greater", "t2 zero", "c2"), node("If", "c2", "z", **both())]
    outer = {"then_branch": body(inner_nodes, "z"), "else_branch": body([node("Tanh", "h", "n")], "n")}
    nodes = [node("Relu", "x", "h"), node("ReduceSum", "x", "t", keepdims=0), node("Greater", "t zero", "c"), node("If", "c", **outer)]
    found = compare(nodes, {"x": np.abs(X)}, {"zero": np.float32(0)})
    half, quarter = Fraction(1, 2), Fraction(1, 4)
    shares = {"y": half, "y/then/z": quarter}
    ledger = count_graph(found.graph, found.store, CountingRules(), shares).ledgers["quantized"]
    product = 4 * 4 + 4 * 3
    assert ledger.operations == 4 + 3 + 1 + half * (3 + 1 + quarter * product) + half * 4


def test_what_a_long_loop_collects_has_its_length() -> None:
    step = turning([node("Tanh", "h", "h2"), node("Identity", "h2", "out")], "go2 h2 out")
    found = compare([node("Loop", "n - x", "y all", body=step)], {"x": X}, {"n": np.array(3000)}, "y all")
    assert found.shapes() == [(1, 4), (3000, 1, 4)]


def test_a_loop_that_never_turns_is_nothing() -> None:
    step = turning([node("Tanh", "h", "h2")])
    found = compare([node("Loop", "n - x", "t", body=step), node("Relu", "t")], {"x": X}, {"n": np.array(0)})
    assert found.kinds == ["elementwise:relu"]


def test_a_loop_whose_end_the_data_decides_is_refused() -> None:
    step = body(
        [node("ReduceSum", "h", "t", keepdims=0), node("Cast", "t", "go2", to=BOOL), node("Tanh", "h", "h2")],
        "go2 h2",
        [info("i", (), INT64), info("go", (), BOOL), info("h", None)],
    )
    proto = model(x_to_y([node("Loop", "n - x", body=step)], (4,), {"n": np.array(3)}))
    assert problems(proto) == [
        "got a loop whose turns the data decides but should turn a constant number of times [Loop in the_Loop] "
        "(give it a constant number of turns: a counter that constants bound, and no condition on the data)"
    ]


def test_a_trip_count_from_the_data_is_refused() -> None:
    nodes = [
        node("ReduceSum", "x", "t", keepdims=0),
        node("Cast", "t", "n", to=INT64),
        node("Loop", "n - x", body=turning([node("Tanh", "h", "h2")])),
    ]
    (found,) = problems(model(x_to_y(nodes, (4,))))
    assert found.startswith("got a trip count that the data decides but should be constant [Loop in the_Loop]")


@pytest.mark.parametrize("length", [3, 3000])
def test_scan_runs_over_slices(length: int) -> None:
    step = body([node("Add", "s e", "a"), node("Tanh", "a", "s2"), node("Identity", "s2", "o")], "s2 o", [info("s", None), info("e", None)])
    nodes = [
        node("Transpose", "x", "t", perm=[1, 0, 2]),
        node("ConstantOfShape", "z", "zero"),
        node("Scan", "zero t", "last all", body=step, num_scan_inputs=1),
    ]
    found = compare(nodes, {"x": random(1, length, 4)}, {"z": ints(1, 4)}, "last all")
    assert found.kinds.count("loop") == (length > 3)
    assert found.work.count("elementwise:tanh") == (3 if length == 3 else 0)


def test_scan_backwards_along_another_axis() -> None:
    step = body([node("Add", "s e", "s2"), node("Neg", "s2", "o")], "s2 o", [info("s", None), info("e", None)])
    attributes = {"scan_input_axes": [1], "scan_input_directions": [1], "scan_output_axes": [1], "scan_output_directions": [1]}
    nodes = [node("ConstantOfShape", "z", "zero"), node("Scan", "zero x", "last all", body=step, num_scan_inputs=1, **attributes)]
    compare(nodes, {"x": random(1, 5, 4)}, {"z": ints(1, 4)}, "last all")


def test_an_unknown_operator_in_a_body_is_refused_once() -> None:
    bodies = {"then_branch": body([node("Det", "x", "a")], "a"), "else_branch": body([node("Identity", "x", "b")], "b")}
    nodes = [node("ReduceSum", "x", "t", keepdims=0), node("Cast", "t", "c", to=BOOL), node("If", "c", **bodies)]
    assert [line.partition(" but")[0] for line in problems(model(x_to_y(nodes, (4, 4))))] == [
        "got Det: an operator whose work has no agreed price"
    ]


def function(
    name: str, inputs: str, outputs: str, nodes: list[onnx.NodeProto], attributes: tuple[str, ...] = (), **more: Any
) -> onnx.FunctionProto:
    return helper.make_function(
        "my.domain",
        name,
        inputs.split(),
        outputs.split(),
        nodes,
        [helper.make_opsetid("", 17), helper.make_opsetid("my.domain", 1)],
        attributes,
        **more,
    )


def referring(name: str, to: str) -> onnx.AttributeProto:
    """An attribute whose value is the function's own attribute ``to``."""
    return onnx.AttributeProto(name=name, ref_attr_name=to, type=onnx.AttributeProto.FLOAT)


DOMAINS = {"my.domain": 1}


def test_functions_are_written_out_with_their_constants() -> None:
    weight = onnx.numpy_helper.from_array(random(4, 4, seed=1))
    layer = function("Layer", "h", "o", [node("Constant", "", "w", value=weight), node("MatMul", "h w", "m"), node("Relu", "m", "o")])
    nodes = [node("Layer", "x", "a", domain="my.domain"), node("Layer", "a", domain="my.domain")]
    found = compare(nodes, {"x": X}, domains=DOMAINS, functions=[layer])
    assert found.kinds == ["matmul", "elementwise:relu"] * 2
    assert len(found.constants()) == 1
    assert found.nodes[0].scope == "the_Layer/the_MatMul"


def test_functions_call_functions_and_hand_on_attributes() -> None:
    leaky = node("LeakyRelu", "h", "o")
    leaky.attribute.append(referring("alpha", "slope"))
    inner = function("Leaky", "h", "o", [leaky], ("slope",))
    call = node("Leaky", "h", "o", domain="my.domain")
    call.attribute.append(referring("slope", "steep"))
    outer = function("Twice", "h", "o", [call], attribute_protos=[helper.make_attribute("steep", 0.25)])
    nodes = [node("Twice", "x", "a", domain="my.domain"), node("Twice", "a", domain="my.domain", steep=0.5)]
    found = compare(nodes, {"x": X}, domains=DOMAINS, functions=[inner, outer])
    assert [n.attributes["alpha"] for n in found.nodes] == [0.25, 0.5]


def test_an_operand_that_a_call_leaves_out_is_absent_inside() -> None:
    clip = function("Cut", "h lo hi", "o", [node("Clip", "h lo hi", "o")])
    found = compare([node("Cut", "x - top", domain="my.domain")], {"x": X}, {"top": np.float32(0.5)}, domains=DOMAINS, functions=[clip])
    assert dict(found.nodes[0].attributes) == {"op": "clip", "high": 0.5}


def test_a_function_that_calls_itself_is_refused() -> None:
    endless = function("Endless", "h", "o", [node("Endless", "h", "o", domain="my.domain")])
    proto = model(x_to_y([node("Endless", "x", domain="my.domain")], (4,)), domains=DOMAINS, functions=[endless])
    assert problems(proto) == [
        "got a recursive function 'Endless' but should not call itself, directly or through others "
        "[my.domain.Endless in the_Endless/the_Endless]"
    ]


def nested(depth: int) -> onnx.ModelProto:
    """``depth`` functions, each called by the one before; the last is a relu."""
    made = [function("F0", "h", "o", [node("Relu", "h", "o")])]
    made += [function(f"F{level}", "h", "o", [node(f"F{level - 1}", "h", "o", domain="my.domain")]) for level in range(1, depth)]
    return model(x_to_y([node(f"F{depth - 1}", "x", domain="my.domain")], (4,)), domains=DOMAINS, functions=made)


def test_functions_inside_functions_are_deep_but_not_recursive() -> None:
    assert translate(saved(nested(42))).kinds == ["elementwise:relu"]
    (sentence,) = problems(nested(200))
    assert "got functions, branches and loops more than 64 levels deep but should be at most 64 levels deep" in sentence


def test_functions_that_call_each_other_ever_more_often_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("micronet_verify.framework.translation.faults.MOST_NODES", 2000)
    made = [function("F0", "h", "o", [node("Relu", "h", "o")])]
    for level in range(1, 8):
        calls = [node(f"F{level - 1}", f"t{i}" if i else "h", f"t{i + 1}" if i < 9 else "o", domain="my.domain") for i in range(10)]
        made.append(function(f"F{level}", "h", "o", calls))
    proto = model(x_to_y([node("F7", "x", domain="my.domain")], (4,)), domains=DOMAINS, functions=made)
    assert problems(proto) == ["got more than 2,000 operators once functions and loops are written out but should be fewer [model.onnx]"]


def test_a_function_with_the_name_of_an_operator_is_refused() -> None:
    fake = helper.make_function("", "Conv", ["h", "w"], ["o"], [node("Relu", "h", "o")], [helper.make_opsetid("", 17)])
    proto = model(x_to_y([node("Relu", "x")], (4,)), functions=[fake])
    assert problems(proto) == ["got a function that redefines the operator Conv but should have another name [function 'Conv']"]
