"""CASES A0: weights that a constant index reads out of a larger table cost what they are, however the file spells the reading."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.executed import assert_agrees
from tests.plugins.onnx.support import node
from tests.spelling.counted import Array, Plain, onnx_count, onnx_model, prices, random

N = 24
W = random(N, N)
# Each column of the table holds a column of W in an order of its own, behind as many rows of zeros.
ORDER = np.argsort(np.random.default_rng(0).random((N, N)), axis=0)
TABLE = np.concatenate([np.zeros((N, N), np.float32), np.take_along_axis(W, ORDER, 0)])
INDEX = (np.argsort(ORDER, axis=0) + N).astype(np.int64)
TUPLES = np.stack([INDEX, np.broadcast_to(np.arange(N), (N, N))], -1)
PRODUCT = node("MatMul", "x w")

SPELLINGS: dict[str, tuple[list[onnx.NodeProto], dict[str, Array]]] = {
    "as it is": ([PRODUCT], {"w": W}),
    "elements of axis 0": ([node("GatherElements", "t i", "w", axis=0), PRODUCT], {"t": TABLE, "i": INDEX}),
    "elements from the end": ([node("GatherElements", "t i", "w", axis=0), PRODUCT], {"t": TABLE, "i": INDEX - 2 * N}),
    "elements of axis 1": (
        [node("GatherElements", "t i", "u", axis=1), node("Transpose", "u", "w", perm=[1, 0]), PRODUCT],
        {"t": np.ascontiguousarray(TABLE.T), "i": np.ascontiguousarray(INDEX.T)},
    ),
    "an index that is computed": (
        [node("Add", "i one", "j"), node("GatherElements", "t j", "w", axis=0), PRODUCT],
        {"t": TABLE, "i": INDEX - 1, "one": np.ones((N, N), np.int64)},
    ),
    "tuples": ([node("GatherND", "t i", "w"), PRODUCT], {"t": TABLE, "i": TUPLES}),
    "tuples side by side": (
        [node("GatherND", "t i", "u", batch_dims=1), node("Transpose", "u", "w", perm=[1, 0]), PRODUCT],
        {"t": np.ascontiguousarray(TABLE.T), "i": np.ascontiguousarray(INDEX.T)[..., None]},
    ),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a0_gathered_weights_cost_what_they_are(spelling: str) -> None:
    """N² weights, N multiplies and N − 1 adds for each of N outputs; the count took the zeros of the table, and found none."""
    nodes, constants = SPELLINGS[spelling]
    assert prices(onnx_count(onnx_model(nodes, (N,), constants))) == Plain(N * N, N * (N - 1), values=N * N).prices


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a0_the_graph_says_which_elements_are_read(spelling: str) -> None:
    nodes, constants = SPELLINGS[spelling]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(onnx_model(nodes, (N,), constants).SerializeToString())
        assert_agrees("onnx", path, random(3, N, seed=1))


C, S = 30, 7
SHUFFLE = np.random.default_rng(1).permutation(C)
BROAD = np.broadcast_to(SHUFFLE[:, None], (1, C, S)).astype(np.int64)

SHUFFLES: dict[str, tuple[list[onnx.NodeProto], dict[str, Array]]] = {
    "slices": ([node("Gather", "x i", axis=1)], {"i": SHUFFLE}),
    "elements": ([node("GatherElements", "x i", axis=1)], {"i": BROAD}),
    "elements by a computed index": (
        [node("Add", "i one", "j"), node("GatherElements", "x j", axis=1)],
        {"i": BROAD - 1, "one": np.ones((1, C, S), np.int64)},
    ),
    "tuples": ([node("GatherND", "x i", batch_dims=1)], {"i": SHUFFLE[None, :, None]}),
    "tuples of two": (
        [node("GatherND", "x i")],
        {"i": np.stack([np.zeros((1, C), np.int64), SHUFFLE[None]], -1)},
    ),
}


@pytest.mark.parametrize("spelling", SHUFFLES)
def test_a_choice_of_elements_by_constants_is_one_permutation(spelling: str) -> None:
    """O9: a multiply for each element that is moved, and a matrix of C ones and C² mask bits."""
    nodes, constants = SHUFFLES[spelling]
    found = prices(onnx_count(onnx_model(nodes, (C, S), constants)))
    assert {float(storage * 32) for storage, _ in found.values()} == {C + C * C}
    assert found["quantized"][1] == C * S
