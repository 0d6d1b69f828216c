"""A chunk holds nothing that the step does not hold: its constants are the step's, seen from the files.

Samples show that a chunk answers as the step does where they look. A text that is hidden in a chunk's constants would be
answered where they do not. So every tensor of the chunk must be one of the step, as it lies there, in another order of its
axes, or a part of it. What is left over (a causal mask for T tokens, places 0 … T − 1, sizes) may hold no more than a kilobyte says.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.graph import Graph, Value
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.protocols import Counter
from micronet_verify.framework.requests import TranslateRequest

# Tokens of a chunk whose length is free.
TOKENS = 7
# Compressed bytes of what only the chunk holds: masks and places of hundreds of tokens take a few hundred.
MOST = 1024
_BLOCK = 1 << 20
_ADVICE = "a chunk may hold no constant that the step does not hold: make it of the same constants, or leave step.chunk out"
Array = NDArray[Any]


def check_chunk(counter: Counter, root: Path, chunk: str, step: Graph, folder: Path) -> None:
    """Compare the constants of the file ``chunk`` with those of ``step``, whose sidecar lies in ``folder``.

    Raises ``SubmissionFault`` where the chunk cannot be translated, or holds something of its own.
    """
    beside = folder / "chunk"
    beside.mkdir()
    try:
        graph = counter.translate(TranslateRequest(root / chunk), GraphBuilder(beside, batch=TOKENS, chunk=True))
    except SubmissionFault as fault:
        told = (Problem(problem.got, problem.should, problem.where or chunk, problem.advice or _ADVICE) for problem in fault.problems)
        raise SubmissionFault(told) from None
    held = list(_constants(step, ConstantStore(root, folder)))
    known = {_digest(array) for _, array in held}
    whole = [np.ascontiguousarray(array).reshape(-1) for _, array in held]
    packer, size, largest = zlib.compressobj(9), 0, ("", 0)
    for value, array in _constants(graph, ConstantStore(root, beside)):
        if _digest(array) in known or any(_is_part(np.ascontiguousarray(array).reshape(-1), flat) for flat in whole):
            continue
        new = len(packer.compress(np.ascontiguousarray(array).tobytes())) + len(packer.flush(zlib.Z_SYNC_FLUSH))
        size += new
        if new > largest[1]:
            largest = value.label or value.id, new
        if size > MOST:
            got = f"a chunk with constants of its own, {largest[0]!r} the largest"
            raise SubmissionFault(Problem(got, "hold what the step holds and nothing else", chunk, _ADVICE))


def _constants(graph: Graph, store: ConstantStore) -> Iterator[tuple[Value, Array]]:
    """Constants with their values; those of bodies, too."""
    for value in graph.values.values():
        if value.constant is not None and value.numel:
            yield value, store.open(value.constant, value.shape, value.format, value.label)
    for node in graph.nodes:
        for body in node.bodies:
            yield from _constants(body, store)


def _digest(array: Array) -> tuple[int, str, int]:
    """The same for the same values in any order: (how many, their type, a sum of what each is mixed to)."""
    flat = np.ascontiguousarray(array).reshape(-1)
    bits = flat.view(f"u{flat.dtype.itemsize}")
    total = 0
    for start in range(0, bits.size, _BLOCK):
        part = bits[start : start + _BLOCK].astype(np.uint64)
        for factor in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB):
            part = (part + np.uint64(factor)) * np.uint64(factor)
            part ^= part >> np.uint64(29)
        total = (total + int(part.sum(dtype=np.uint64))) & 0xFFFFFFFFFFFFFFFF
    return flat.size, flat.dtype.name, total


def _is_part(part: Array, whole: Array) -> bool:
    """Whether ``part`` stands in ``whole``, in one piece."""
    if part.dtype != whole.dtype or part.size > whole.size or part.size < 2:
        return False
    places = np.flatnonzero(whole[: whole.size - part.size + 1] == part[0])
    return any(np.array_equal(whole[at : at + part.size], part) for at in places[:64].tolist())
