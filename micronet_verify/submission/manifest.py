"""What an entry says about itself in ``submission.yaml``: who, which track, which files, and what it claims.

Facts only, frozen. A claim is compared with the measurement and never replaces it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

MANIFEST = "submission.yaml"


@dataclass(frozen=True, slots=True)
class Member:
    """A person. ``id`` is stable over teams and tracks (rule R3 counts by it); ``name`` is for people."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Claim:
    """The entry's own numbers, exact as written; ``None`` where it claims nothing.

    ``parameter_storage`` in 32-bit words, ``math_operations`` in 32-bit operations per example, ``score`` the sum of
    both ratios to the baseline, ``quality`` the share of right answers (0 to 1) or the perplexity. ``written`` holds
    each number's text, by field name: its decimal places say how precisely it is claimed.
    """

    parameter_storage: Fraction | None = None
    math_operations: Fraction | None = None
    score: Fraction | None = None
    quality: Fraction | None = None
    written: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Source:
    """A model as code: ``entry_point`` is ``file.py:callable``, ``weights`` the file loaded into what it returns.

    ``modules`` are the other Python files that the entry point imports: only named files are digested.
    """

    entry_point: str
    weights: str
    modules: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The Python file, relative to the entry."""
        return self.entry_point.rpartition(":")[0]


@dataclass(frozen=True, slots=True)
class Step:
    """What a language model that is fed a token at a time may bring beside the model file.

    ``initial_state``: a ``.npz`` or ``.safetensors`` file of the states before the first token; zeros where there is none.
    ``chunk``: the same model for many tokens at a time, with which it is evaluated; the model file is what is counted.
    """

    initial_state: str | None = None
    chunk: str | None = None

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(name for name in (self.initial_state, self.chunk) if name is not None)


@dataclass(frozen=True, slots=True)
class Manifest:
    """``submission.yaml``, read and checked. Exactly one of ``model`` and ``source`` is given.

    Paths are in POSIX form, relative to the entry. ``submitted`` carries its time zone. ``lines`` has the line of
    every key by its dotted name (``claims.score``, ``members.0.id``); ``where`` makes a place of it.
    """

    title: str
    team: str
    members: tuple[Member, ...]
    track: str
    framework: str
    submitted: datetime
    model: str | None = None
    external_data: tuple[str, ...] = ()
    source: Source | None = None
    step: Step = Step()
    preprocessing: str | None = None
    techniques: tuple[str, ...] = ()
    claims: Claim = Claim()
    write_up: str | None = None
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)

    def where(self, key: str) -> str:
        """``submission.yaml:17`` for the line of ``key``, or of the nearest key around it."""
        while key and key not in self.lines:
            key = key.rpartition(".")[0]
        return f"{MANIFEST}:{self.lines.get(key, 1)}"
