"""``micronet-verify data``: what is found, counted and compared, and what is missing, in words."""

from __future__ import annotations

from hashlib import md5, sha1
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from micronet_verify.cli import main
from micronet_verify.track.library import spec_folder
from tests.quality.datasets.test_wikitext103 import TEXTS
from tests.quality.published import cifar_images, cifar_pickle, tarred, written
from tests.quality.small import small_track

PIXELS, FINE, COARSE = cifar_images(12)
PICKLE = cifar_pickle(PIXELS, FINE, COARSE)


@pytest.fixture
def tracks(tmp_path: Path) -> Path:
    """A folder with the track ``small``: CIFAR-100 with twelve images."""
    return small_track(tmp_path, correct=6, md5=md5(PICKLE).hexdigest())


def data(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["data", *map(str, arguments)], env={"COLUMNS": "300"})


def test_a_complete_data_set(root: Path, tracks: Path) -> None:
    written(root / "cifar-100-python" / "test", PICKLE)
    done = data("small", "--tracks", tracks, "--data", root)
    assert done.output.splitlines() == [
        f"Data sets are looked for in {root}",
        "",
        "Twelve images (small): cifar100, split test",
        "found   12 examples in cifar-100-python/test",
        f"found   12 labels of {len(set(FINE))} classes, the label map of 100 classes in sorted order",
        f"found   cifar-100-python/test is as published (md5 {md5(PICKLE).hexdigest()[:12]}…, 12 examples)",
    ]
    assert done.exit_code == 0


def test_a_file_that_is_not_the_published_one(root: Path, tracks: Path) -> None:
    written(root / "cifar-100-python" / "test", cifar_pickle(PIXELS, FINE[::-1], COARSE))
    tarred(root / "cifar-100-python.tar.gz", {"cifar-100-python/test": PICKLE})
    done = data("--tracks", tracks, "--data", root)
    assert f"should be {md5(PICKLE).hexdigest()[:12]}…, as the track file has it [cifar-100-python/test]" in done.output
    assert (
        "should be eb9058c3a382…, as the track file has it [cifar-100-python.tar.gz] (it is damaged, or a different file: download"
        in done.output
    )
    assert done.exit_code == 3


def test_missing_data_are_named_with_their_place(root: Path) -> None:
    done = data("--data", root)
    lines = done.output.splitlines()
    told = [line for line in lines if line.startswith("missing ")]
    assert [line.split(" of ")[1].split(" but ")[0] for line in told] == ["cifar100", "imagenet", "wikitext103"]
    assert all(f"[{root}] (its entries are skipped and stay unranked)" in line for line in told)
    assert "found   500 examples in scikit-learn's digits.csv.gz" in lines
    assert done.exit_code == 0  # nothing that is there is wrong
    assert data("imagenet", "--data", root).exit_code == 3  # asked for, and not there


def test_without_a_folder() -> None:
    done = data("cifar100")
    assert done.output.startswith("No folder of data sets is named.\n")
    assert "missing got no folder of data sets, from which cifar100 is read, but should be named (name the folder of" in done.output
    assert done.exit_code == 3


def test_wrong_usage(root: Path) -> None:
    done = data("--data", root / "gone")
    assert done.output == f"Error: got the folder of data sets '{root / 'gone'}' but should be a directory that exists\n"
    assert done.exit_code == 2
    assert data("cifar10", "--data", root).exit_code == 2


def test_texts_are_counted_without_their_training_text(root: Path, tmp_path: Path) -> None:
    text = (spec_folder() / "wikitext103.yaml").read_text(encoding="utf-8").replace("name: wikitext103\ntitle", "name: words\ntitle")
    text = text.replace("245569", "13").replace("217646", "5")
    for split, published in (("valid", "c326ac59dc587676d58c422eb8a03e119582f92b"), ("test", "8a5befc548865cec54ed4273cf87dbbad60d1e47")):
        raw = TEXTS[f"wiki.{split}.tokens"]
        written(root / "wikitext-103" / f"wiki.{split}.tokens", raw)
        text = text.replace(published, sha1(raw).hexdigest())
    written(tmp_path / "tracks" / "words.yaml", text.encode())
    lines = data("words", "--tracks", tmp_path / "tracks", "--data", root).output.splitlines()
    assert lines[3] == "found   13 examples in wikitext-103/wiki.test.tokens"
    assert lines[4].startswith("missing got no file wiki.train.tokens of wikitext103 but should be wikitext-103/wiki.train.tokens, ")
    assert [line.partition(" is as published")[0] for line in lines[5:]] == [
        "found   wikitext-103/wiki.valid.tokens",
        "found   wikitext-103/wiki.test.tokens",
    ]
    assert lines[5].endswith(", 5 examples)")
