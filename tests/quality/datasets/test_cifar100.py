"""CIFAR-100 in its four published forms: the same images, inputs and labels from each."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from hashlib import md5
from pathlib import Path

import numpy as np
import pytest

from micronet_verify.errors import BenchFault, SpecError
from micronet_verify.facts.data import ANYTHING, Expected, KnownFile, Preprocessing
from micronet_verify.framework.data import DatasetMissing
from micronet_verify.framework.requests import Home, OpenRequest
from micronet_verify.quality.inputs.prepare import prepare
from micronet_verify.quality.labels import labels
from micronet_verify.quality.registry import readers
from micronet_verify.track.library import load_track
from tests.quality.published import Python2, cifar_images, cifar_pickle, cifar_records, tarred, written

COUNT = 12
PIXELS, FINE, COARSE = cifar_images(COUNT)
UNIT, NORMAL = load_track("cifar100").dataset.steps
PICKLE, RECORDS = cifar_pickle(PIXELS, FINE, COARSE), cifar_records(PIXELS, FINE, COARSE)

FORMS: dict[str, Callable[[Path], Path]] = {
    "python": lambda root: written(root / "cifar-100-python" / "test", PICKLE),
    "binary": lambda root: written(root / "cifar-100-binary" / "test.bin", RECORDS),
    "python archive": lambda root: tarred(
        root / "cifar-100-python.tar.gz", {"cifar-100-python/meta": b"", "cifar-100-python/test": PICKLE, "cifar-100-python/train": b""}
    ),
    "binary archive": lambda root: tarred(root / "cifar-100-binary.tar.gz", {"./cifar-100-binary/test.bin": RECORDS}),
    "python in a folder": lambda root: written(root / "cifar" / "cifar-100-python" / "test", PICKLE),
}


def fault(root: Path, tmp_path: Path, expected: Expected = ANYTHING) -> str:
    with pytest.raises(BenchFault) as caught:  # noqa: PT012  whichever finds it
        prepare("cifar100", "test", UNIT, tmp_path / "kept", expected, root)
        labels("cifar100", "test", expected, root, tmp_path / "kept")
    assert not isinstance(caught.value, DatasetMissing)
    return str(caught.value)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_inputs_and_labels(form: str, root: Path, tmp_path: Path) -> None:
    FORMS[form](root)
    prepared = prepare("cifar100", "test", UNIT, tmp_path / "kept", Expected(COUNT, 100), root)
    inputs = np.load(prepared.path, allow_pickle=False)
    assert (prepared.examples, prepared.shape, prepared.scaling) == (COUNT, (COUNT, 3, 32, 32), None)
    assert inputs.dtype == np.float32
    assert np.array_equal(inputs, PIXELS.reshape(-1, 3, 32, 32).astype(np.float32) / np.float32(255))
    assert labels("cifar100", "test", Expected(COUNT, 100), root).tolist() == FINE


def test_mean_and_deviation_are_those_of_the_usual_pipeline(root: Path, tmp_path: Path) -> None:
    FORMS["python"](root)
    inputs = np.load(prepare("cifar100", "test", NORMAL, tmp_path, root=root).path)
    mean, deviation = (np.array(numbers, np.float32)[:, None, None] for numbers in ([0.5071, 0.4865, 0.4409], [0.2673, 0.2564, 0.2762]))
    assert np.array_equal(inputs, (PIXELS.reshape(-1, 3, 32, 32).astype(np.float32) / np.float32(255) - mean) / deviation)


def test_a_folder_comes_before_an_archive_and_python_before_binary(root: Path, tmp_path: Path) -> None:
    for form in ("binary archive", "python archive", "binary", "python"):
        path = FORMS[form](root)
        assert readers()["cifar100"].open(OpenRequest("test", ANYTHING, Home(root, tmp_path))).files == (path,)


def test_a_published_digest_is_compared(root: Path, tmp_path: Path) -> None:
    path = FORMS["python"](root)
    right = KnownFile("cifar-100-python/test", "md5", md5(path.read_bytes()).hexdigest())
    prepare("cifar100", "test", UNIT, tmp_path / "a", Expected(files=(right,)), root)
    told = fault(root, tmp_path, Expected(files=(replace(right, digest="0" * 32),)))
    assert told == (
        f"got a file of md5 {right.digest[:12]}… but should be 000000000000…, as the track file has it [cifar-100-python/test] "
        "(it is damaged, or a different file: download it again)"
    )


def test_missing(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetMissing) as caught:
        prepare("cifar100", "test", UNIT, tmp_path, root=root)
    assert str(caught.value) == (
        "got no files of cifar100 but should be cifar-100-python/test, cifar-100-binary/test.bin, cifar-100-python.tar.gz or "
        f"cifar-100-binary.tar.gz, there or in a folder directly in it [{root}] (its entries are skipped and stay unranked)"
    )
    with pytest.raises(DatasetMissing, match=r"^got the folder of data sets '.*gone' but should be a directory that exists \[cifar100\]"):
        prepare("cifar100", "test", UNIT, tmp_path, root=root / "gone")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (PICKLE[:-5000], "got a pickle that ends too early but should hold numbers, texts, lists and arrays of numbers only "
         "[cifar-100-python/test, byte 566] (nothing of it was executed)"),  # where the bytes of the images begin
        (b"garbage", "got a pickle with the opcode 0x67, which data does not need, but should hold "),
        (PICKLE.replace(b"numpy.core.multiarray\n_reconstruct", b"os\nsystem"), "got a pickle that calls os.system but should "),
        (Python2().dump([1]), "got a pickle of a list but should be of a dict with 'data' and 'fine_labels' [cifar-100-python/test]"),
        (Python2().dump({"data": [1], "fine_labels": [1]}), "got no array under 'data' but should be uint8 of shape (images, 3,072) "
         "[cifar-100-python/test]"),
        (Python2().dump({"data": PIXELS[:, :3000], "fine_labels": FINE}), "got 'data' of shape (12, 3000) and type uint8 but should be"),
        (Python2().dump({"data": PIXELS, "labels": FINE}), "got no list of numbers under 'fine_labels' but should have the class of each"),
        (cifar_pickle(PIXELS, FINE[:-1], COARSE), "got 11 classes for 12 images but should be one for each [cifar-100-python/test]"),
        (cifar_pickle(PIXELS, [*FINE[:-1], 100], COARSE), "got the class 100 for image 11 but should be 0 to 99 [cifar-100-python/test]"),
    ],
    ids=["short", "garbage", "call", "list", "no array", "shape", "no classes", "too few classes", "class"],
)  # fmt: skip
def test_a_corrupted_pickle(data: bytes, sentence: str, root: Path, tmp_path: Path) -> None:
    written(root / "cifar-100-python" / "test", data)
    assert fault(root, tmp_path).startswith(sentence)


def test_short_records(root: Path, tmp_path: Path) -> None:
    written(root / "cifar-100-binary" / "test.bin", RECORDS[:-1])
    assert fault(root, tmp_path) == (
        f"got {COUNT * 3074 - 1:,} bytes, which end in the middle of record 11, but should be records of 1 + 1 + 3·32·32 = 3,074 bytes "
        "[cifar-100-binary/test.bin] (download it again)"
    )


def test_damaged_archives(root: Path, tmp_path: Path) -> None:
    path = FORMS["python archive"](root)
    path.write_bytes(path.read_bytes()[:-2000])
    assert fault(root, tmp_path).startswith("got an archive that cannot be read (")
    path.write_bytes(gzip.compress(b"no tar"))
    assert fault(root, tmp_path).endswith("but should be a .tar.gz file [cifar-100-python.tar.gz] (download it again)")
    tarred(path, {"cifar-100-python/train": PICKLE})
    assert fault(root, tmp_path) == "got an archive without cifar-100-python/test but should have it [cifar-100-python.tar.gz]"


def test_another_number_of_images(root: Path, tmp_path: Path) -> None:
    FORMS["python"](root)
    assert fault(root, tmp_path, Expected(10_000)) == (
        "got 12 examples of cifar100 but should be 10,000, as the track says [cifar-100-python/test] "
        "(it is a different data set, or incomplete)"
    )


NAMES = tuple(f"class{number:02d}" for number in range(100))


@pytest.mark.parametrize("form", ["python", "binary"])
def test_a_wrong_label_map(form: str, root: Path, tmp_path: Path) -> None:
    FORMS[form](root)
    swapped = [NAMES[1], NAMES[0], *NAMES[2:]]
    for names, right in ((list(NAMES), True), (swapped, False)):
        if form == "python":
            written(root / "cifar-100-python" / "meta", Python2().dump({"fine_label_names": names, "coarse_label_names": ["x"]}))
        else:
            written(root / "cifar-100-binary" / "fine_label_names.txt", "\n".join([*names, ""]).encode())
        if right:
            prepare("cifar100", "test", UNIT, tmp_path / "a", Expected(labels=NAMES), root)
            continue
        place = "cifar-100-python/meta" if form == "python" else "cifar-100-binary/fine_label_names.txt"
        told = fault(root, tmp_path, Expected(labels=NAMES))
        assert told == f"got class 0 named 'class01' but should be 'class00', as in the track's label map [{place}]"


def test_an_exchanged_file_is_read_anew(root: Path, tmp_path: Path) -> None:
    FORMS["binary"](root)
    before = prepare("cifar100", "test", UNIT, tmp_path, root=root)
    other = cifar_images(5, seed=1)
    written(root / "cifar-100-binary" / "test.bin", cifar_records(*other))
    after = prepare("cifar100", "test", UNIT, tmp_path, root=root)
    assert (before.examples, after.examples) == (COUNT, 5)
    assert before.sha256 != after.sha256
    assert labels("cifar100", "test", root=root).tolist() == other[1]


def test_preparing_again_reads_no_image(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FORMS["python"](root)
    first = prepare("cifar100", "test", UNIT, tmp_path, root=root)
    monkeypatch.setattr("micronet_verify.quality.inputs.prepare.write_images", None)
    assert prepare("cifar100", "test", UNIT, tmp_path, root=root) == first
    with pytest.raises(TypeError):  # other steps are another file
        prepare("cifar100", "test", NORMAL, tmp_path, root=root)


def test_steps_must_be_spelled(root: Path, tmp_path: Path) -> None:
    FORMS["python"](root)
    with pytest.raises(SpecError) as caught:
        prepare("cifar100", "test", "unit-interval", tmp_path, root=root)
    assert str(caught.value) == "got the preprocessing 'unit-interval' of cifar100 but should give its steps in the track file"


def test_the_official_steps_are_frozen() -> None:
    """A preprocessing never changes its meaning: other steps get another name."""
    assert Preprocessing("unit-interval", scale=Fraction(255)) == UNIT
    assert Preprocessing("x", scale=Fraction(255), mean=NORMAL.mean, deviation=NORMAL.deviation) == replace(NORMAL, name="x")
    assert [str(number) for number in (*NORMAL.mean, *NORMAL.deviation)] == [
        "5071/10000", "973/2000", "4409/10000", "2673/10000", "641/2500", "1381/5000"
    ]  # fmt: skip


def test_ten_thousand_images_of_the_real_size_and_layout(root: Path, tmp_path: Path) -> None:
    """The published test file has 10,000 records: as large as here, to the byte."""
    pixels, fine, coarse = cifar_images(10_000)
    path = written(root / "cifar-100-python" / "test", cifar_pickle(pixels, fine, coarse))
    assert path.stat().st_size > 10_000 * 3072
    expected = Expected(10_000, 100)
    prepared = prepare("cifar100", "test", UNIT, tmp_path, expected, root)
    inputs = np.load(prepared.path, mmap_mode="r")
    assert np.array_equal(inputs[9_999].reshape(-1) * 255, pixels[9_999].astype(np.float32) / np.float32(255) * 255)
    assert labels("cifar100", "test", expected, root).tolist() == fine
