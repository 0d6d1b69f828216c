"""The walk over a tiny framework: faults, folding, calls, branches and loops, with nothing of a real framework."""

from __future__ import annotations

from typing import Any

import pytest

from micronet_verify.errors import SubmissionFault
from micronet_verify.facts.graph import Graph
from micronet_verify.facts.validate import validate
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.translation import faults
from micronet_verify.framework.translation.scope import UNPRICED
from micronet_verify.framework.translation.walk import Walk
from tests.framework.translation.fake import FOLDS, Function, View, function, translated


def problems(**model: Function) -> list[str]:
    with pytest.raises(SubmissionFault) as fault:
        translated(model)
    return [str(problem) for problem in fault.value.problems]


def kinds(graph: Graph) -> list[str]:
    return [str(node.attributes.get("op", node.kind)) for node in graph.nodes]


def test_steps_become_nodes_in_order() -> None:
    graph = translated({"main": function("x", "z", "y = relu x", "z = add y x")})
    validate(graph)
    assert kinds(graph) == ["relu", "add"]
    assert [(node.source, node.scope) for node in graph.nodes] == [("relu", "n0"), ("add", "n1")]


def test_shape_arithmetic_is_folded_and_constants_are_made_only_where_they_are_used() -> None:
    """4·(1 + 2) describes something; nothing of it is in the graph until a node reads it."""
    graph = translated({"main": function("x", "y", "a = add 1 2", "b = mul a 4", "y = relu x")})
    assert kinds(graph) == ["relu"]
    assert not [value for value in graph.values.values() if value.constant is not None]


def test_floats_of_constants_stay_in_the_graph() -> None:
    assert kinds(translated({"main": function("x", "y", "a = add 1.0 2.0", "y = mul x a")})) == ["add", "mul"]


def test_faults_are_collected_and_what_follows_one_is_passed_over_in_silence() -> None:
    found = problems(main=function("x", "z", "y = random x", "z = relu y", "u = sine x", "v = add nobody x"))
    assert found == [
        "got random: random numbers but should be an operator that this counter can price [random in n0] (store them)",
        "got the operator sine but should be an operator that this counter can price [sine in n2] "
        "(see the plugin's README for the operators that can be counted)",
        "got an operand 'nobody' that nothing computes before but should be computed before [add in n3]",
    ]


def test_a_name_has_one_meaning() -> None:
    assert problems(main=function("x", "y", "y = relu x", "y = tanh x")) == [
        "got a second value called 'y' but should be defined once [tanh in n1]"
    ]


def test_a_result_that_no_rule_makes_may_not_be_read() -> None:
    assert problems(main=function("x", "y", "y, z = relu x", "u = relu z"))[0] == (
        f"got a use of result 2 ('z') of relu but should use the first 1 only [relu in n0] ({UNPRICED})"
    )


def test_something_else_than_a_tensor_says_what_it_is() -> None:
    assert problems(main=function("x", "y", "h = handle x", "y = relu h")) == [
        "got the handle of a variable but should be a tensor [relu in n1]"
    ]


def test_a_model_without_inputs_or_outputs() -> None:
    assert problems(main=function("", "")) == [
        "got a model without inputs but should have one [fake]",
        "got a model without outputs but should have one [fake]",
    ]


def test_operands_that_do_not_fit_are_the_entrants_fault() -> None:
    wide = function("x", "y", "s = add 1 2", "t = shape x", "y = if[a,b] t x")
    one, other = function("u", "v", "v = tanh u"), function("u", "v", "s = shape u", "v = add u s")
    assert problems(main=function("x", "y", "y = if[a,b] p x", "p = greater x 0.0"), a=one, b=other)
    assert problems(main=function("x", "y", "p = greater x 0.0", "y = if[a,b] p x"), a=one, b=other) == [
        "got operands of shapes (1, 4), (2,) but should broadcast together [add in n1]"
    ]
    assert kinds(translated({"main": wide, "a": one, "b": other})) == ["tanh"]


def test_a_mistake_of_a_plugin_is_no_fault_of_the_entrant() -> None:
    with pytest.raises(AttributeError):
        translated({"main": function("x", "y", "y = strange x")})


