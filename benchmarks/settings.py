"""What all benchmarks share: how often, on what, and where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """``tiny``: small networks and tensors, to see that everything runs. ``keep``: exported networks stay in ``work``."""

    repeats: int
    tiny: bool
    work: Path
    keep: bool = False
    only: tuple[str, ...] = ()
