"""WikiText-103 in its published forms, small; and the real test text where it lies beside the repository."""

from __future__ import annotations

import json
import math
import shutil
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from micronet_verify.errors import BenchFault
from micronet_verify.facts.data import Expected
from micronet_verify.framework.data import DatasetMissing
from micronet_verify.quality.datasets import wikitext103
from micronet_verify.quality.datasets.token_stream import check_stream
from micronet_verify.quality.inputs.prepare import prepare
from micronet_verify.quality.labels import labels
from micronet_verify.quality.metrics.perplexity import perplexity
from micronet_verify.track.library import load_track
from tests.quality.published import written, zipped

# As the published files are: every line begins and ends with a space, and blank lines stand between paragraphs.
TRAIN = " \n = Title = \n \n the cat saw the dog . \n the dog saw <unk> @-@ é . \n".encode()
VALID = b" \n the dog . \n"
TEST = b" \n = Title = \n \n the zebra saw the cat . \n"
TEXTS = {"wiki.train.tokens": TRAIN, "wiki.valid.tokens": VALID, "wiki.test.tokens": TEST}
# <eos> first, then by number of occurrences, in order of first occurrence among equals.
WORDS = ["<eos>", "the", "=", "saw", "dog", ".", "Title", "cat", "<unk>", "@-@", "é"]
# 1 for the blank line, 4 for the title, 1, and 6 words and the end of the last line
TOKENS = 1 + 4 + 1 + 7
EXPECTED = Expected(TOKENS, len(WORDS))

FORMS: dict[str, Callable[[Path], object]] = {
    "folder": lambda root: [written(root / "wikitext-103" / name, text) for name, text in TEXTS.items()],
    "the data folder itself": lambda root: [written(root / name, text) for name, text in TEXTS.items()],
    "another folder": lambda root: [written(root / "wt103" / name, text) for name, text in TEXTS.items()],
    "zip": lambda root: zipped(root / "wikitext-103-v1.zip", {f"wikitext-103/{name}": text for name, text in TEXTS.items()}),
}


def fault(root: Path, tmp_path: Path, expected: Expected = EXPECTED) -> str:
    with pytest.raises(BenchFault) as caught:
        prepare("wikitext103", "test", "word-ids", tmp_path / "kept", expected, root)
    return str(caught.value)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_stream(form: str, root: Path, tmp_path: Path) -> None:
    FORMS[form](root)
    prepared = prepare("wikitext103", "test", "word-ids", tmp_path, EXPECTED, root)
    inputs = np.load(prepared.path, allow_pickle=False)
    tokens = "<eos> = Title = <eos> <eos> the <unk> saw the cat . <eos>".split()
    assert (prepared.shape, inputs.dtype) == ((TOKENS + 1, 1), np.int64)
    targets = labels("wikitext103", "test", EXPECTED, root, tmp_path)
    assert [WORDS[place] for place in targets] == tokens
    assert [WORDS[place] for place in inputs[:, 0]] == ["<eos>", *tokens]  # row i is seen before row i + 1 is predicted
    check_stream(inputs, targets, "test")
    with pytest.raises(BenchFault) as caught:
        check_stream(inputs[1:], targets, "wikitext103")
    assert str(caught.value) == (
        "got a text of shape (13, 1) that was fed but should be a first token and then the 13 tokens that are to be predicted, "
        "[14, 1] [wikitext103]"
    )


