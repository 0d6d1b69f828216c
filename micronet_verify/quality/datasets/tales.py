"""Little tales: the embedded text, which is generated here and needs no download.

One line is one tale of an animal and a person. What comes late depends on what came early (who was met, what kind of animal it is), so a
model with a memory foretells it better than one without. Whole numbers alone decide: the text is the same on every machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from micronet_verify.framework.data import Split
from micronet_verify.framework.requests import OpenRequest
from micronet_verify.quality.datasets import token_stream

TRAIN, TEST = 2_000, 300
SPLITS: Mapping[str, tuple[int, int]] = MappingProxyType({"train": (0, TRAIN), "test": (TRAIN, TRAIN + TEST)})
SEED = 2019
TIMES = ("one day", "one night", "in spring", "in winter")
PEOPLE = ("ada", "ben", "cleo", "dan", "eve")
KINDS = ("small", "wise", "brave", "grey")
FEELINGS = ("happy", "proud", "tired")
# animal: what it eats, what it does when it is pleased
ANIMALS = (
    ("cat", "fish", "purred"),
    ("dog", "bone", "barked"),
    ("bird", "seed", "sang"),
    ("fox", "berry", "danced"),
    ("bear", "honey", "hummed"),
)


class Dice:
    """A linear congruential generator of 64 bits (the multiplier and increment of Knuth's MMIX)."""

    def __init__(self, seed: int) -> None:
        self._state = seed

    def below(self, count: int) -> int:
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        return (self._state >> 33) % count

    def one_of(self, words: Sequence[str]) -> str:
        return words[self.below(len(words))]


def tale(dice: Dice) -> str:
    """Three to five sentences; one food in eight is another animal's."""
    animal, food, pleased = ANIMALS[dice.below(len(ANIMALS))]
    person = dice.one_of(PEOPLE)
    sentences = [f"{dice.one_of(TIMES)} {person} met a {dice.one_of(KINDS)} {animal} ."]
    if dice.below(2):
        sentences.append(f"the {animal} was hungry .")
    given = food if dice.below(8) else ANIMALS[dice.below(len(ANIMALS))][1]
    sentences.append(f"{person} gave the {animal} a {given} .")
    liked = pleased if given == food else "ran away"
    sentences.append(f"the {animal} {liked} and {person} was {dice.one_of(FEELINGS) if given == food else 'sad'} .")
    if given == food and dice.below(3) == 0:
        sentences.append(f"now {person} and the {animal} are friends .")
    return " ".join(sentences)


@cache
def text() -> tuple[bytes, ...]:
    """Every line: those of the training text first."""
    dice = Dice(SEED)
    return tuple(tale(dice).encode("ascii") for _ in range(TRAIN + TEST))


def lines(split: str) -> Iterator[bytes]:
    start, stop = SPLITS[split]
    return iter(text()[start:stop])


class Tales:
    """The reader (see ``framework.data.Reader``). It needs no data folder."""

    name = "tales"
    splits: tuple[str, ...] = tuple(SPLITS)

    def open(self, request: OpenRequest) -> Split:
        split = request.split
        where = f"tales generated from the seed {SEED}"
        tokens, _ = token_stream.count_tokens(lines(split))

        def ids() -> tuple[NDArray[np.int64], token_stream.Vocabulary]:
            vocabulary = token_stream.build_vocabulary(lines("train"))
            return token_stream.token_ids(lines(split), vocabulary, where), vocabulary

        def inputs(path: Path) -> None:
            with path.open("wb") as handle:
                np.save(handle, token_stream.stream(*ids()), allow_pickle=False)

        identity = hashlib.sha256(b"\n".join((token_stream.STREAM.encode(), split.encode(), *text()))).hexdigest()
        return Split(where, tokens, identity, lambda: ids()[0], ready={token_stream.PREPROCESSING: inputs})
