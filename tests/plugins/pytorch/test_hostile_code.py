"""Archives that carry code: neither the counter nor the loader runs any of it, and honest parts still answer.

Each carrier is shown to work on ``torch.export.load``, so that the test would notice if the trap were dull.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from micronet_verify_pytorch.loader import PyTorchLoader
from torch import Tensor, nn

from micronet_verify.errors import SubmissionFault
from micronet_verify.framework.requests import PredictRequest
from tests.plugins.pytorch.support import MODEL, WEIGHTS, archive, members, rewritten, translate

SAMPLES = "data/sample_inputs/model.pt"


class Payload:
    """Unpickling this creates a file."""

    def __init__(self, flag: Path) -> None:
        self.flag = flag

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.flag),)


def pickled(flag: Path) -> bytes:
    buffer = io.BytesIO()
    torch.save(Payload(flag), buffer)
    return buffer.getvalue()


def sample_inputs(entries: dict[str, bytes], flag: Path) -> None:
    entries[SAMPLES] = pickled(flag)


def weight(entries: dict[str, bytes], flag: Path) -> None:
    table = json.loads(entries[WEIGHTS])
    table["config"]["weight"]["use_pickle"] = True
    entries[WEIGHTS] = json.dumps(table).encode()
    entries["data/weights/weight_0"] = pickled(flag)


def constant(entries: dict[str, bytes], flag: Path) -> None:
    record = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
    entries["data/constants/model_constants_config.json"] = json.dumps({"config": {"evil": record}}).encode()
    entries["data/constants/opaque_obj_0"] = pickle.dumps(Payload(flag))


def edit(entries: dict[str, bytes], change: Callable[[Any], None]) -> None:
    data = json.loads(entries[MODEL])
    change(data)
    entries[MODEL] = json.dumps(data).encode()


def size_expression(entries: dict[str, bytes], flag: Path) -> None:
    def change(data: Any) -> None:
        text = f"__import__('os').mkdir({str(flag)!r}) or Symbol('s77', positive=True, integer=True)"
        sizes = data["graph_module"]["graph"]["tensor_values"]["linear"]["sizes"]
        sizes[0] = {"as_expr": {"expr_str": text, "hint": {"as_int": 2}}}

    edit(entries, change)


def guard(entries: dict[str, bytes], flag: Path) -> None:
    edit(entries, lambda data: data.update(guards_code=[f"__import__('os').mkdir({str(flag)!r}) is None"]))


def node_name(entries: dict[str, bytes], flag: Path) -> None:
    """Names become Python source in torch's own generated code."""

    def change(data: Any) -> None:
        text = json.dumps(data).replace('"image"', json.dumps(f"image=__import__('os').mkdir({str(flag)!r})"))
        data.clear()
        data.update(json.loads(text))

    edit(entries, change)


# The carrier, and whether it is where the counter and the loader look: what they do not read does not disturb them.
CARRIERS: dict[str, tuple[Callable[[dict[str, bytes], Path], None], bool, bool]] = {
    "sample inputs": (sample_inputs, False, False),
    "weight": (weight, True, True),
    "constant": (constant, True, True),
    "size expression": (size_expression, True, False),
    "guard": (guard, False, False),
    "name": (node_name, False, False),
}


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, 3))

    def forward(self, image: Tensor) -> Tensor:
        return nn.functional.linear(image, self.weight)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return archive(Net(), torch.randn(2, 3), tmp_path_factory.mktemp("honest"))


@pytest.mark.parametrize("name", CARRIERS)
def test_nothing_of_it_runs(name: str, honest: Path, tmp_path: Path) -> None:
    carry, counted, run = CARRIERS[name]
    flag, entries = tmp_path / "flag", members(honest)
    carry(entries, flag)
    path = rewritten(honest, entries)

    for refused, action in ((counted, translate), (run, answers)):
        if refused:
            with pytest.raises(SubmissionFault):
                action(path)
        else:
            action(path)

    assert not flag.exists()
    with warnings.catch_warnings(), contextlib.suppress(Exception):  # many payloads break the model after they have run
        warnings.simplefilter("ignore")
        torch.export.load(path).module()(torch.ones(4, 3))
    assert flag.exists(), "the trap is set for torch's own loader"


def answers(path: Path) -> np.ndarray[Any, Any]:
    (answer,) = PyTorchLoader().predict(PredictRequest(path, np.ones((4, 3), np.float32), 4, 1))
    return answer.outputs


def test_honest_answers_do_not_change_beside_a_payload(honest: Path, tmp_path: Path) -> None:
    entries = members(honest)
    sample_inputs(entries, tmp_path / "flag")
    np.testing.assert_array_equal(answers(honest), answers(rewritten(honest, entries)))


@pytest.mark.parametrize("target", ["torch.ops.aten.from_file.default", "torch.ops.aten.rand_like.default", "torch.load", "_operator.call"])
def test_the_loader_runs_no_operator_off_the_table(target: str, honest: Path) -> None:
    entries = members(honest)

    def change(data: Any) -> None:
        data["graph_module"]["graph"]["nodes"][0]["target"] = target

    edit(entries, change)
    path = rewritten(honest, entries)
    with pytest.raises(SubmissionFault, match=r"but should be (an operator that this counter can price|the same for every run)"):
        answers(path)
