"""External data: ordinary files of the model's own folder, every byte range inside its file, nothing else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from micronet_verify_onnx.loader import OnnxLoader
from onnx import TensorProto

from micronet_verify.errors import SubmissionFault
from micronet_verify.framework.requests import PredictRequest
from tests.plugins.onnx.support import execute, graph, model, node, problems, random, saved, translate, unknown, x_to_y

WEIGHT = random(40, 30)


def external(location: str, kind: int = TensorProto.FLOAT, dims: tuple[int, ...] = (40, 30), **entries: Any) -> onnx.TensorProto:
    tensor = TensorProto(name="w", data_type=kind, dims=dims, data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def written(folder: Path, tensor: onnx.TensorProto, width: int = 40) -> Path:
    body = x_to_y([node("MatMul", "x w")], (width,))
    body.initializer.append(tensor)
    return saved(model(body, 21, 10), folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder with its weights behind 64 bytes of something else."""
    home = tmp_path / "entry"
    (home / "sub").mkdir(parents=True)
    for place in (home / "weights.bin", home / "sub" / "weights.bin", tmp_path / "outside.bin"):
        place.write_bytes(b"\x00" * 64 + WEIGHT.tobytes())
    return home


@pytest.mark.parametrize("location", ["weights.bin", "sub/weights.bin"])
def test_weights_beside_the_model_are_read_in_place(folder: Path, location: str) -> None:
    path = written(folder, external(location, offset=64, length=WEIGHT.nbytes))
    found = translate(path)
    (value,) = [value for value in found.graph.values.values() if value.constant is not None]
    assert value.constant is not None
    assert (value.constant.store, value.constant.path, value.constant.offset) == ("artifact", location, 64)
    np.testing.assert_array_equal(found.constants()["w"], WEIGHT)
    x = random(2, 40)
    np.testing.assert_allclose(found.run(x[:1])[0], execute(path, {"x": x})[0][:1], rtol=1e-4, atol=1e-5)


def test_the_length_may_be_absent(folder: Path) -> None:
    np.testing.assert_array_equal(translate(written(folder, external("weights.bin", offset=64))).constants()["w"], WEIGHT)


def test_packed_external_weights_are_unpacked(folder: Path) -> None:
    (folder / "four.bin").write_bytes(bytes([0x21, 0x43, 0x08]))
    found = translate(written(folder, external("four.bin", TensorProto.INT4, (5, 1)), 5))
    assert found.constants()["w"].reshape(-1).tolist() == [1, 2, 3, 4, -8]


CASES = {
    "..": (external("../outside.bin", offset=64), "got external data in '../outside.bin' but should be a file in the model's own folder"),
    "inner ..": (
        external("sub/../weights.bin"),
        "got external data in 'sub/../weights.bin' but should be a file in the model's own folder",
    ),
    "backslash": (external("..\\outside.bin"), "got external data in '..\\\\outside.bin' but should be a file in the model's own folder"),
    "no name": (external(""), "got external data in '' but should be a file in the model's own folder"),
    "missing": (external("none.bin"), "got external data in 'none.bin', which is missing but should be a file in the model's own folder"),
    "memory": (
        external("*/_ORT_MEM_ADDR_/*", offset=64),
        "got external data in '*/_ORT_MEM_ADDR_/*', which is missing but should be a file in the model's own folder",
    ),
    "folder": (external("sub"), "got external data in 'sub' but should be an ordinary file"),
    "offset": (
        external("weights.bin", offset=65),
        "got external data that ends at byte 4,865 but should end within weights.bin's 4,864 bytes",
    ),
    "far": (external("weights.bin", offset=10**17), "got external data that ends at byte 100,000,000,000,004,800 but should end within"),
    "negative": (external("weights.bin", offset=-4), "got external data with offset '-4' but should be a whole number of bytes"),
    "words": (external("weights.bin", offset="1e3"), "got external data with offset '1e3' but should be a whole number of bytes"),
    "length": (
        external("weights.bin", length=4864),
        "got external data of 4,864 bytes but should be 4,800 bytes, as its shape and type say",
    ),
    "shape": (
        external("weights.bin", dims=(40, 2**50)),
        "got external data that ends at byte 180,143,985,094,819,840 but should end within",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_external_data_that_is_refused(folder: Path, case: str) -> None:
    tensor, sentence = CASES[case]
    (found,) = problems(written(folder, tensor))
    assert found.startswith(sentence)
    assert found.endswith("[initializer 'w']")


def test_an_absolute_path(folder: Path) -> None:
    place = str(folder / "weights.bin")
    assert problems(written(folder, external(place))) == [
        f"got external data in {place!r} but should be a file in the model's own folder [initializer 'w']"
    ]


def test_symbolic_links(folder: Path) -> None:
    (folder / "link.bin").symlink_to("weights.bin")
    (folder / "away").symlink_to(folder.parent)
    assert problems(written(folder, external("link.bin"))) == [
        "got external data in 'link.bin', a symbolic link but should be an ordinary file [initializer 'w']"
    ]
    assert problems(written(folder, external("away/outside.bin"))) == [
        "got external data in 'away/outside.bin', a symbolic link but should be an ordinary file [initializer 'w']"
    ]


def test_hard_links(folder: Path) -> None:
    os.link(folder.parent / "outside.bin", folder / "hard.bin")
    assert problems(written(folder, external("hard.bin", offset=64))) == [
        "got external data in 'hard.bin', a file with 2 names (hard links) but should have one name [initializer 'w']"
    ]


def test_the_loader_refuses_before_onnxruntime_reads(folder: Path) -> None:
    os.link(folder.parent / "outside.bin", folder / "hard.bin")
    path = written(folder, external("hard.bin", offset=64))
    with pytest.raises(SubmissionFault, match="hard links"):
        next(OnnxLoader().predict(PredictRequest(path, random(2, 40), 2, 1)))
    # onnxruntime itself follows the hard link: that is why the loader looks first.
    assert execute(path, {"x": random(2, 40)})[0].shape == (2, 30)


def test_external_data_in_attributes_and_bodies_is_checked_too(folder: Path) -> None:
    tensor = external("../outside.bin", offset=64)
    hidden = graph([node("Constant", "", "w", value=tensor), node("MatMul", "x w", "a")], [], [unknown("a")])
    other = graph([node("Neg", "x", "b")], [], [unknown("b")])
    nodes = [
        node("ReduceSum", "x", "t", keepdims=0),
        node("Greater", "t zero", "c"),
        node("If", "c", then_branch=hidden, else_branch=other),
    ]
    path = saved(model(x_to_y(nodes, (40,), {"zero": np.float32(0)})), folder)
    with pytest.raises(SubmissionFault, match="should be a file in the model's own folder"):
        next(OnnxLoader().predict(PredictRequest(path, random(2, 40), 2, 1)))
