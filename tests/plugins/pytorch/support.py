"""Real ``.pt2`` files made by torch.export, and their translation."""

from __future__ import annotations

import itertools
import json
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from micronet_verify_pytorch.call import Call
from micronet_verify_pytorch.counter import PyTorchCounter
from micronet_verify_pytorch.names import Names
from micronet_verify_pytorch.op_table import lookup
from micronet_verify_pytorch.program import ProgramGraph, Ref, Step
from torch import Tensor, nn

from micronet_verify.facts.graph import Graph, Node, Value
from micronet_verify.facts.validate import validate
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.requests import TranslateRequest
from micronet_verify.framework.translation.folding import Folds
from micronet_verify.framework.translation.operand import computed
from micronet_verify.framework.translation.table import rule_of
from micronet_verify.framework.translation.walk import Walk
from tests.executed import agreement
from tests.refused import refused

_numbers = itertools.count()
# Where opt_einsum happens to be installed, torch plans products of three with it, and the plan fixes the batch.
torch.backends.opt_einsum.enabled = False


class Function(nn.Module):
    """A function, with the modules it uses, as a module."""

    def __init__(self, function: Callable[..., object], *parts: nn.Module | Tensor) -> None:
        super().__init__()
        self.function = function
        self.parts = nn.ModuleList([part for part in parts if isinstance(part, nn.Module)])
        self.tensors = nn.ParameterList([part for part in parts if isinstance(part, Tensor)])

    def forward(self, x: Tensor) -> object:
        return self.function(x, *self.parts, *self.tensors)


def example(shape: tuple[int, ...]) -> Tensor:
    """Two examples: random numbers, and among those of the first the bounds of every function, and ties."""
    x = torch.randn(2, *shape, generator=torch.Generator().manual_seed(3)) * 3
    bounds = torch.tensor([0, 0.5, -0.5, 3, -3, 6, -6, 20, -20, 1, -1, 2.5, -2.5, 0.1, -0.0, 12, 1, 1])[: x[0].numel()]
    x[0].view(-1)[: len(bounds)] = bounds
    return x


def executed(path: Path, x: Tensor, answers: Callable[[Tensor], Sequence[Tensor]]) -> list[float]:
    """How many yardsticks the interpreter, on the translated graph, lies from what ``answers`` gives for each example alone."""
    with torch.inference_mode():
        each = [answers(x[at : at + 1]) for at in range(len(x))]
    found = agreement("pytorch", path, x.numpy(), [np.stack([_array(one[at]) for one in each]) for at in range(len(each[0]))])
    return [difference.ratio for difference in found]


def _array(x: Tensor) -> Any:
    return (x.float() if x.dtype == torch.bfloat16 else x).numpy()


def exported(model: nn.Module, x: Tensor, *, dynamic: bool = True, decomposed: bool = True) -> torch.export.ExportedProgram:
    shapes = ({0: torch.export.Dim("batch")},) if dynamic else None
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # torch warns about its own classes
        program = torch.export.export(model.eval(), (x,), dynamic_shapes=shapes)
        return program.run_decompositions({}) if decomposed else program


def save(program: torch.export.ExportedProgram, folder: Path) -> Path:
    path = folder / f"model{next(_numbers)}.pt2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(program, path)
    return path


def archive(model: nn.Module, x: Tensor, folder: Path, *, dynamic: bool = True, decomposed: bool = True) -> Path:
    return save(exported(model, x, dynamic=dynamic, decomposed=decomposed), folder)


def translate(path: Path) -> Graph:
    """The neutral graph, validated as the judge does it."""
    graph = PyTorchCounter().translate(TranslateRequest(path), GraphBuilder(path.parent))
    validate(graph)
    return graph


def called(builder: GraphBuilder, target: str, **arguments: Any) -> object:
    """What the rule of an operator answers to these arguments."""
    values = {name: value for name, value in arguments.items() if isinstance(value, Value)}
    given = {name: Ref(name) if name in values else value for name, value in arguments.items()}
    node = Step(target, given, (), (), False, "")
    graph = ProgramGraph(tuple(values), (), (node,), {})
    walk = Walk("", builder, Call, Folds({}, {}))
    names = Names(walk, graph, builder, lookup, {})
    names.items.update((name, computed(builder, value)) for name, value in values.items())
    (step,) = names.steps()
    builder.at(step.name)
    return rule_of(step.name, step.line, "")(Call(walk, names, step, names.present(step.operands) or []))


def kinds(graph: Graph, moves: bool = False) -> list[str]:
    """``conv``, ``add``, ``pool average`` … in order; an element-wise node by its function alone."""
    return [word(node) for node in graph.nodes if moves or node.kind != "move"]


def word(node: Node) -> str:
    op = str(node.attributes.get("op", ""))
    return op if node.kind == "elementwise" else f"{node.kind} {op}".strip()


def only(graph: Graph, kind: str) -> Node:
    (found,) = [node for node in graph.nodes if node.kind == kind]
    return found


def members(path: Path) -> dict[str, bytes]:
    """The archive's entries by name without the root folder."""
    with zipfile.ZipFile(path) as archive:
        return {name.split("/", 1)[1]: archive.read(name) for name in archive.namelist()}


def rewritten(path: Path, entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    """A new archive with these entries beside ``path``."""
    new = path.with_name(f"hostile{next(_numbers)}.pt2")
    with zipfile.ZipFile(new, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(f"model/{name}", data)
    return new


MODEL = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"


def edited(path: Path, change: Callable[[Any], object], entry: str = MODEL) -> Path:
    """A new archive whose ``entry``, JSON, has been changed in place by ``change``."""
    entries = members(path)
    data = json.loads(entries[entry])
    change(data)
    return rewritten(path, {**entries, entry: json.dumps(data).encode()})


def sentences(path: Path) -> list[str]:
    """What the counter says about an archive that it must refuse."""
    return refused(translate, path)
