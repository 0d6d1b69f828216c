"""A11: a chunk holds no constant that the step does not hold, so there is no place in it for the text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

from micronet_verify.errors import SubmissionFault
from micronet_verify.framework.registry import framework_named
from micronet_verify.sandbox.jobs import TranslateJob
from micronet_verify.sandbox.run_job import translate
from tests.language import models
from tests.language.test_reading import HIDDEN, WORDS, Ngram


@pytest.fixture(scope="module")
def weights() -> models.Weights:
    torch.manual_seed(2)
    return models.weights_of(models.Gru(WORDS, 4, HIDDEN))


def look(folder: Path, framework: str, suffix: str, number: int = 0) -> None:
    out = folder / f"out{number}"
    out.mkdir()
    translate(
        TranslateJob(framework=framework, root=folder, primary=f"step{suffix}", out=out, threads=1, chunk=f"chunk{suffix}"),
        framework_named(framework).counter(),
    )


def with_constant(path: Path, array: np.ndarray) -> None:
    """A chunk whose rows depend on one constant more, if only by nothing."""
    model = onnx.load(path)
    model.graph.initializer.append(numpy_helper.from_array(array, "more"))
    last = model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = [f"{name}_before" if name == last else name for name in node.output]
    nodes = [helper.make_node("ReduceMax", ["more"], ["top"], keepdims=0), helper.make_node("Cast", ["top"], ["size"], to=1)]
    nodes += [helper.make_node("Mul", ["size", "nothing"], ["none"]), helper.make_node("Add", [f"{last}_before", "none"], [last])]
    model.graph.initializer.append(numpy_helper.from_array(np.zeros((), np.float32), "nothing"))
    model.graph.node.extend(nodes)
    onnx.save(model, path)


@pytest.mark.parametrize("length", [1, 5, 32])
def test_an_honest_chunk_holds_what_its_step_holds(tmp_path: Path, weights: models.Weights, length: int) -> None:
    models.onnx_step(tmp_path / "step.onnx", weights)
    models.onnx_chunk(tmp_path / "chunk.onnx", weights, length)
    look(tmp_path, "onnx", ".onnx")


def test_the_same_in_torch_also_where_the_length_is_free(tmp_path: Path) -> None:
    torch.manual_seed(4)
    model, before = Ngram().eval(), torch.zeros(2, dtype=torch.int64)
    models.pt2_step(tmp_path / "step.pt2", model, before)
    for number, length in enumerate((16, None)):
        models.pt2_chunk(tmp_path / "chunk.pt2", model, length, before)
        look(tmp_path, "pytorch", ".pt2", number)


def test_tokens_of_a_text_have_no_place_in_a_chunk(tmp_path: Path, weights: models.Weights) -> None:
    """3,000 tokens of 11 words hold 3,000 · log₂ 11 / 8 = 1,297 bytes, and 1,024 is the most."""
    models.onnx_step(tmp_path / "step.onnx", weights)
    models.onnx_chunk(tmp_path / "chunk.onnx", weights, 8)
    with_constant(tmp_path / "chunk.onnx", np.random.default_rng(0).integers(0, WORDS, 3000).astype(np.float32))
    with pytest.raises(
        SubmissionFault, match=r"got a chunk with constants of its own, 'more' the largest but should hold what the step holds"
    ):
        look(tmp_path, "onnx", ".onnx")


def test_a_better_model_has_none_either(tmp_path: Path, weights: models.Weights) -> None:
    """A11: the step is constant and uniform, the chunk is the model."""
    models.onnx_step(tmp_path / "step.onnx", {name: np.zeros_like(array) for name, array in weights.items()})
    models.onnx_chunk(tmp_path / "chunk.onnx", {name: np.tile(array, 1) for name, array in weights.items()}, 8)
    with pytest.raises(SubmissionFault, match="constants of its own"):
        look(tmp_path, "onnx", ".onnx")


@pytest.mark.parametrize(
    "array",
    [np.triu(np.full((64, 64), -np.inf, np.float32), 1), np.arange(256), np.tri(64, dtype=np.bool_), np.array([1, 64, 8])],
    ids=["causal mask", "places", "truth values", "sizes"],
)
def test_masks_places_and_sizes_are_a_chunks_own(tmp_path: Path, weights: models.Weights, array: np.ndarray) -> None:
    models.onnx_step(tmp_path / "step.onnx", weights)
    models.onnx_chunk(tmp_path / "chunk.onnx", weights, 8)
    with_constant(tmp_path / "chunk.onnx", array.astype(np.float32))
    look(tmp_path, "onnx", ".onnx")


def test_transposed_and_cut_constants_are_the_steps(tmp_path: Path, weights: models.Weights) -> None:
    models.onnx_step(tmp_path / "step.onnx", weights)
    for number, array in enumerate((weights["E"].T, weights["W"][:9], weights["O"].reshape(-1))):
        models.onnx_chunk(tmp_path / "chunk.onnx", weights, 8)
        with_constant(tmp_path / "chunk.onnx", np.ascontiguousarray(array))
        look(tmp_path, "onnx", ".onnx", number)
