"""Every operator that has a spelling in torch: exported, translated, and run, by torch and as the neutral graph.

Each graph is tried as exported and decomposed. The interpreter's answers must be those of the archive as the plugin runs it, but for
what rounding explains. The shape of the translated graph's output, inferred by the core, must be that
of the executed model at batch 1; the archive run by the plugin must answer as the eager model does. Decomposing takes torch
0.1 s whatever the graph, so all cases of one input shape are decomposed as one model and told apart by their scope.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from micronet_verify_pytorch.program import read_program
from micronet_verify_pytorch.runner import Taken, build
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from micronet_verify.facts.graph import Graph
from tests.plugins.pytorch.cases import CASES
from tests.plugins.pytorch.support import Function, archive, example, executed, kinds, translate, word


def twice(path: Path, x: Tensor) -> tuple[Tensor, ...]:
    """The runner's answers: the same bytes the first time, and from then on, when results go over dead operands."""
    model = build(read_program(path), Taken())
    first, again = model.forward(x), model.forward(x)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy(), strict=True)
    return again


class Joint(nn.Module):
    """All cases of one input shape."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.cases = nn.ModuleList(case.model for case in CASES.values() if case.shape == shape)

    def forward(self, x: Tensor) -> list[object]:
        return [case(x) for case in self.cases]


Joints = dict[tuple[int, ...], tuple[Graph, list[Tensor], list[float]]]
# torch computes the weights of a cubic resize in fp32, in which they differ by more than the interpolation rounds.
CLOSE = {"bicubic fractional": 12.0}


@pytest.fixture(scope="module")
def joint(tmp_path_factory: pytest.TempPathFactory) -> Joints:
    """By input shape: the decomposed graph of all its cases, what the plugin's runner answers for each, and how far they are apart."""
    found = {}
    for shape in {case.shape for case in CASES.values()}:
        path = archive(Joint(shape), example(shape), tmp_path_factory.mktemp("joint"))
        with torch.inference_mode():
            answers = twice(path, example(shape))
        found[shape] = translate(path), list(answers), executed(path, example(shape), build(read_program(path), Taken()).forward)
    return found


@pytest.mark.parametrize("name", CASES)
def test_as_exported(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    path = archive(case.model, example(case.shape), tmp_path, decomposed=False)
    graph = translate(path)
    assert " ".join(kinds(graph)) == case.expected
    with torch.inference_mode():
        wanted, single = case.model(example(case.shape)), case.model(example(case.shape)[:1])
        (answer,) = twice(path, example(case.shape))
    assert graph.values[graph.outputs[0]].shape == tuple(single.shape)
    np.testing.assert_allclose(answer.numpy(), wanted.numpy(), rtol=1e-5, atol=1e-6)
    (apart,) = executed(path, example(case.shape), build(read_program(path), Taken()).forward)
    assert apart <= CLOSE.get(name, 8.0)


@pytest.mark.parametrize("name", CASES)
def test_decomposed(name: str, joint: Joints) -> None:
    case = CASES[name]
    graph, answers, apart = joint[case.shape]
    place = [other for other, one in CASES.items() if one.shape == case.shape].index(name)
    scope = f"cases.{place}"
    mine = [node for node in graph.nodes if node.kind != "move" and (node.scope == scope or node.scope.startswith(f"{scope}."))]
    assert " ".join(map(word, mine)) == case.expected
    with torch.inference_mode():
        wanted, single = case.model(example(case.shape)), case.model(example(case.shape)[:1])
    assert graph.values[graph.outputs[place]].shape == tuple(single.shape)
    np.testing.assert_allclose(answers[place].numpy(), wanted.numpy(), rtol=1e-5, atol=1e-6)
    assert apart[place] <= CLOSE.get(name, 8.0)


# One operator as exported, arithmetic once decomposed.
DIFFERS = {"hardshrink": ("hard_shrink", "abs less_equal where"), "softshrink": ("soft_shrink", "abs greater sign mul sub mul where")}


@pytest.mark.parametrize("decomposed", [False, True], ids=["as exported", "decomposed"])
@pytest.mark.parametrize("name", DIFFERS)
def test_shrinks_are_one_function_or_its_arithmetic(name: str, decomposed: bool, tmp_path: Path) -> None:
    path = archive(Function(getattr(F, name)), torch.randn(2, 3), tmp_path, decomposed=decomposed)
    assert " ".join(kinds(translate(path))) == DIFFERS[name][decomposed]
