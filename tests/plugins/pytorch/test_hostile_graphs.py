"""Archives whose graph lies or is broken: one plain sentence, and nothing is believed."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from micronet_verify.errors import SubmissionFault
from tests.plugins.pytorch.support import archive, edited, sentences, translate


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = nn.Sequential(nn.Conv2d(1, 2, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(18, 4))
    return archive(model, torch.randn(2, 1, 8, 8), tmp_path_factory.mktemp("net"))


def graph(data: Any) -> Any:
    return data["graph_module"]["graph"]


def node(data: Any, target: str) -> Any:
    return next(item for item in graph(data)["nodes"] if target in item["target"])


def argument(data: Any, target: str, name: str) -> Any:
    return next(item for item in node(data, target)["inputs"] if item["name"] == name)


def forged_shape(data: Any) -> None:
    graph(data)["tensor_values"]["conv2d"]["sizes"][1] = {"as_int": 1}


def forged_type(data: Any) -> None:
    graph(data)["tensor_values"]["conv2d"]["dtype"] = 6


def missing_meta(data: Any) -> None:
    del graph(data)["tensor_values"]["relu"]


def use_before_definition(data: Any) -> None:
    nodes = graph(data)["nodes"]
    nodes.append(nodes.pop(next(i for i, item in enumerate(nodes) if "conv2d" in item["target"])))


def undefined(data: Any) -> None:
    argument(data, "relu", "self")["arg"] = {"as_tensor": {"name": "nobody"}}


def cycle(data: Any) -> None:
    argument(data, "relu", "self")["arg"] = {"as_tensor": {"name": "relu"}}


def twice(data: Any) -> None:
    node(data, "relu")["outputs"] = [{"as_tensor": {"name": "conv2d"}}]


def extra_argument(data: Any) -> None:
    node(data, "relu")["inputs"].append({"name": "secret", "arg": {"as_int": 1}, "kind": 2})


def unknown_overload(data: Any) -> None:
    node(data, "relu")["target"] = "torch.ops.aten.relu.out"


def python_function(data: Any) -> None:
    node(data, "relu")["target"] = "torch.hub.load"


def operator_function(data: Any) -> None:
    node(data, "relu")["target"] = "_operator.attrgetter"


def negative_stride(data: Any) -> None:
    argument(data, "conv2d", "stride")["arg"] = {"as_ints": [-1, 0]}


def groups_of_zero(data: Any) -> None:
    node(data, "conv2d")["inputs"].append({"name": "groups", "arg": {"as_int": 0}, "kind": 1})


def wrong_kind(data: Any) -> None:
    argument(data, "conv2d", "stride")["arg"] = {"as_string": "[1, 1]"}


def too_many_results(data: Any) -> None:
    node(data, "relu")["outputs"] = [{"as_tensor": {"name": "relu"}}, {"as_tensor": {"name": "free"}}]
    graph(data)["outputs"].append({"as_tensor": {"name": "free"}})


def expression(data: Any) -> None:
    text = "__import__('os').system('true')"
    graph(data)["tensor_values"]["conv2d"]["sizes"][0] = {"as_expr": {"expr_str": text, "hint": None}}


def symbol(data: Any) -> None:
    text = "Symbol('u0', integer=True)"
    graph(data)["tensor_values"]["conv2d"]["sizes"][0] = {"as_expr": {"expr_str": text, "hint": None}}


def no_output(data: Any) -> None:
    graph(data)["outputs"] = [{"as_int": 3}]


CONV, RELU = "[aten.conv2d in 0]", "[aten.relu in 1]"
UNKNOWN = "(see the plugin's README for the operators that can be counted)"
FORGED: dict[str, tuple[Callable[[Any], None], str]] = {
    "forged shape": (forged_shape, f"got a declared shape (1, 1, 3, 3) (at batch 1) but should be (1, 2, 3, 3) {CONV}"),
    "forged type": (forged_type, f"got a declared type float16 but should be float32 {CONV}"),
    "missing meta": (missing_meta, f"got no declared shape for 'relu' but should have one {RELU}"),
    "undefined": (undefined, "got a use of 'nobody' but should come after it is computed"),
    "cycle": (cycle, "got a use of 'relu' but should come after it is computed"),
    "use before definition": (use_before_definition, "got a use of 'conv2d' but should come after it is computed"),
    "twice": (twice, f"got a second value called 'conv2d' but should be defined once {RELU}"),
    "extra argument": (extra_argument, f"got the argument secret but should be one that the op table knows {RELU}"),
    "unknown overload": (
        unknown_overload,
        f"got the operator aten.relu.out but should be an operator that this counter can price {RELU} {UNKNOWN}",
    ),
    "python function": (
        python_function,
        f"got the operator torch.hub.load but should be an operator that this counter can price [torch.hub in 1] {UNKNOWN}",
    ),
    "operator": (operator_function, "got the operator _operator.attrgetter but should be an operator that this counter can price"),
    "negative stride": (negative_stride, f"got stride (-1, 0) and dilation (1, 1) but should be at least 1 {CONV}"),
    "groups of zero": (groups_of_zero, f"got 1 input channels, 0 groups and a weight of shape (2, 1, 3, 3) but should fit {CONV}"),
    "wrong kind": (wrong_kind, f"got stride='[1, 1]' but should be a list of integers {CONV}"),
    "too many results": (too_many_results, f"got a use of result 2 ('free') of aten.relu but should use the first 1 only {RELU}"),
    "expression": (expression, f"""got the size expression "__import__('os').system('true')" but should be an integer expression {CONV}"""),
    "symbol": (symbol, f"got a free axis 0 (u0) but should have a fixed size {CONV}"),
    "no output": (no_output, "got a model without outputs but should have one"),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_graph_that_lies(name: str, net: Path) -> None:
    change, sentence = FORGED[name]
    assert any(problem.startswith(sentence) for problem in sentences(edited(net, change)))


def set_in(*path: str | int, value: object) -> Callable[[Any], None]:
    def change(data: Any) -> None:
        for key in path[:-1]:
            data = data[key]
        data[path[-1]] = value

    return change


BROKEN: dict[str, Callable[[Any], None]] = {
    "a list for the file": lambda data: data.clear(),
    "no nodes": lambda data: graph(data).pop("nodes"),
    "nodes as text": set_in("graph_module", "graph", "nodes", value="nodes"),
    "a node as number": set_in("graph_module", "graph", "nodes", 0, value=7),
    "an argument of two kinds": lambda data: argument(data, "relu", "self")["arg"].update(as_int=1),
    "an argument of no kind": lambda data: argument(data, "relu", "self").update(arg={}),
    "an object": lambda data: argument(data, "relu", "self").update(arg={"as_custom_obj": {"name": "x", "class_fqn": "os.system"}}),
    "an operator as argument": lambda data: argument(data, "relu", "self").update(arg={"as_operator": "torch.hub.load"}),
    "a complex number": lambda data: argument(data, "relu", "self").update(arg={"as_complex": {"real": 0, "imag": 1}}),
    "a name that is a number": lambda data: argument(data, "relu", "self").update(arg={"as_tensor": {"name": 3}}),
    "an int that is text": lambda data: argument(data, "conv2d", "stride").update(arg={"as_ints": ["1", "1"]}),
    "an int that is true": lambda data: argument(data, "conv2d", "stride").update(arg={"as_int": True}),
    "two arguments of one name": lambda data: node(data, "relu")["inputs"].append(dict(argument(data, "relu", "self"))),
    "sizes as text": set_in("graph_module", "graph", "tensor_values", "input", "sizes", value="1 8 8"),
    "a schema of none": lambda data: data.pop("schema_version"),
    "two inputs of one name": lambda data: graph(data)["inputs"].append(graph(data)["inputs"][0]),
    "a signature of another graph": lambda data: data["graph_module"]["signature"]["input_specs"].reverse(),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_graph_that_is_broken(name: str, net: Path) -> None:
    path = edited(net, BROKEN[name])
    (problem,) = sentences(path)
    assert problem.startswith("got a graph that cannot be read (")
    assert problem.endswith(f") but should follow torch.export's schema 8 [{path.name}] (save it again with torch.export.save)")


def test_another_schema_is_refused(net: Path) -> None:
    path = edited(net, set_in("schema_version", "major", value=9))
    assert sentences(path) == [f"got torch.export's schema 9 but should be 8 [{path.name}] (export with torch 2.9 or later)"]


def test_objects_and_missing_values_as_inputs_are_refused(net: Path) -> None:
    def change(data: Any) -> None:
        specs = data["graph_module"]["signature"]["input_specs"]
        specs[0] = {"custom_obj": {"arg": {"name": "o", "class_fqn": "a.b"}, "custom_obj_name": "o"}}
        specs[1]["parameter"]["parameter_name"] = "nowhere"

    path = edited(net, change)
    assert sentences(path) == [
        f"got an input of kind 'custom_obj' (p_0_weight) but should be a tensor [{path.name}]",
        f"got no values for 'nowhere' but should lie in the archive [{path.name}] (save it again with torch.export.save)",
    ]


@pytest.mark.parametrize("seed", range(60))
def test_any_change_of_the_graph_ends_in_a_graph_or_a_sentence(seed: int, net: Path) -> None:
    """Values of the JSON exchanged at random: never a traceback."""
    chance = random.Random(seed)

    def change(data: Any) -> None:
        places: list[tuple[Any, Any]] = []

        def walk(item: Any) -> None:
            for key, value in list(item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()):
                places.append((item, key))
                walk(value)

        walk(data)
        for _ in range(3):
            (a, i), (b, j) = chance.sample(places, 2)
            a[i] = chance.choice([b[j], None, -1, 2**70, "x", [], {}, {"as_int": 10**30}, 1.5, True])

    try:
        path = edited(net, change)
    except (ValueError, RecursionError):
        pytest.skip("the change made a circle, which JSON cannot hold")
    with contextlib.suppress(SubmissionFault):
        translate(path)