def test_a_translation_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two bodies that call the next one twice each: 2¹⁰ operators of ten functions."""
    monkeypatch.setattr(faults, "MOST_NODES", 100)
    model = {f"f{level}": function("x", "z", f"y = call[f{level + 1}] x", f"z = call[f{level + 1}] y") for level in range(10)}
    model |= {"f10": function("x", "y", "y = relu x"), "main": function("x", "y", "y = call[f0] x")}
    assert problems(**model) == ["got more than 100 operators once functions and loops are written out but should be fewer [fake]"]


def chain(depth: int) -> dict[str, Function]:
    """``depth`` functions, each called by the one before."""
    model = {f"f{level}": function("x", "y", f"y = call[f{level + 1}] x") for level in range(depth - 1)}
    return {**model, f"f{depth - 1}": function("x", "y", "y = relu x"), "main": function("x", "y", "y = call[f0] x")}


def test_deep_is_not_recursive() -> None:
    """42 functions inside one another are counted, 200 are refused for their depth, and Python's stack holds."""
    assert kinds(translated(chain(42))) == ["relu"]
    assert problems(**chain(200)) == [
        "got functions, branches and loops more than 64 levels deep but should be at most 64 levels deep [call in n0]"
    ]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_only_a_function_that_is_running_is_recursive(size: int) -> None:
    """A ring of functions of any size; a function that is called twice, one call after the other, is none."""
    ring = {f"f{at}": function("x", "y", f"y = call[f{(at + 1) % size}] x") for at in range(size)}
    assert problems(main=function("x", "y", "y = call[f0] x"), **ring) == [
        "got a recursive function 'f0' but should not call itself, directly or through others [call in n0]"
    ]
    twice = translated({"main": function("x", "z", "y = call[f] x", "z = call[f] y"), "f": function("x", "y", "y = relu x")})
    assert kinds(twice) == ["relu", "relu"]


def branched() -> dict[str, Any]:
    """max x > 0 ? (max x > 1 ? tanh x : relu x) : x; the inner choice is in the outer's first body."""
    return {
        "main": function("x", "y", "m = most x", "p = greater m 0.0", "y = if[outer,keep] p x"),
        "outer": function("u", "v", "m = most u", "p = greater m 1.0", "v = if[tanh,relu] p u"),
        "keep": function("u", "u"),
        "tanh": function("u", "v", "v = tanh u"),
        "relu": function("u", "v", "v = relu u"),
    }


def test_a_branch_inside_a_branch_is_named_after_it() -> None:
    graph = translated(branched())
    validate(graph)
    outer = graph.nodes[-1]
    assert outer.attributes["id"] == "2"
    assert [node.attributes.get("id") for node in outer.bodies[0].nodes] == [None, None, "2/then/2"]
    assert kinds(outer.bodies[1]) == ["identity"]  # a body hands on what it got as a result of its own


def test_a_constant_predicate_picks_its_body_and_names_go_on() -> None:
    model = {**branched(), "main": function("x", "y", "y = if[outer,keep] true x")}
    graph = translated(model)
    assert kinds(graph) == ["max", "greater", "branch"]
    assert graph.nodes[-1].attributes["id"] == "0/then/2"


def test_branches_in_a_loop_have_no_name() -> None:
    """No record can tell its turns apart, so both bodies are charged in full (rule O13)."""
    model = {**branched(), **counted(2, "v = call[choice] u")}
    graph = translated({**model, "choice": branched()["main"]})
    assert kinds(graph) == ["max", "greater", "branch"] * 2
    assert all("id" not in node.attributes for node in graph.nodes)


def test_branches_of_different_results_are_refused() -> None:
    model = {**branched(), "keep": function("u", "v", "v = greater u 2.0")}
    assert problems(**model) == [
        "got branches that return float32(1, 4) and bool(1, 4) but should return the same shapes and types [if in n2]"
    ]


def counted(turns: int, *body: str) -> dict[str, Function]:
    """x through ``body`` (u to v) for i from 0 while i < turns."""
    return {
        "main": function("x", "y", "y, j = while[test,body] x 0"),
        "test": function("u i", "p", f"p = less i {turns}"),
        "body": function("u i", "v j", *body, "j = add i 1"),
    }


def test_a_short_loop_is_written_out_and_its_counter_is_folded() -> None:
    assert kinds(translated(counted(5, "v = tanh u"))) == ["tanh"] * 5


def long(graph: Graph) -> Any:
    (node,) = [node for node in graph.nodes if node.kind == "loop"]
    return node


