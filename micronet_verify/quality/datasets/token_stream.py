"""Text as token ids: the vocabulary of a training text, and a split as a stream.

A token is what stands between spaces; every line ends with the token ``<eos>``, empty lines too. Ids are by number of
occurrences in the training text, most first and in order of first occurrence among equals, after ``<eos>``, which is 0 (as
in Transformer-XL's release). A word that the training text does not have is ``<unk>``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import BenchFault, Problem

EOS, UNKNOWN = b"<eos>", b"<unk>"
# The one preprocessing of a text. A prepared stream is found again by ``STREAM``: raise it where rows change.
PREPROCESSING = "word-ids"
STREAM = "stream 2"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words by id, and ids by word."""

    words: tuple[bytes, ...]
    ids: Mapping[bytes, int]

    @classmethod
    def of(cls, words: Iterable[bytes]) -> Vocabulary:
        listed = tuple(words)
        return cls(listed, {word: place for place, word in enumerate(listed)})

    def __len__(self) -> int:
        return len(self.words)


def build_vocabulary(lines: Iterable[bytes]) -> Vocabulary:
    """The vocabulary of a training text. Reads it once, a line at a time."""
    counts: Counter[bytes] = Counter()
    for line in lines:
        counts.update(line.split())
    counts.pop(EOS, None)
    # Sorting keeps the order of first occurrence among equals.
    return Vocabulary.of([EOS, *(word for word, _ in sorted(counts.items(), key=lambda item: -item[1]))])


def write_vocabulary(vocabulary: Vocabulary, path: Path) -> None:
    path.write_bytes(b"".join(word + b"\n" for word in vocabulary.words))


def read_vocabulary(path: Path) -> Vocabulary:
    return Vocabulary.of(path.read_bytes().split(b"\n")[:-1])


def count_tokens(lines: Iterable[bytes]) -> tuple[int, int]:
    """Tokens, one ``<eos>`` per line among them, and lines."""
    sizes = [len(line.split()) + 1 for line in lines]
    return sum(sizes), len(sizes)


def token_ids(lines: Iterable[bytes], vocabulary: Vocabulary, where: str) -> NDArray[np.int64]:
    """The text as ids, [tokens]. Raises ``BenchFault`` for a strange word where the vocabulary has no ``<unk>``, with its line."""
    ids, unknown, found = vocabulary.ids, vocabulary.ids.get(UNKNOWN), list[int]()
    for number, line in enumerate(lines, 1):
        for word in line.split():
            place = ids.get(word, unknown)
            if place is None:
                got = f"the word {word[:40].decode('utf-8', 'replace')!r}"
                raise BenchFault(Problem(got, "be in the vocabulary, which has no <unk>", f"{where}:{number}"))
            found.append(place)
        found.append(ids[EOS])
    return np.array(found, np.int64)


def stream(ids: NDArray[np.int64], vocabulary: Vocabulary) -> NDArray[np.int64]:
    """The text as it is fed, [tokens + 1, 1]: ``<eos>``, then every token.

    Row i is what a model sees last before it predicts row i + 1; the last row is predicted and never fed.
    """
    return np.concatenate([[vocabulary.ids[EOS]], ids]).astype(np.int64)[:, None]


def check_stream(fed: NDArray[np.int64], tokens: NDArray[np.int64], where: str) -> None:
    """Raise ``BenchFault`` unless the stream ``fed`` is of the ``tokens`` that are to be predicted."""
    if fed.shape != (len(tokens) + 1, 1) or not np.array_equal(fed[1:, 0], tokens):
        should = f"be a first token and then the {len(tokens):,} tokens that are to be predicted, [{len(tokens) + 1}, 1]"
        raise BenchFault(Problem(f"a text of shape {fed.shape} that was fed", should, where))
