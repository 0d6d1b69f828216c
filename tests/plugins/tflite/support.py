"""Translates and counts small files, and compares the neutral graph number by number with what the interpreter computes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("ai_edge_litert")
from ai_edge_litert.interpreter import Interpreter as Litert
from ai_edge_litert.interpreter import OpResolverType
from micronet_verify_tflite.counter import TfliteCounter

from tests.difference import CLOSE
from tests.plugins.tflite.writer import File
from tests.refused import refused
from tests.scratch import scratch
from tests.translated import Translated, translated

Array = NDArray[Any]


def saved(file: File | bytes) -> Path:
    path = scratch() / "model.tflite"
    path.write_bytes(file if isinstance(file, bytes) else file.data())
    return path


def translate(source: File | Path, batch: bool = True) -> Translated:
    """The file's graph after the JSON of the sandbox wall, validated, and looked at with a larger batch."""
    return translated(TfliteCounter(), saved(source) if isinstance(source, File) else source, scratch(), batch)


def problems(source: File | Path) -> list[str]:
    """The sentences with which a model is refused."""
    return refused(translate, source)


def execute(path: Path, *feeds: Array) -> list[Array]:
    """What the interpreter's own kernels compute, as the file's types have it."""
    session = Litert(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES, num_threads=1)
    session.allocate_tensors()
    for details, feed in zip(session.get_input_details(), feeds, strict=True):
        session.set_tensor(details["index"], feed)
    session.invoke()
    return [np.array(session.get_tensor(details["index"])) for details in session.get_output_details()]


def compare(file: File, *feeds: Array, most: float = CLOSE, batch: bool = True) -> Translated:
    """Translate a file of floats, and compare shapes and numbers with TFLite's answers, within ``most`` times what rounding explains."""
    found = translate(file, batch)
    answers = execute(found.path, *feeds)
    assert found.shapes() == [answer.shape for answer in answers]
    found.check(feeds, answers, most)
    return found


def random(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def ints(*numbers: int) -> NDArray[np.int32]:
    return np.array(numbers, np.int32)


def bits(values: Sequence[float]) -> int:
    """Storage in bits of scalars: 8 for a power of two, 16 where fp16 holds the number, else 32."""
    return sum(8 if abs(np.frexp(v)[0]) == 0.5 else 16 if float(np.float16(v)) == v else 32 for v in values)
