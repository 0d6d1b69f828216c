"""``while_loop``, ``scan`` and ``map``: a constant number of turns is written out, or one loop; branches inside branches."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from micronet_verify_pytorch.counter import PyTorchCounter
from micronet_verify_pytorch.loader import PyTorchLoader
from torch import Tensor, nn

from micronet_verify.counting.count import count_graph
from micronet_verify.framework.requests import PredictRequest
from micronet_verify.framework.translation.limits import DEEPEST
from micronet_verify.track.rules import CountingRules
from tests.plugins.pytorch.support import Function, archive, edited, executed, kinds, only, sentences, translate
from tests.translated import translated

TURN = 4 * 4 + 4 * 3 + 4  # a product of 4·4 and a tanh
HALF = Fraction(1, 2)


class Turning(nn.Module):
    """x times a matrix and a tanh, while a counter from ``first`` by ``step`` is below ``bound``."""

    def __init__(self, bound: int, first: int = 0, step: int = 1, stored: bool = False) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.weight = nn.Parameter(torch.rand(4, 4, generator=generator) - 0.5)
        self.bound, self.first, self.step, self.stored = bound, first, step, stored

    def forward(self, x: Tensor) -> Any:
        from torch._higher_order_ops import while_loop

        begin = torch.tensor(self.first) if self.stored else torch.full((), self.first, dtype=torch.int64)
        return while_loop(lambda i, y: i < self.bound, lambda i, y: (i + self.step, torch.tanh(y @ self.weight)), (begin, x))[1]


class Scanning(nn.Module):
    """A recurrent cell over the rows of x: what it holds at last, beside all that it held."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(4, 4, generator=torch.Generator().manual_seed(2)) - 0.5)

    def forward(self, x: Tensor) -> Tensor:
        from torch._higher_order_ops import scan

        def step(held: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
            after = torch.tanh(held @ self.weight + row)
            return after, after * 1

        last, every = scan(step, torch.zeros(x.shape[0], 4), x.movedim(1, 0), dim=0)
        return torch.cat([last[None], every]).movedim(0, 1)


def saved(model: nn.Module, shape: tuple[int, ...], folder: Path) -> tuple[Path, Tensor]:
    x = torch.randn(3, *shape, generator=torch.Generator().manual_seed(4))
    return archive(model, x[:1], folder, dynamic=False), x


def agree(model: nn.Module, path: Path, x: Tensor) -> None:
    """The plugin's runner and the interpreter answer as the eager model does."""
    with torch.no_grad():
        wanted = torch.cat([model(example[None]) for example in x])
    found = np.concatenate([answer.outputs for answer in PyTorchLoader().predict(PredictRequest(path, x.numpy(), 2, 1))])
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-5, atol=1e-6)
    (apart,) = executed(path, x, lambda one: [model(one)])
    assert apart <= 8


def ledger(path: Path, folder: Path, shares: dict[str, Fraction] | None = None) -> Any:
    found = translated(PyTorchCounter(), path, folder)
    return count_graph(found.graph, found.store, CountingRules(), shares or {}).ledgers["quantized"]


@pytest.mark.parametrize("stored", [False, True], ids=["made", "stored"])
def test_a_loop_of_constant_turns_is_written_out_and_its_weights_stored_once(stored: bool, tmp_path: Path) -> None:
    model = Turning(5, stored=stored)
    path, x = saved(model, (4,), tmp_path)
    assert [kind for kind in kinds(translate(path)) if kind in ("matmul", "tanh")] == ["matmul", "tanh"] * 5
    agree(model, path, x)
    found = ledger(path, tmp_path)
    assert (found.operations, found.storage) == (5 * TURN, 4 * 4)


def test_a_long_loop_of_constant_turns_is_one_node(tmp_path: Path) -> None:
    """70,000 turns, as in ONNX and TFLite: the price of a turn, 70,000 times."""
    path, _ = saved(Turning(70_000), (4,), tmp_path)
    assert only(translate(path), "loop").attributes["trips"] == 70_000
    found = ledger(path, tmp_path)
    assert (found.operations, found.storage) == (70_000 * TURN, 4 * 4)


