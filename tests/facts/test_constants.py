"""Constants by reference: read where they lie, and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micronet_verify.errors import SubmissionFault
from micronet_verify.facts.formats import numeric_format
from micronet_verify.facts.tensors import ConstantStore, TensorRef, row_major

FLOAT = numeric_format("float32")


@pytest.fixture
def store(tmp_path: Path) -> ConstantStore:
    (tmp_path / "artifact").mkdir()
    np.arange(24, dtype="<f4").tofile(tmp_path / "artifact" / "model.bin")
    (tmp_path / "secret.bin").write_bytes(bytes(96))
    (tmp_path / "graph").mkdir()
    return ConstantStore(tmp_path / "artifact", tmp_path / "graph")


def ref(offset: int = 0, strides: tuple[int, ...] | None = None, path: str = "model.bin") -> TensorRef:
    return TensorRef("artifact", path, offset, strides)


def test_values_are_read_where_they_lie(store: ConstantStore) -> None:
    assert store.open(ref(8), (2, 3), FLOAT).tolist() == [[2, 3, 4], [5, 6, 7]]


def test_strides_give_another_order(store: ConstantStore) -> None:
    got = store.open(ref(0, (1, 6)), (6, 4), FLOAT)
    np.testing.assert_array_equal(got, np.arange(24).reshape(4, 6).T)


def test_a_constant_cannot_be_written(store: ConstantStore) -> None:
    for strides in (None, (3, 1)):
        with pytest.raises(ValueError, match="read-only"):
            store.open(ref(0, strides), (2, 3), FLOAT)[0, 0] = 1


@pytest.mark.parametrize(
    ("where", "shape"),
    [(ref(4), (24,)), (ref(-4), (2,)), (ref(0, (24, 1)), (2, 6)), (ref(0, (-1,)), (3,)), (ref(1 << 60), (1,))],
)
def test_a_tensor_past_the_end_is_refused(store: ConstantStore, where: TensorRef, shape: tuple[int, ...]) -> None:
    with pytest.raises(SubmissionFault, match=r"^got a tensor that ends at byte .* but should end within the file's 96 bytes \[w\]"):
        store.open(where, shape, FLOAT, "w")


def test_a_small_file_cannot_claim_a_tensor_without_end(store: ConstantStore) -> None:
    with pytest.raises(
        SubmissionFault, match=r"^got a tensor of 1,000,000,000,000 values in a file of 96 bytes but should be no larger than"
    ):
        store.open(ref(0, (0, 0)), (10**6, 10**6), FLOAT, "w")


@pytest.mark.parametrize("path", ["../secret.bin", "/etc/hostname", "missing.bin", "."])
def test_a_file_outside_of_the_entry_is_refused(store: ConstantStore, path: str) -> None:
    with pytest.raises(SubmissionFault, match="but should lie in a file of the entry"):
        store.open(ref(path=path), (1,), FLOAT)


def test_a_link_out_of_the_entry_is_refused(store: ConstantStore, tmp_path: Path) -> None:
    os.symlink(tmp_path / "secret.bin", tmp_path / "artifact" / "link.bin")
    with pytest.raises(SubmissionFault, match="but should lie in a file of the entry"):
        store.open(ref(path="link.bin"), (1,), FLOAT)


@given(st.lists(st.integers(1, 5), max_size=4).map(tuple))
def test_row_major_strides_are_numpys(shape: tuple[int, ...]) -> None:
    assert tuple(step * 4 for step in row_major(shape)) == np.zeros(shape, np.float32).strides
