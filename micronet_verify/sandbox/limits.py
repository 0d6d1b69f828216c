"""What one step may use before it is ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from micronet_verify.wording.numbers import GB, MB

Stage = Literal["export", "translate", "predict", "prove"]
# What a worker says through its pipe just before it touches anything of the entry.
READY = b"r"


@dataclass(frozen=True, slots=True)
class Limits:
    """``seconds`` of wall-clock time; bytes of memory (all processes of the step together), of files and of printed text."""

    seconds: float
    memory_bytes: int
    output_bytes: int
    text_bytes: int = 1 * MB


DEFAULTS: Mapping[Stage, Limits] = MappingProxyType(
    {
        "export": Limits(seconds=300, memory_bytes=8 * GB, output_bytes=2 * GB),
        "translate": Limits(seconds=120, memory_bytes=8 * GB, output_bytes=2 * GB),
        "predict": Limits(seconds=3600, memory_bytes=8 * GB, output_bytes=4 * GB),
        "prove": Limits(seconds=300, memory_bytes=8 * GB, output_bytes=100 * MB),
    }
)


def step(stage: str) -> str:
    """The step in words, for a sentence: ``an export step``."""
    return f"{'an' if stage[0] in 'aeiou' else 'a'} {stage} step"
