"""The ImageNet validation set in its published forms, small: three of its synsets, seven images."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from micronet_verify.errors import BenchFault, MicronetError
from micronet_verify.facts.data import ANYTHING, Expected, KnownFile
from micronet_verify.framework.data import DatasetMissing
from micronet_verify.quality.inputs.prepare import prepare
from micronet_verify.quality.labels import labels
from micronet_verify.track.library import load_track
from tests.quality.published import SORTED, SYNSETS, tarred, validation_images, validation_name, written

COUNT = 7
IMAGES = validation_images(COUNT)
IDS = [1, 3, 2, 2, 1, 3, 3]  # the ground truth: ILSVRC2012 ids, which are places in SYNSETS from 1
EXPECTED = Expected(COUNT, 3, SYNSETS)
STEPS = replace(load_track("imagenet").dataset.steps[0], resize=32, crop=28)
TRUTH = "".join(f"{number}\n" for number in IDS).encode()
DEVKIT, GROUND = "ILSVRC2012_devkit_t12", "ILSVRC2012_validation_ground_truth.txt"


def meta(synsets: tuple[str, ...] = SYNSETS) -> bytes:
    """``meta.mat`` of the devkit: leaf synsets first, then groups, which have ids too."""
    rows = np.zeros((len(synsets) + 1, 1), dtype=[("ILSVRC2012_ID", object), ("WNID", object), ("words", object), ("num_children", object)])
    for place, name in enumerate((*synsets, "n00001740")):
        rows[place, 0] = (place + 1, name, f"word {place}", 0 if place < len(synsets) else 3)
    made = io.BytesIO()
    savemat(made, {"synsets": rows})
    return made.getvalue()


def folders(root: Path, ids: list[int] = IDS, name: str = "val") -> Path:
    for number, (image, data) in enumerate(IMAGES.items()):
        written(root / name / SYNSETS[ids[number] - 1] / image, data)
    return root / name


def flat_tar(root: Path, prefix: str = "", images: Mapping[str, bytes] = IMAGES) -> Path:
    shuffled = dict(sorted(images.items(), key=lambda item: sha256(item[0].encode()).digest()))
    return tarred(root / "ILSVRC2012_img_val.tar", {f"{prefix}{name}": data for name, data in shuffled.items()}, "w:")


def devkit(root: Path, truth: bytes = TRUTH, synsets: tuple[str, ...] = SYNSETS) -> Path:
    members = {f"{DEVKIT}/readme.txt": b"", f"{DEVKIT}/data/{GROUND}": truth, f"{DEVKIT}/data/meta.mat": meta(synsets)}
    return tarred(root / f"{DEVKIT}.tar.gz", members)


def tar_and_archive(root: Path) -> None:
    flat_tar(root)
    devkit(root)


def tar_and_text(root: Path) -> None:
    flat_tar(root, "./")
    written(root / GROUND, TRUTH)


def flat_folder_and_unpacked_devkit(root: Path) -> None:
    for name, data in IMAGES.items():
        written(root / "imagenet" / "val" / name, data)
    written(root / DEVKIT / "data" / GROUND, TRUTH)
    written(root / DEVKIT / "data" / "meta.mat", meta())


def folders_and_archive(root: Path) -> None:
    folders(root)
    devkit(root)


FORMS: dict[str, Callable[[Path], object]] = {
    "class folders": folders,
    "class folders and devkit": folders_and_archive,
    "tar and devkit archive": tar_and_archive,
    "tar and ground truth": tar_and_text,
    "flat folder and unpacked devkit": flat_folder_and_unpacked_devkit,
}


def fault(root: Path, tmp_path: Path, expected: Expected = EXPECTED) -> MicronetError:
    with pytest.raises(BenchFault) as caught:  # noqa: PT012  whichever finds it
        prepare("imagenet", "validation", STEPS, tmp_path / "kept", expected, root)
        labels("imagenet", "validation", expected, root)
    return caught.value


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_inputs_and_labels(form: str, root: Path, tmp_path: Path) -> None:
    folders(tmp_path / "reference")
    first = prepare("imagenet", "validation", STEPS, tmp_path / "a", EXPECTED, tmp_path / "reference")
    FORMS[form](root)
    prepared = prepare("imagenet", "validation", STEPS, tmp_path / "b", EXPECTED, root)
    assert (prepared.sha256, prepared.shape) == (first.sha256, (COUNT, 3, 28, 28))
    by_sorted_name = [SORTED.index(SYNSETS[number - 1]) for number in IDS]
    assert labels("imagenet", "validation", EXPECTED, root).tolist() == by_sorted_name
    listed = replace(EXPECTED, label_order="listed")
    assert labels("imagenet", "validation", listed, root).tolist() == [number - 1 for number in IDS]


def test_both_orders_differ_here() -> None:
    """Otherwise the tests above would see no difference between them."""
    assert sorted(SYNSETS) == list(SORTED)
    assert tuple(SORTED) != SYNSETS


def test_images_are_in_the_order_of_their_names(root: Path, tmp_path: Path) -> None:
    tar_and_text(root)
    inputs = np.load(prepare("imagenet", "validation", STEPS, tmp_path, EXPECTED, root).path)
    alone = tmp_path / "alone"
    flat_tar(alone, images={validation_name(5): IMAGES[validation_name(5)]})
    written(alone / GROUND, b"1\n")
    fifth = np.load(prepare("imagenet", "validation", STEPS, tmp_path, Expected(1, 3, SYNSETS), alone).path)
    assert np.array_equal(inputs[4], fifth[0])


def test_without_a_label_map_the_devkit_and_the_folders_speak(root: Path, tmp_path: Path) -> None:
    by_sorted_name = [SORTED.index(SYNSETS[number - 1]) for number in IDS]
    nothing = Expected(COUNT, 3)
    folders(root)
    assert labels("imagenet", "validation", nothing, root).tolist() == by_sorted_name
    other = tmp_path / "other"
    tar_and_archive(other)
    assert labels("imagenet", "validation", nothing, other).tolist() == by_sorted_name
    bare = tmp_path / "bare"
    tar_and_text(bare)
    with pytest.raises(BenchFault) as caught:
        labels("imagenet", "validation", nothing, bare)
    assert str(caught.value) == f"got a ground truth without meta.mat but should have it, because the track has no label map [{GROUND}]"
    with pytest.raises(BenchFault, match="have one, because its classes are in listed order"):
        labels("imagenet", "validation", replace(nothing, label_order="listed"), root)


def test_wrong_class_folders(root: Path, tmp_path: Path) -> None:
    folders(root)
    (root / "val" / SYNSETS[0]).rename(root / "val" / "n99999999")
    assert str(fault(root, tmp_path)) == (
        "got class folders with n99999999 that it does not know, n02119789 missing but should be those of the track's label map [val]"
    )
    assert str(fault(root, tmp_path, Expected(COUNT, 4))) == "got 3 class folders but should be 4 as the track says [val]"


def test_an_image_in_the_wrong_folder(root: Path, tmp_path: Path) -> None:
    folders(root, [1, 3, 2, 3, 1, 3, 3])
    devkit(root)
    assert str(fault(root, tmp_path)) == (
        f"got the image {validation_name(4)} in the folder n02110185 but should be in n02100735, as {DEVKIT}.tar.gz: {GROUND} says [val] "
        "(1 of 7 images differ: one of both is wrong)"
    )


def test_a_devkit_with_another_label_map(root: Path, tmp_path: Path) -> None:
    flat_tar(root)
    devkit(root, synsets=SORTED)
    assert str(fault(root, tmp_path)) == (
        f"got the synset n02100735 as id 1 but should be n02119789, as in the track's label map [{DEVKIT}.tar.gz: meta.mat]"
    )


@pytest.mark.parametrize(
    ("truth", "sentence"),
    [
        (TRUTH[:-2], f"got 6 classes for 7 images but should be one for each [{GROUND}]"),
        (TRUTH.replace(b"2", b"4", 1), f"got the class '4' but should be an id from 1 to 3 [{GROUND}:3]"),
        (b"0\n" + TRUTH, f"got the class '0' but should be an id from 1 to 3 [{GROUND}:1]"),
        (b"\xff\n", f"got the class '\ufffd' but should be an id from 1 to 3 [{GROUND}:1]"),
    ],
)
def test_a_wrong_ground_truth(truth: bytes, sentence: str, root: Path, tmp_path: Path) -> None:
    flat_tar(root)
    written(root / GROUND, truth)
    assert str(fault(root, tmp_path)) == sentence


def test_a_truncated_image_is_named(root: Path, tmp_path: Path) -> None:
    images = {**IMAGES, validation_name(3): IMAGES[validation_name(3)][:-200]}
    flat_tar(root, images=images)
    written(root / GROUND, TRUTH)
    told = str(fault(root, tmp_path))
    assert told.startswith("got an image that cannot be decoded (image file is truncated (")
    assert told.endswith(f"but should be a whole JPEG file [ILSVRC2012_img_val.tar/{validation_name(3)}]")
    other = tmp_path / "other"
    path = folders(other) / SYNSETS[IDS[2] - 1] / validation_name(3)
    path.write_bytes(images[path.name])
    assert str(fault(other, tmp_path)).endswith(f"but should be a whole JPEG file [val/{SYNSETS[IDS[2] - 1]}/{path.name}]")
    assert not list((tmp_path / "kept" / "imagenet").iterdir())  # nothing half made is left


def test_damaged_archives(root: Path, tmp_path: Path) -> None:
    path = flat_tar(root)
    written(root / GROUND, TRUTH)
    path.write_bytes(path.read_bytes()[:5000])
    told = str(fault(root, tmp_path))
    assert told == "got an archive that cannot be read (unexpected end of data) but should be a whole .tar file " + (
        "[ILSVRC2012_img_val.tar] (download it again)"
    )
    flat_tar(root)
    kit = devkit(root)
    kit.write_bytes(kit.read_bytes()[:200])
    assert str(fault(root, tmp_path)).startswith("got an archive that cannot be read (")
    tarred(kit, {f"{DEVKIT}/data/{GROUND}": TRUTH, f"{DEVKIT}/data/meta.mat": b"no matlab"})
    told = str(fault(root, tmp_path))
    assert told.endswith(f"but should be the devkit's [{DEVKIT}.tar.gz: meta.mat]")


def test_the_ground_truth_is_missing(root: Path, tmp_path: Path) -> None:
    flat_tar(root)
    error = fault(root, tmp_path)
    assert isinstance(error, DatasetMissing)
    assert str(error) == (
        f"got the images of imagenet in ILSVRC2012_img_val.tar without their ground truth but should be {DEVKIT}.tar.gz, "
        f"{DEVKIT}/data/{GROUND} or {GROUND}, there or in a folder directly in it [{root}] (its entries are skipped and stay unranked)"
    )


def test_the_images_are_missing(root: Path, tmp_path: Path) -> None:
    devkit(root)
    (root / "val").mkdir()
    error = fault(root, tmp_path)
    assert isinstance(error, DatasetMissing)
    assert "but should be val/ with a folder for each class or ILSVRC2012_img_val.tar, there or" in str(error)


def test_an_image_in_two_folders(root: Path, tmp_path: Path) -> None:
    folders(root)
    written(root / "val" / SYNSETS[1] / validation_name(1), IMAGES[validation_name(1)])
    told = str(fault(root, tmp_path))
    assert told == f"got the image {validation_name(1)} in the folders {SYNSETS[1]} and {SYNSETS[0]} but should be in one [val]"


def test_too_few_images(root: Path, tmp_path: Path) -> None:
    folders(root)
    (root / "val" / SYNSETS[0] / validation_name(1)).unlink()
    assert str(fault(root, tmp_path)).startswith("got 6 examples of imagenet but should be 7, as the track says [val]")


def test_an_exchanged_image_is_prepared_anew(root: Path, tmp_path: Path) -> None:
    path = folders(root) / SYNSETS[0] / validation_name(1)
    before = prepare("imagenet", "validation", STEPS, tmp_path, EXPECTED, root)
    path.write_bytes(IMAGES[validation_name(4)])
    assert prepare("imagenet", "validation", STEPS, tmp_path, EXPECTED, root).sha256 != before.sha256


def test_the_digest_of_the_tar_is_compared_when_it_is_prepared(root: Path, tmp_path: Path) -> None:
    tar_and_text(root)
    digest = sha256((root / "ILSVRC2012_img_val.tar").read_bytes()).hexdigest()
    known = KnownFile("ILSVRC2012_img_val.tar", "sha256", digest)
    prepare("imagenet", "validation", STEPS, tmp_path / "a", replace(EXPECTED, files=(known,)), root)
    told = str(fault(root, tmp_path, replace(EXPECTED, files=(replace(known, digest="f" * 64),))))
    assert told.startswith(f"got a file of sha256 {digest[:12]}… but should be ffffffffffff…, as the track file has it [ILSVRC2012_img")


def test_the_official_label_map() -> None:
    """Its digest as published with the ids, ``id TAB synset`` a line, and the first and last of both orders."""
    dataset = load_track("imagenet").dataset
    listing = "".join(f"{number}\t{name}\n" for number, name in enumerate(dataset.labels, 1))
    assert sha256(listing.encode()).hexdigest() == "33cac7974cc0bb3935c6fca46b93729c29a6481fa635e92f5f0852859aecd361"
    assert (dataset.labels[0], dataset.labels[-1], len(dataset.labels)) == ("n02119789", "n03255030", 1000)
    assert (dataset.expected.ordered_labels[0], dataset.expected.ordered_labels[-1]) == ("n01440764", "n15075141")


def test_an_unknown_split(root: Path, tmp_path: Path) -> None:
    with pytest.raises(MicronetError) as caught:
        prepare("imagenet", "test", STEPS, tmp_path, ANYTHING, root)
    assert str(caught.value) == "got the split 'test' of imagenet but should be one of validation"
