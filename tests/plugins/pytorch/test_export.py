"""Source entries: the one step that runs entrant's code ends in an archive of plain data, or in a sentence with their line."""

from __future__ import annotations

import hashlib
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from micronet_verify_pytorch.inputs import bind_batch
from micronet_verify_pytorch.loader import PyTorchLoader
from micronet_verify_pytorch.program import read_program
from numpy.typing import NDArray
from safetensors.torch import save_file

from micronet_verify.framework.requests import ExportRequest, PredictRequest
from tests.plugins.pytorch.support import kinds, members, translate
from tests.refused import refused

NET = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 3), nn.Linear(3, 2)

    def forward(self, x):
        return self.second(nn.functional.dropout(torch.relu(self.first(x)), training=self.training))


def build():
    return Net()
"""


@pytest.fixture(autouse=True)
def _as_a_fresh_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker ends after one export; here the import path and the modules are put back."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("micronet_entry_entry_net", "helper"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def entry(folder: Path, code: str, weights: dict[str, torch.Tensor] | None = None) -> Path:
    path = folder / "entry"
    path.mkdir()
    (path / "entry_net.py").write_text(code, encoding="utf-8")
    if weights is not None:
        save_file(weights, path / "weights.safetensors")
    return path


def request(
    folder: Path, point: str = "entry_net.py:build", weights: str = "weights.safetensors", out: Path | None = None
) -> ExportRequest:
    return ExportRequest(folder, point, weights, (4,), out or folder)


def good_weights() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = {"first.weight": (3, 4), "first.bias": (3,), "second.weight": (2, 3), "second.bias": (2,)}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def faults(given: ExportRequest, folder: Path) -> list[str]:
    return refused(PyTorchLoader().export, replace(given, folder=folder))


def test_weights_are_loaded_and_the_artifact_is_plain_data(tmp_path: Path) -> None:
    weights = good_weights()
    name = PyTorchLoader().export(request(entry(tmp_path, NET, weights), out=tmp_path))
    assert name == "model.pt2"
    assert members(tmp_path / name)["data/sample_inputs/model.pt"] == b""
    graph = translate(tmp_path / name)
    assert kinds(graph) == ["matmul", "relu", "matmul"], "eval mode: dropout is gone"
    assert [node.scope for node in graph.nodes if node.kind == "matmul"] == ["first", "second"]
    x = np.ones((3, 4), np.float32)
    (answer,) = PyTorchLoader().predict(PredictRequest(tmp_path / name, x, 3, 1))
    hidden = np.maximum(x @ weights["first.weight"].numpy().T + weights["first.bias"].numpy(), 0)
    wanted = hidden @ weights["second.weight"].numpy().T + weights["second.bias"].numpy()
    np.testing.assert_allclose(answer.outputs, wanted, rtol=1e-5, atol=1e-6)


def test_same_entry_same_bytes_and_nothing_of_this_machine(tmp_path: Path) -> None:
    given, digests = request(entry(tmp_path, NET, good_weights())), set()
    for number in range(2):
        folder = tmp_path / f"out{number}"
        folder.mkdir()
        data = (folder / PyTorchLoader().export(replace(given, folder=folder))).read_bytes()
        digests.add(hashlib.sha256(data).hexdigest())
        assert str(tmp_path).encode() not in data
        assert b"site-packages" not in data
    assert len(digests) == 1


def test_weights_that_do_not_fit_are_named_together(tmp_path: Path) -> None:
    weights = good_weights()
    weights["third.weight"] = weights.pop("second.weight")
    weights["first.bias"] = torch.zeros(5)
    assert faults(request(entry(tmp_path, NET, weights)), tmp_path) == [
        "got no weights for second.weight but should hold every tensor of the model [weights.safetensors] "
        "(did you mean 'second.weight' by 'third.weight'?)",
        "got weights for third.weight but should hold tensors of the model only [weights.safetensors]",
        "got first.bias of shape (5,) but should be (3,) as in the model [weights.safetensors]",
    ]


def test_a_tied_weight_may_be_in_the_file_once(tmp_path: Path) -> None:
    code = NET.replace(
        "nn.Linear(4, 3), nn.Linear(3, 2)", "nn.Linear(4, 4), nn.Linear(4, 4)\n        self.second.weight = self.first.weight"
    )
    weights = {"first.weight": torch.randn(4, 4), "first.bias": torch.zeros(4), "second.bias": torch.zeros(4)}
    name = PyTorchLoader().export(request(entry(tmp_path, code, weights), out=tmp_path))
    graph = translate(tmp_path / name)
    first, second = [graph.values[node.inputs[1]] for node in graph.nodes if node.kind == "matmul"]
    assert first.constant == second.constant


def test_weights_that_are_no_safetensors(tmp_path: Path) -> None:
    path = entry(tmp_path, NET)
    (path / "weights.safetensors").write_bytes(b"\x80\x04pickle")
    (problem,) = faults(request(path), tmp_path)
    assert problem == (
        "got a pickle but should be a safetensors file [weights.safetensors] "
        "(save them with safetensors.torch.save_file(model.state_dict(), …))"
    )
    (path / "weights.safetensors").write_bytes(b"\x04\0\0\0\0\0\0\0junk")
    (problem,) = faults(request(path), tmp_path)
    assert problem.startswith("got weights that cannot be read (SafetensorError: ")


NAMES = {
    "module.": "(leave out 'module.' of torch.nn.DataParallel before every name)",
    "_orig_mod.": "(leave out '_orig_mod.' of torch.compile before every name)",
    "state_dict.": "(leave out 'state_dict.' before every name)",
    "ema.model.": "(leave out 'ema.model.' before every name)",
}


@pytest.mark.parametrize("prefix", NAMES)
def test_a_prefix_of_all_names_is_told(prefix: str, tmp_path: Path) -> None:
    weights = {prefix + name: tensor for name, tensor in good_weights().items()}
    problem, _ = faults(request(entry(tmp_path, NET, weights)), tmp_path)
    assert problem.startswith("got no weights for first.bias, first.weight, second.bias, second.weight but should hold every tensor")
    assert problem.endswith(NAMES[prefix])


def test_a_prefix_that_is_missing_is_told(tmp_path: Path) -> None:
    code = NET.replace("return Net()", "return nn.Sequential(Net())")
    problem, _ = faults(request(entry(tmp_path, code, good_weights())), tmp_path)
    assert problem.endswith("(put '0.' before every name)")


def test_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    assert faults(request(entry(tmp_path, NET)), tmp_path) == [
        "got no file 'weights.safetensors' but should be in the entry [source.weights]"
    ]


CODE = {
    "raises at import": (
        "x = 1\nraise RuntimeError('no luck')\n",
        "got RuntimeError: no luck while importing entry_net.py",
        "entry_net.py:2",
    ),
    "syntax": ("def build(:\n", "got SyntaxError: invalid syntax", "entry_net.py:1"),
    "exits": ("import sys\nsys.exit(3)\n", "got SystemExit: 3 while importing entry_net.py", "entry_net.py:2"),
    "raises in build": (
        "def deeper():\n    raise ValueError('first line\\nsecond')\n\n\ndef build():\n    deeper()\n",
        "got ValueError: first line while calling build()",
        "entry_net.py:2",
    ),
    "exits in forward": (
        NET.replace("return self.second", "raise SystemExit(4)\n        return self.second"),
        "got SystemExit: 4 while exporting the model for one example",
        "entry_net.py:12",
    ),
    "raises in eval": (
        NET.replace("def forward", "def eval(self):\n        raise OSError('no')\n\n    def forward"),
        "got OSError: no while calling eval() of the model",
        "entry_net.py:12",
    ),
    "no build": ("x = 1\n", "got no callable 'build' in entry_net.py but should be there", "source.entry_point"),
    "another name": ("def built():\n    return 3\n", "got no callable 'build' in", "source.entry_point] (did you mean 'built'?)"),
    "an argument": (
        "def build(width):\n    return width\n",
        "got TypeError: build() missing 1 required positional argument: 'width' while calling build()",
        "entry_net.py:build] (the entry point takes no argument: give each a default)",
    ),
    "TorchScript": (
        NET.replace("return Net()", "return torch.jit.trace(Net().eval(), torch.zeros(1, 4))"),
        "got ValueError: Exporting a ScriptModule is not supported",
        "entry_net.py:build] (return the nn.Module itself, not what torch.jit makes of it)",
    ),
    "half precision": (
        NET.replace("return Net()", "return Net().half()"),
        "got RuntimeError: mat1 and mat2 must have the same dtype, but got Float and Half while answering one example",
        "entry_net.py:12] (the track feeds float32: convert inside forward(), x.to(…), so that the conversion is part of what is judged)",
    ),
    "no module": ("def build():\n    return 3\n", "got int from build() but should be a torch.nn.Module", "entry_net.py:build"),
    "missing import": ("import not_there\n", "got ModuleNotFoundError: No module named 'not_there' while importing", "entry_net.py:1"),
}


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@pytest.mark.parametrize("name", CODE)
def test_faults_of_their_code_have_their_line(name: str, tmp_path: Path) -> None:
    code, begin, place = CODE[name]
    (problem,) = faults(request(entry(tmp_path, code), weights=""), tmp_path)
    assert problem.startswith(begin)
    assert problem.endswith(f"[{place}]" if "]" not in place else f"[{place}")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    given = request(entry(tmp_path, NET), "other.py:build", "")
    assert faults(given, tmp_path) == [
        "got the entry point 'other.py:build' but should be file.py:callable of the entry [source.entry_point]"
    ]


def test_a_model_that_cannot_be_exported_has_its_line(tmp_path: Path) -> None:
    code = NET.replace("return self.second", "if x.sum() > 0:\n            return x\n        return self.second")
    (problem,) = faults(request(entry(tmp_path, code), weights=""), tmp_path)
    assert problem.startswith("got GuardOnDataDependentSymNode: Could not guard on data-dependent expression")
    assert (
        "while exporting the model for one example but should succeed [entry_net.py:12] (choose between two ways with torch.cond" in problem
    )


def test_a_model_whose_examples_meet_is_exported_for_one_example(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    code = NET.replace("self.first(x)", "self.first(x - x.mean(0))")
    with caplog.at_level(logging.WARNING, "micronet_verify.pytorch"):
        name = PyTorchLoader().export(request(entry(tmp_path, code, good_weights()), out=tmp_path))
    (message,) = [record.getMessage() for record in caplog.records if record.name == "micronet_verify.pytorch"]
    assert "at a time, not with a free batch: got mean along the batch but should treat each example alone [aten.mean" in message
    assert bind_batch(read_program(tmp_path / name)) == {}


def test_an_entry_may_import_its_other_files(tmp_path: Path) -> None:
    path = entry(tmp_path, "from helper import Net\n\n\ndef build():\n    return Net()\n", good_weights())
    (path / "helper.py").write_text(NET, encoding="utf-8")
    assert PyTorchLoader().export(request(path, out=tmp_path)) == "model.pt2"


def test_a_model_made_for_one_example_is_exported_for_one_with_a_note(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    code = NET.replace("torch.relu(self.first(x))", "torch.relu(self.first(x.reshape(1, 4)))")
    with caplog.at_level(logging.WARNING, "micronet_verify.pytorch"):
        name = PyTorchLoader().export(request(entry(tmp_path, code, good_weights()), out=tmp_path))
    (message,) = [record.getMessage() for record in caplog.records if record.name == "micronet_verify.pytorch"]
    assert message.startswith(
        "entry_net.py:build is exported for one example at a time, not with a free batch: RuntimeError: shape '[1, 4]' "
    )
    graph = translate(tmp_path / name)
    assert graph.values[graph.inputs[0]].shape == (1, 4)
    assert _answers(tmp_path / name).shape == (3, 2)


def _answers(path: Path) -> NDArray[Any]:
    batches = [answer.outputs for answer in PyTorchLoader().predict(PredictRequest(path, np.ones((3, 4), np.float32), 2, 1))]
    return np.concatenate(batches)


def test_half_precision_weights_stay_half(tmp_path: Path) -> None:
    code = NET.replace("return Net()", "return Net().half()").replace("self.first(x)", "self.first(x.half())")
    halves = {key: value.half() for key, value in good_weights().items()}
    name = PyTorchLoader().export(request(entry(tmp_path, code, halves), out=tmp_path))
    graph = translate(tmp_path / name)
    assert {value.format.name for value in graph.values.values() if value.constant} == {"float16"}
    assert _answers(tmp_path / name).dtype == np.float32


def test_a_module_that_is_in_training_mode_is_put_into_eval(tmp_path: Path) -> None:
    code = NET.replace("nn.Linear(4, 3), nn.Linear(3, 2)", "nn.Linear(4, 3), nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2)).train()")
    name = PyTorchLoader().export(request(entry(tmp_path, code), weights="", out=tmp_path))
    assert kinds(translate(tmp_path / name)) == ["matmul", "relu", "normalise batch_norm", "matmul"]