def test_a_long_loop_counts_its_turns_as_torch_does(tmp_path: Path) -> None:
    """From 3, by 2, while it is below 3,000: ⌈(3,000 − 3)/2⌉ turns."""
    model = Turning(3_000, first=3, step=2)
    path, x = saved(model, (4,), tmp_path)
    assert only(translate(path), "loop").attributes["trips"] == -(-(3_000 - 3) // 2)
    agree(model, path, x)


def test_a_loop_that_the_data_decides_is_refused(tmp_path: Path) -> None:
    from torch._higher_order_ops import while_loop

    path, _ = saved(Function(lambda x: while_loop(lambda y: y.sum() < 10, lambda y: (y + 1,), (x,))[0]), (3,), tmp_path)
    assert sentences(path) == [
        "got a loop whose turns the data decides but should turn a constant number of times [higher_order.while_loop] "
        "(give it a constant number of turns: a counter that constants bound, and no condition on the data)"
    ]


@pytest.mark.parametrize("steps", [6, 1_200])
def test_a_scan_is_a_turn_for_each_slice(steps: int, tmp_path: Path) -> None:
    """A product, an add and a tanh each step, written out or in one loop."""
    model = Scanning()
    path, x = saved(model, (steps, 4), tmp_path)
    assert ("loop" in kinds(translate(path))) == (steps == 1_200)
    agree(model, path, x)
    assert ledger(path, tmp_path).operations == steps * (TURN + 4)


def test_a_map_is_a_scan_without_a_state(tmp_path: Path) -> None:
    from torch._higher_order_ops.map import map as over

    model = Function(lambda x, w: over(lambda row: torch.tanh(row @ w), x[0])[None], Turning(1).weight)
    path, x = saved(model, (5, 4), tmp_path)
    agree(model, path, x)
    assert ledger(path, tmp_path).operations == 5 * TURN


class Deep(nn.Module):
    """Where x is above 0, a matrix of 8·8, then where its least is above −1 one of 8·3, else two; elsewhere one of 8·3."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.short, self.first, self.easy = (nn.Linear(8, n, bias=False) for n in (8, 3, 8, 3))

    def forward(self, x: Tensor) -> Any:
        def hard(x: Tensor) -> Any:
            y = self.wide(x)
            return torch.cond(x.min() > -1, lambda y: self.short(y), lambda y: self.short(self.first(y)), (y,))

        return torch.cond(x.max() > 1, hard, lambda x: self.easy(x), (x,))


def test_a_branch_inside_a_branch_is_charged_by_how_often_it_is_reached(tmp_path: Path) -> None:
    """Half of the examples come to the inner choice, and half of those take its first body: a quarter of all."""
    model = Deep()
    path, _ = saved(model, (8,), tmp_path)
    outer = only(translate(path), "branch")
    (inner,) = [node for node in outer.bodies[0].nodes if node.kind == "branch"]
    assert (outer.attributes["id"], inner.attributes["id"]) == ("cond", "cond/then/cond")
    x = torch.tensor([2.0, 2.0, 0.0, 0.0])[:, None].repeat(1, 8)
    x[1, 0] = -2
    (answer,) = PyTorchLoader().predict(PredictRequest(path, x.numpy(), 4, 1))
    assert answer.taken == {"cond": (0, 0, 1, 1), "cond/then/cond": (0, 1, -1, -1)}
    with torch.no_grad():
        np.testing.assert_allclose(answer.outputs, torch.cat([model(one[None]) for one in x]).numpy(), rtol=1e-5, atol=1e-6)

    def product(n: int, k: int) -> int:
        return n * k + n * (k - 1)

    greatest, least = 7 + 1, 7 + 1  # a maximum and its compare, a minimum and its compare
    short, first = product(3, 8), product(8, 8)
    hard = product(8, 8) + least + HALF * short + HALF * (first + short)
    found = ledger(path, tmp_path, {"cond": HALF, "cond/then/cond": HALF})
    assert found.operations == greatest + HALF * hard + HALF * product(3, 8)


def test_names_of_branches_that_no_other_step_has(tmp_path: Path) -> None:
    """A name of the file that is no word, or another step's, is the step's number."""
    path, _ = saved(Deep(), (8,), tmp_path)

    def ids(name: str) -> list[object]:
        def change(data: Any) -> None:
            for step in data["graph_module"]["graph"]["nodes"]:
                step["name"] = name

        return [node.attributes["id"] for node in translate(edited(path, change)).nodes if node.kind == "branch"]

    assert ids("a/then/b") == ids("same") == ["2"]


def test_a_branch_in_a_loop_is_not_recorded(tmp_path: Path) -> None:
    """It runs more than once for each example: both bodies are charged, every turn."""
    from torch._higher_order_ops import while_loop

    def turn(i: Tensor, y: Tensor) -> Any:
        return i + 1, torch.cond(y.max() > 1, lambda y: torch.tanh(y), lambda y: torch.sigmoid(y), (y,))

    model = Function(lambda x: while_loop(lambda i, y: i < 3, turn, (torch.zeros((), dtype=torch.int64), x))[1])
    path, x = saved(model, (4,), tmp_path)
    assert all("id" not in node.attributes for node in translate(path).nodes if node.kind == "branch")
    answers = list(PyTorchLoader().predict(PredictRequest(path, x.numpy(), 3, 1)))
    assert [dict(answer.taken) for answer in answers] == [{}]
    with torch.no_grad():
        np.testing.assert_allclose(answers[0].outputs, torch.cat([model(one[None]) for one in x]).numpy(), rtol=1e-5, atol=1e-6)


def nested(levels: int) -> Any:
    """A change of the graph: the body of ``cond`` in itself, so many levels deep."""

    def change(data: Any) -> None:
        import copy

        graph = data["graph_module"]["graph"]
        (node,) = [each for each in graph["nodes"] if each["target"].endswith("cond")]
        for _ in range(levels):
            inner = copy.deepcopy(node)
            body = node["inputs"][1]["arg"]["as_graph"]["graph"]
            names = [each["as_tensor"]["name"] for each in body["inputs"]]
            (truth,) = [name for name in names if not body["tensor_values"][name]["sizes"]]
            inner["inputs"][0]["arg"] = {"as_tensor": {"name": truth}}
            inner["inputs"][-1]["arg"] = {"as_tensors": [{"name": name} for name in names]}
            inner["outputs"] = body["outputs"]
            body["nodes"] = [inner]
            node = inner

    return change


def test_bodies_are_deep_but_not_without_end(tmp_path: Path) -> None:
    def function(x: Tensor) -> Any:
        truth = x.sum() > 0
        return torch.cond(truth, lambda t, x: torch.where(t, torch.tanh(x), x), lambda t, x: torch.where(t, torch.relu(x), x), (truth, x))

    path, _ = saved(Function(function), (4,), tmp_path)
    assert kinds(translate(edited(path, nested(20))))[-1] == "branch"
    (sentence,) = sentences(edited(path, nested(DEEPEST + 1)))
    assert f"got functions, branches and loops more than {DEEPEST} levels deep" in sentence


def test_too_many_operators_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from micronet_verify.framework.translation import faults

    monkeypatch.setattr(faults, "MOST_NODES", 20)
    path, _ = saved(Turning(11), (4,), tmp_path)
    (sentence,) = sentences(path)
    assert sentence.startswith("got more than 20 operators once functions and loops are written out but should be fewer")
