"""Ways in which a file comes to be damaged: what every plugin has to answer with a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType

DAMAGES: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType(
    {
        "empty": lambda data: b"",
        "one-byte": lambda data: data[:1],
        "a-quarter": lambda data: data[: len(data) // 4],
        "half": lambda data: data[: len(data) // 2],
        "three-quarters": lambda data: data[: len(data) * 3 // 4],
        "text": lambda data: b"not a model at all\n" * 40,
        "zeros": lambda data: bytes(len(data)),
        "noise": lambda data: Random(3).randbytes(len(data)),
        "another-start": lambda data: Random(4).randbytes(64) + data[64:],
    }
)
"""Damages that no reader can take for a whole file."""

LOSSES: Mapping[str, Callable[[bytes], bytes] | None] = MappingProxyType(
    {name: DAMAGES[name] for name in ("empty", "one-byte", "a-quarter", "half", "three-quarters")} | {"missing": None}
)
"""Damages of a file of nothing but weights, in which other bytes are other weights; ``None``: it is not there."""


def flipped(data: bytes, seed: int) -> bytes:
    """``data`` with one to eight bytes changed."""
    source, out = Random(seed), bytearray(data)
    for _ in range(source.randint(1, 8)):
        place = source.randrange(len(out))
        out[place] ^= source.randint(1, 255)
    return bytes(out)
