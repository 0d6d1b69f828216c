"""Inputs in the background: once, with what it raises, and ended when the run is; and the first examples alone."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from micronet_verify.errors import BenchFault
from micronet_verify.facts.data import Preprocessing
from micronet_verify.quality.images import write_images
from micronet_verify.quality.inputs import prepare as datasets
from micronet_verify.quality.inputs.background import Preparing, Wanted
from micronet_verify.quality.inputs.prepare import DatasetMissing, Prepared, prepare
from micronet_verify.quality.store import keep
from tests.quality.published import cifar_images, cifar_pickle, written

STEPS = Preprocessing("plain")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    pixels, _, coarse = cifar_images(12)
    written(tmp_path / "data" / "cifar-100-python" / "test", cifar_pickle(pixels, list(range(12)), coarse))
    return tmp_path / "data"


def wanted(root: Path, folder: Path, limit: int | None = None) -> Wanted:
    return Wanted("cifar100", "test", STEPS, folder, root=root, limit=limit)


@pytest.fixture
def preparing():
    made = Preparing()
    yield made
    made.stop()


def test_it_begins_before_anybody_waits(preparing, root, tmp_path, monkeypatch) -> None:
    begun, calls = threading.Event(), list[str]()
    real = datasets.prepare

    def noting(*arguments, **keys) -> Prepared:
        calls.append(arguments[0])
        begun.set()
        return real(*arguments, **keys)

    monkeypatch.setattr("micronet_verify.quality.inputs.background.prepare", noting)
    preparing.begin(wanted(root, tmp_path / "cache"))
    assert begun.wait(60)
    found = [preparing.result(wanted(root, tmp_path / "cache")) for _ in range(3)]
    assert calls == ["cifar100"]
    assert found == [prepare("cifar100", "test", STEPS, tmp_path / "cache", root=root)] * 3


def test_what_it_raises_is_told_to_everyone_who_waits(preparing, tmp_path) -> None:
    for _ in range(2):
        with pytest.raises(DatasetMissing, match="be a directory that exists"):
            preparing.result(wanted(tmp_path / "gone", tmp_path / "cache"))


def test_stopping_ends_what_is_under_way_and_leaves_nothing(root, tmp_path, monkeypatch) -> None:
    begun = threading.Event()

    def endless(path, examples, image, steps, where, stopped):
        path.write_bytes(b"half")
        begun.set()
        while True:
            write_images(path, 1, image, steps, where, stopped=stopped)

    monkeypatch.setattr(datasets, "write_images", endless)
    preparing = Preparing()
    preparing.begin(wanted(root, tmp_path / "cache"))
    assert begun.wait(60)
    preparing.stop()
    with pytest.raises(BenchFault, match=r"^got inputs that were being prepared when the run was stopped"):
        preparing.result(wanted(root, tmp_path / "cache"))
    assert list((tmp_path / "cache" / "cifar100").iterdir()) == []
    with pytest.raises(BenchFault, match=r"^got a run that was stopped before cifar100 was prepared but should run to its end$"):
        preparing.result(wanted(root, tmp_path / "cache", 5))
    preparing.stop()


def test_who_waits_for_another_process_can_be_stopped(tmp_path) -> None:
    def make(draft: Path) -> dict[str, int]:
        with pytest.raises(BenchFault, match="when the run was stopped"):
            keep(tmp_path / "b", make, lambda: True)  # the folder's lock is held here, by another opening of it
        draft.write_bytes(b"a")
        return {"made": 1}

    assert keep(tmp_path / "a", make)["made"] == 1


def test_the_first_examples_alone(root, tmp_path) -> None:
    whole = prepare("cifar100", "test", STEPS, tmp_path / "cache", root=root)
    first = prepare("cifar100", "test", STEPS, tmp_path / "cache", root=root, limit=5)
    assert (first.examples, first.whole, first.shape) == (5, 12, (5, 3, 32, 32))
    assert (whole.examples, whole.whole) == (12, 12)
    assert first.path != whole.path
    assert np.array_equal(np.load(first.path), np.load(whole.path)[:5])
    assert prepare("cifar100", "test", STEPS, tmp_path / "cache", root=root, limit=5) == first


@pytest.mark.parametrize("limit", [12, 13, 10**9])
def test_a_limit_of_all_is_none(root, tmp_path, limit) -> None:
    assert prepare("cifar100", "test", STEPS, tmp_path, root=root, limit=limit) == prepare("cifar100", "test", STEPS, tmp_path, root=root)


def test_the_first_of_inputs_that_a_data_set_makes_itself(tmp_path) -> None:
    whole = prepare("digits", "test", "divide-by-16", tmp_path)
    first = prepare("digits", "test", "divide-by-16", tmp_path, limit=7)
    assert (first.examples, first.whole) == (7, 500)
    assert np.array_equal(np.load(first.path), np.load(whole.path)[:7])


def test_images_after_the_last_that_is_needed_are_not_opened(tmp_path) -> None:
    opened = set()

    def image(index: int):
        opened.add(index)
        return np.zeros((2, 2, 3), np.uint8)

    write_images(tmp_path / "inputs.npy", 3, image, STEPS, "test")
    assert opened == {0, 1, 2}
