"""A fault of a key of the manifest names its line, also where it is found later than the manifest is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import TensorProto, helper

from micronet_verify.evaluation import evaluate
from micronet_verify.stages.bench import Bench
from tests.submission.conftest import SOURCE

NAMED = SOURCE.replace("code/model.py", "model.py").replace("model.safetensors", "weights.safetensors")
MANIFEST = NAMED.replace("  modules: [code/blocks.py]\n", "")
CODE = "import torch\n\n\ndef make():\n    return torch.nn.Flatten()\n"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "framework: pytorch",
            "framework: pytorhc",
            "got the framework 'pytorhc' but should be an installed one [submission.yaml:6] (did you mean 'pytorch'?)",
        ),
        ("model.py:build", "model.py:built", "got no callable 'built' in model.py but should be there [submission.yaml:8]"),
        (
            "model.py:build",
            "model.py:mak",
            "got no callable 'mak' in model.py but should be there [submission.yaml:8] (did you mean 'make'?)",
        ),
    ],
)
def test_the_line_of_the_manifest_is_named(old: str, new: str, sentence: str, tmp_path: Path) -> None:
    entry = tmp_path / "entry"
    entry.mkdir()
    (entry / "submission.yaml").write_text(MANIFEST.replace(old, new), encoding="utf-8")
    (entry / "model.py").write_text(CODE, encoding="utf-8")
    (entry / "weights.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    faults = evaluate(entry, "ada", Bench(tmp_path / "work")).faults
    assert str(faults["export"]) == sentence


def test_a_module_of_the_entry_that_is_not_listed_is_told_to_be(tmp_path: Path) -> None:
    entry = tmp_path / "entry"
    entry.mkdir()
    (entry / "submission.yaml").write_text(MANIFEST, encoding="utf-8")
    (entry / "model.py").write_text("import blocks\n", encoding="utf-8")
    (entry / "blocks.py").touch()
    (entry / "weights.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    faults = evaluate(entry, "ada", Bench(tmp_path / "work")).faults
    assert str(faults["export"]) == (
        "got ModuleNotFoundError: No module named 'blocks' while importing model.py but should succeed [model.py:1] "
        "(name blocks.py under modules of source: only files that the manifest names are there)"
    )


DATA = MANIFEST.replace("source:\n  entry_point: model.py:build\n  weights: weights.safetensors", "model: model.onnx")


def faults(folder: Path, manifest: str, model: bytes) -> dict[str, str]:
    entry = folder / "entry"
    entry.mkdir()
    (entry / "submission.yaml").write_text(manifest, encoding="utf-8")
    (entry / "model.onnx").write_bytes(model)
    return {stage: str(fault) for stage, fault in evaluate(entry, "ada", Bench(folder / "work")).faults.items()}


def test_a_framework_that_does_not_exist_is_told_by_the_models_ending(tmp_path: Path) -> None:
    found = faults(tmp_path, DATA.replace("pytorch", "caffe"), b"x")
    sentence = "got the framework 'caffe' but should be an installed one [submission.yaml:6] (model.onnx is read by 'onnx')"
    assert found["export"] == sentence


def test_what_is_wrong_with_a_file_as_a_whole_names_the_file(tmp_path: Path) -> None:
    found = faults(tmp_path, DATA.replace("pytorch", "onnx"), b"")
    assert found["translate"].startswith("got an empty file but should be ")
    assert "[model.onnx]" in found["translate"]


def test_inputs_whose_axes_have_another_order_are_told_to_transpose(tmp_path: Path) -> None:
    flat = helper.make_graph(
        [helper.make_node("Flatten", ["x"], ["y"])],
        "flat",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8, 8, 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 64])],
    )
    model = helper.make_model(flat, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    found = faults(tmp_path, DATA.replace("pytorch", "onnx"), model.SerializeToString())
    assert found["translate"] == (
        "got inputs of shape (1, 8, 8, 1) but should be one of shape (1, 1, 8, 8) [the model's inputs] "
        "(the axes have another order: begin the model with a transpose, which costs nothing, and keep its layers as they are)"
    )
