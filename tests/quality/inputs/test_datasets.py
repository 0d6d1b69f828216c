from __future__ import annotations

import ast
import gzip
import hashlib
import importlib.util
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from micronet_verify.errors import BenchFault, SpecError
from micronet_verify.quality.datasets import digits
from micronet_verify.quality.inputs.prepare import DatasetMissing, prepare
from micronet_verify.quality.labels import labels

ROOM = Path(digits.__file__).parent


def test_the_test_split_is_the_last_500_of_scikit_learns_digits(tmp_path: Path) -> None:
    truth = load_digits()
    prepared = prepare("digits", "test", "divide-by-16", tmp_path)
    inputs = np.load(prepared.path, allow_pickle=False)
    assert (prepared.examples, prepared.shape) == (500, (500, 1, 8, 8))
    assert inputs.dtype == np.float32
    assert np.array_equal(inputs, (truth.images[-500:] / 16).astype(np.float32)[:, None])
    assert np.array_equal(labels("digits", "test"), truth.target[-500:])


def test_train_and_test_are_apart_and_together_are_all(tmp_path: Path) -> None:
    truth = load_digits()
    train = np.load(prepare("digits", "train", "divide-by-16", tmp_path).path)
    assert len(train) == 1797 - 500
    assert np.array_equal(train * 16, truth.images[:-500, None])
    assert np.array_equal(labels("digits", "train"), truth.target[:-500])


def test_a_prepared_file_is_found_again_by_its_digest(tmp_path: Path) -> None:
    first = prepare("digits", "test", "divide-by-16", tmp_path)
    made = first.path.stat().st_mtime_ns
    assert first.sha256 == hashlib.sha256(first.path.read_bytes()).hexdigest()
    assert prepare("digits", "test", "divide-by-16", tmp_path) == first
    assert first.path.stat().st_mtime_ns == made


@pytest.mark.parametrize("damage", ["inputs", "record", "no record"])
def test_a_damaged_prepared_file_is_made_again(tmp_path: Path, damage: str) -> None:
    first = prepare("digits", "test", "divide-by-16", tmp_path)
    if damage == "inputs":
        first.path.chmod(0o644)
        first.path.write_bytes(first.path.read_bytes()[:-1] + b"\x01")
    elif damage == "record":
        first.path.with_suffix(".json").write_text("[")
    else:
        first.path.with_suffix(".json").unlink()
    assert prepare("digits", "test", "divide-by-16", tmp_path) == first
    assert hashlib.sha256(first.path.read_bytes()).hexdigest() == first.sha256


def test_many_may_prepare_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: prepare("digits", "test", "divide-by-16", tmp_path), range(8)))
    assert len(found) == 1
    assert len(list((tmp_path / "digits").iterdir())) == 2  # the file and its record, no drafts


@pytest.mark.parametrize(("name", "split"), [("imagenet", "validation"), ("cifar100", "test"), ("wikitext103", "test")])
def test_a_data_set_without_a_folder_is_missing(tmp_path: Path, name: str, split: str) -> None:
    sentence = (
        f"got no folder of data sets, from which {name} is read, but should be named "
        "(name the folder of data sets with --data, with MICRONET_DATA, or with data: in ~/.config/micronet-verify/config.yaml)"
    )
    for call in (lambda: prepare(name, split, "x", tmp_path), lambda: labels(name, split)):
        with pytest.raises(DatasetMissing) as caught:
            call()
        assert str(caught.value) == sentence
        assert isinstance(caught.value, BenchFault)


@pytest.mark.parametrize(
    ("dataset", "split", "preprocessing", "sentence"),
    [
        ("digit", "test", "divide-by-16", "got the data set 'digit' but should be one of digits, cifar100, imagenet, wikitext103, tales "
         "(did you mean 'digits'?)"),
        ("digits", "tset", "divide-by-16", "got the split 'tset' of digits but should be one of train, test (did you mean 'test'?)"),
        ("digits", "test", "grey", "got the preprocessing 'grey' of digits but should be one of divide-by-16"),
    ],
)  # fmt: skip
def test_unknown_names_are_the_organizers_fault(tmp_path: Path, dataset: str, split: str, preprocessing: str, sentence: str) -> None:
    with pytest.raises(SpecError) as caught:
        prepare(dataset, split, preprocessing, tmp_path)
    assert str(caught.value) == sentence


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where scikit-learn's digits are looked for: an empty folder."""
    spec = ModuleSpec("sklearn", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    monkeypatch.setattr(digits, "lines", digits.lines.__wrapped__)
    folder = tmp_path / "datasets" / "data"
    folder.mkdir(parents=True)
    return folder / "digits.csv.gz"


def test_digits_that_are_not_there(elsewhere: Path) -> None:
    with pytest.raises(BenchFault, match=r"^got digits that cannot be read \(.*\) but should be scikit-learn's digits.csv.gz$"):
        digits.lines()


def test_other_digits_are_refused(elsewhere: Path) -> None:
    elsewhere.write_bytes(gzip.compress(b"0,0\n"))
    found = hashlib.sha256(b"0,0\n").hexdigest()[:12]
    with pytest.raises(BenchFault) as caught:
        digits.lines()
    assert str(caught.value) == (
        f"got digits of SHA-256 {found}… but should be 6ebb3d2fee24… [digits.csv.gz] (another scikit-learn may help)"
    )


def test_no_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BenchFault) as caught:
        digits.lines.__wrapped__()
    assert str(caught.value) == "got no scikit-learn, whose files hold the digits but should be installed (pip install scikit-learn)"


def test_preparing_imports_no_scikit_learn(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from micronet_verify.quality.inputs.prepare import prepare; "
        f"prepare('digits', 'test', 'divide-by-16', pathlib.Path({str(tmp_path)!r})); "
        "print([name for name in ('sklearn', 'micronet_verify.quality.labels') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOM.parents[2])
    assert done.stdout.strip() == "[]"


def test_only_one_module_asks_for_labels() -> None:
    asking = [path.name for path in sorted(ROOM.parents[1].rglob("*.py")) for node in ast.walk(ast.parse(path.read_text()))
              if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "labels"]  # fmt: skip
    assert asking == ["labels.py"]