def test_the_vocabulary_is_built_once(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FORMS["zip"](root)
    prepare("wikitext103", "test", "word-ids", tmp_path, EXPECTED, root)
    (kept,) = (tmp_path / "wikitext103" / "vocabulary").glob("*.txt")
    assert kept.read_text(encoding="utf-8").splitlines() == WORDS
    assert json.loads(kept.with_suffix(".json").read_text())["words"] == len(WORDS)
    monkeypatch.setattr(wikitext103.token_stream, "build_vocabulary", None)
    assert prepare("wikitext103", "valid", "word-ids", tmp_path, Expected(5), root).examples == 1 + 1 + 4
    kept.chmod(0o644)
    kept.write_text("other\n", encoding="utf-8")
    with pytest.raises(TypeError):  # a damaged one is built again
        labels("wikitext103", "test", EXPECTED, root, tmp_path)


OTHER_TEXTS = {
    "short": (
        {"wiki.test.tokens": TEST[:-8]},
        "got 11 examples of wikitext103 but should be 13, as the track says [wikitext-103/wiki.test.tokens] "
        "(it is a different data set, or incomplete)",
    ),
    "another training text": (
        {"wiki.train.tokens": TRAIN[:-10]},
        "got a vocabulary of 9 words but should have 11 as the track says [wikitext-103/wiki.train.tokens] "
        "(it is a different training text, or incomplete)",
    ),
    "a strange word without <unk>": (
        {"wiki.train.tokens": TRAIN.replace(b"<unk>", b"it")},
        "got the word 'zebra' but should be in the vocabulary, which has no <unk> [wikitext-103/wiki.test.tokens:4]",
    ),
}


@pytest.mark.parametrize("other", OTHER_TEXTS)
def test_other_texts(other: str, root: Path, tmp_path: Path) -> None:
    texts, sentence = OTHER_TEXTS[other]
    for name, text in {**TEXTS, **texts}.items():
        written(root / "wikitext-103" / name, text)
    assert fault(root, tmp_path) == sentence


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_missing_text_is_named(split: str, root: Path, tmp_path: Path) -> None:
    FORMS["folder"](root)
    name = f"wiki.{split}.tokens"
    (root / "wikitext-103" / name).unlink()
    with pytest.raises(DatasetMissing) as caught:
        prepare("wikitext103", "test", "word-ids", tmp_path, EXPECTED, root)
    assert str(caught.value) == (
        f"got no file {name} of wikitext103 but should be wikitext-103/{name}, {name} or wikitext-103-v1.zip, "
        f"there or in a folder directly in it [{root}] (its entries are skipped and stay unranked)"
    )


def test_damaged_archives(root: Path, tmp_path: Path) -> None:
    path = root / "wikitext-103-v1.zip"
    written(path, b"no zip")
    assert fault(root, tmp_path).endswith("but should be a .zip file [wikitext-103-v1.zip] (download it again)")
    zipped(path, {"wikitext-103/wiki.train.tokens": TRAIN})
    assert fault(root, tmp_path) == "got an archive without wiki.test.tokens but should have it [wikitext-103-v1.zip]"
    zipped(path, {name: text * 50 for name, text in TEXTS.items()})
    data = bytearray(path.read_bytes())
    place = data.index(b"wiki.test.tokens") + 40  # inside what was deflated
    data[place : place + 20] = bytes(20)
    written(path, bytes(data))
    told = fault(root, tmp_path)
    assert told.startswith("got a text that cannot be read (")
    assert told.endswith("but should be whole [wikitext-103-v1.zip: wiki.test.tokens] (download it again)")


def test_the_last_line_may_lack_its_end(root: Path, tmp_path: Path) -> None:
    FORMS["folder"](root)
    written(root / "wikitext-103" / "wiki.test.tokens", TEST.rstrip(b"\n"))
    assert prepare("wikitext103", "test", "word-ids", tmp_path, EXPECTED, root).examples == TOKENS + 1


# --- the real text ---

REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "wikitext-103"
MIXED, SPREAD = 0.7, 0.05


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of the real texts, with the validation text in the place of the training text, which is not here."""
    if not REAL.is_dir():
        pytest.skip("the real text is not beside the repository")
    folder = tmp_path_factory.mktemp("real") / "wikitext-103"
    folder.mkdir()
    shutil.copyfile(REAL / "wiki.valid.tokens", folder / "wiki.train.tokens")
    for split in ("valid", "test"):
        shutil.copyfile(REAL / f"wiki.{split}.tokens", folder / f"wiki.{split}.tokens")
    return folder.parent


def test_totals_of_the_real_text(real: Path, tmp_path: Path) -> None:
    published = {known.name: known for known in load_track("wikitext103").dataset.files}
    for split, tokens, lines in (("test", 245_569, 4_358), ("valid", 217_646, 3_760)):
        known = published[f"wiki.{split}.tokens"]
        assert known.examples == tokens
        prepared = prepare("wikitext103", split, "word-ids", tmp_path, Expected(tokens, files=(known,)), real)  # compares the digest
        assert prepared.shape == (tokens + 1, 1)
        ids = labels("wikitext103", split, Expected(tokens), real, tmp_path)
        assert np.count_nonzero(ids == 0) == lines  # one <eos> a line


def model_of_ids(train: NDArray[np.int64], seen: NDArray[np.int64], targets: NDArray[np.int64], words: int) -> NDArray[np.float64]:
    """Log-likelihoods of the bigram model below, over arrays of ids."""
    before = np.concatenate([[0], train[:-1]])
    singles, contexts = np.bincount(train, minlength=words), np.bincount(before, minlength=words)
    pairs, counts = np.unique(before * words + train, return_counts=True)
    place = np.searchsorted(pairs, seen * words + targets).clip(max=len(pairs) - 1)
    together = np.where(pairs[place] == seen * words + targets, counts[place], 0)
    known = np.divide(together, contexts[seen], out=np.zeros(len(seen)), where=contexts[seen] > 0)
    smooth = (singles[targets] + SPREAD) / (len(train) + SPREAD * words)
    log_likelihoods: NDArray[np.float64] = np.log(np.where(contexts[seen] > 0, MIXED * known + (1 - MIXED) * smooth, smooth))
    return log_likelihoods


def model_of_words(train: str, test: str) -> float:
    """The same model over words, a line and a word at a time, and its perplexity: no ids, no arrays, no judge."""

    def tokens(text: str) -> list[str]:
        return [token for line in text.split("\n")[:-1] for token in [*line.split(), "<eos>"]]

    learned = tokens(train)
    singles, vocabulary = Counter(learned), set(learned)
    contexts, pairs = Counter(["<eos>", *learned[:-1]]), Counter(zip(["<eos>", *learned[:-1]], learned, strict=True))
    last, surprise, count = "<eos>", [], 0
    for token in tokens(test):
        word = token if token in vocabulary else "<unk>"
        likely = (singles[word] + SPREAD) / (len(learned) + SPREAD * len(vocabulary))
        if contexts[last]:
            likely = MIXED * (pairs[last, word] / contexts[last]) + (1 - MIXED) * likely
        surprise.append(-math.log(likely))
        last, count = word, count + 1
    return math.exp(math.fsum(surprise) / count)


def test_perplexity_of_a_bigram_model_on_the_real_text(real: Path, tmp_path: Path) -> None:
    """Learned from the validation text; what the judge's pieces find and a straight-line computation over words agree to 1e-9."""
    learned = labels("wikitext103", "train", root=real, folder=tmp_path)
    prepared = prepare("wikitext103", "test", "word-ids", tmp_path, Expected(245_569), real)
    (kept,) = (tmp_path / "wikitext103" / "vocabulary").glob("*.json")
    words = json.loads(kept.read_text())["words"]
    seen = np.load(prepared.path, allow_pickle=False)[:-1, 0]
    targets = labels("wikitext103", "test", Expected(245_569, words), real, tmp_path)
    found = perplexity(model_of_ids(learned, seen, targets, words), Fraction(35))
    texts = [(real / "wikitext-103" / f"wiki.{split}.tokens").read_text(encoding="utf-8") for split in ("train", "test")]
    alone = model_of_words(*texts)
    assert abs(float(found.value) - alone) <= 1e-9 * alone
    assert 100 < alone < 1000  # it has learned something, and little
    assert found.of == 245_569
    assert not found.met
    assert found.margin == f"{alone - 35:.2f} perplexity above"
