"""WikiText-103 as it is published: ``wiki.{train,valid,test}.tokens``, in a folder or in ``wikitext-103-v1.zip``.

The vocabulary is built from the training text once, and kept beside the prepared inputs. Inputs of the preprocessing
``word-ids`` are the stream [tokens + 1, 1] int64 of ``vocabulary.stream``; labels are the tokens themselves, so that label i
is what the model has to predict when it has seen rows 0 to i, and is row i + 1.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import BenchFault, Problem
from micronet_verify.facts.data import Expected
from micronet_verify.framework.data import Split
from micronet_verify.framework.requests import Home, OpenRequest
from micronet_verify.quality.datasets import token_stream
from micronet_verify.quality.datasets.search import first, identity, missing, shown
from micronet_verify.quality.datasets.token_stream import Vocabulary
from micronet_verify.quality.store import keep

NAME = "wikitext103"
ZIP = "wikitext-103-v1.zip"
EDITION = 1


@dataclass(frozen=True, slots=True)
class Text:
    """One published text: a file, or a member of the zip."""

    path: Path
    member: str
    where: str

    @contextmanager
    def lines(self) -> Iterator[IO[bytes]]:
        """The lines as bytes. Raises ``BenchFault`` for an archive that is damaged."""
        try:
            if self.member:
                with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as handle:
                    yield handle
            else:
                with self.path.open("rb") as handle:
                    yield handle
        except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            reason = " ".join(str(error).split())[:120]
            raise BenchFault(Problem(f"a text that cannot be read ({reason})", "be whole", self.where, "download it again")) from None


class WikiText103:
    """The reader (see ``framework.data.Reader``)."""

    name = NAME
    splits: tuple[str, ...] = ("train", "valid", "test")

    def open(self, request: OpenRequest) -> Split:
        split, expected, home = request.split, request.expected, request.home
        text, training = _text(split, home), _found("train", home)
        parts = dict.fromkeys((text.path, training.path if training else text.path))
        tokens = _counted(text, identity(text.path))[0]

        def ids() -> tuple[NDArray[np.int64], Vocabulary]:
            vocabulary = _vocabulary(training or _text("train", home), home, expected)
            with text.lines() as lines:
                return token_stream.token_ids(lines, vocabulary, text.where), vocabulary

        def inputs(path: Path) -> None:
            with path.open("wb") as handle:
                np.save(handle, token_stream.stream(*ids()), allow_pickle=False)

        return Split(
            text.where,
            tokens,
            identity(split, token_stream.STREAM, *parts),
            lambda: ids()[0],
            ready={token_stream.PREPROCESSING: inputs},
            files=tuple(parts),
        )


def _names(split: str) -> tuple[str, ...]:
    return f"wikitext-103/wiki.{split}.tokens", f"wiki.{split}.tokens", ZIP


def _text(split: str, home: Home) -> Text:
    found = _found(split, home)
    if found is None:
        raise missing(NAME, _names(split), home, f"no file wiki.{split}.tokens of {NAME}")
    return found


def _found(split: str, home: Home) -> Text | None:
    path, name = first(home.root, _names(split)), f"wiki.{split}.tokens"
    if path is None:
        return None
    where = shown(path, home.root)
    if path.suffix != ".zip":
        return Text(path, "", where)
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.namelist() if member.rpartition("/")[2] == name]
    except (OSError, zipfile.BadZipFile) as error:
        raise BenchFault(Problem(f"an archive that cannot be read ({error})", "be a .zip file", where, "download it again")) from None
    if not members:
        raise BenchFault(Problem(f"an archive without {name}", "have it", where))
    return Text(path, members[0], f"{where}: {name}")


@lru_cache(maxsize=8)
def _counted(text: Text, stamp: str) -> tuple[int, int]:
    with text.lines() as lines:
        return token_stream.count_tokens(lines)


def _vocabulary(training: Text, home: Home, expected: Expected) -> Vocabulary:
    # In a folder of its own: inputs are made under the lock of theirs.
    path = home.cache / "vocabulary" / f"{identity(training.path)[:16]}-{EDITION}.txt"

    def make(draft: Path) -> dict[str, Any]:
        with training.lines() as lines:
            vocabulary = token_stream.build_vocabulary(lines)
        token_stream.write_vocabulary(vocabulary, draft)
        return {"words": len(vocabulary)}

    words = keep(path, make)["words"]
    if expected.classes and words != expected.classes:
        should = f"have {expected.classes:,} as the track says"
        raise BenchFault(
            Problem(f"a vocabulary of {words:,} words", should, training.where, "it is a different training text, or incomplete")
        )
    return token_stream.read_vocabulary(path)