def test_a_long_loop_is_one_node() -> None:
    graph = translated(counted(70_000, "v = tanh u"))
    validate(graph)
    assert long(graph).attributes["trips"] == 70_000
    assert "tanh" in kinds(long(graph).bodies[0])
    assert len(long(graph).inputs) == 1  # the counter is the number of the turn


def test_values_that_stay_are_read_from_outside_a_long_loop() -> None:
    """The bound and a tensor go round unchanged, as TensorFlow writes loops."""
    model = {
        "main": function("x w", "y", "y, a, b, j = while[test,body] x w 70000 0"),
        "test": function("u w n i", "p", "p = less i n"),
        "body": function("u w n i", "v s m j", "v = mul u w", "s = same w", "m = same n", "j = add i 1"),
    }
    node = long(translated(model))
    assert (node.attributes["trips"], len(node.inputs)) == (70_000, 1)


@pytest.mark.parametrize(
    ("start", "step", "test", "turns"),
    [
        ("0", "1", "less i 9000", 9000),
        ("7", "3", "less i 20000", -(-(20000 - 7) // 3)),
        ("9000", "-1", "greater i 0", 9000),
        ("0", "2", "not_equal i 9000", 4500),
    ],
)
def test_turns_are_counted_from_the_condition(start: str, step: str, test: str, turns: int) -> None:
    model = {
        "main": function("x", "y", f"y, j = while[test,body] x {start}"),
        "test": function("u i", "p", f"p = {test}"),
        "body": function("u i", "v j", "v = tanh u", f"j = add i {step}"),
    }
    assert long(translated(model)).attributes["trips"] == turns


def test_a_condition_of_two_bounds_ends_with_the_first() -> None:
    model = counted(70_000, "v = tanh u")
    model["test"] = function("u i", "p", "a = less i 80000", "b = less i 5000", "p = and a b")
    assert long(translated(model)).attributes["trips"] == 5000


def test_the_counter_behind_a_long_loop_is_known() -> None:
    """Twice i behind 70,000 turns is 140,000: shape arithmetic goes on."""
    model = counted(70_000, "v = tanh u")
    model["main"] = function("x", "y", "y, j = while[test,body] x 0", "k = mul j 2", "b = greater k 139999", "z = if[one,two] b x")
    model |= {"one": function("u", "v", "v = tanh u"), "two": function("u", "v", "v = relu u")}
    assert "branch" not in kinds(translated(model))


def test_a_loop_that_never_ends() -> None:
    model = {**counted(1, "v = tanh u"), "test": function("u i", "p", "p = same true")}
    assert problems(**model)[0].startswith("got a loop whose condition always holds but should end [while in n0]")


def test_a_loop_that_the_data_decides() -> None:
    model = {**counted(1, "v = tanh u"), "test": function("u i", "p", "p = greater u 0.0")}
    assert problems(**model)[0].startswith(
        "got a loop whose turns the data decides but should turn a constant number of times [while in n0]"
    )


def test_a_loop_whose_turns_are_not_alike_is_written_out_up_to_a_limit() -> None:
    """The number of the turn picks a body: 1,500 turns of 4 operators are written out; of 70,000 both bodies are charged in every turn."""
    body = ("p = less i 3", "v = if[tanh,relu] p u")
    bodies = {"tanh": function("u", "v", "v = tanh u"), "relu": function("u", "v", "v = relu u")}
    assert kinds(translated({**counted(1_500, *body), **bodies})) == ["tanh"] * 3 + ["relu"] * 1_497
    body_of = long(translated({**counted(70_000, *body), **bodies})).bodies[0]
    assert "branch" in kinds(body_of)


def test_a_fault_inside_a_long_loop_is_told_once() -> None:
    assert problems(**counted(70_000, "v = random u")) == [
        "got random: random numbers but should be an operator that this counter can price [random in n0] (store them)"
    ]


def test_constants_are_one_and_the_same_wherever_a_function_comes_by_again() -> None:
    walk = Walk("fake", GraphBuilder(None), View, FOLDS)
    graph = translated({"main": function("x", "z", "y = call[f] x", "z = call[f] y"), "f": function("x", "y", "y = mul x 2.5")}, walk)
    assert len([value for value in graph.values.values() if value.constant is not None]) == 1
