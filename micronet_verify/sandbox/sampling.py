"""What is sampled follows from a seed that nobody can know before an entry is handed in.

One seed is drawn for each run; what is sampled of an entry follows from it, the entry's id and its track, and from nothing in
the entry. The seed is kept in the evidence, and whoever has it repeats the run.
"""

from __future__ import annotations

import hashlib
import re
import secrets

import numpy as np

_WRITTEN = re.compile(r"[0-9a-f]{1,64}")


def draw_seed() -> str:
    """A seed of a run: 32 hexadecimal digits from the system's secrets."""
    return secrets.token_hex(16)


def is_seed(text: str) -> bool:
    """Whether ``text`` is a seed as runs keep it: 1 to 64 hexadecimal digits, small letters."""
    return _WRITTEN.fullmatch(text) is not None


def entry_seed(seed: str, id: str, track: str) -> str:
    """What is sampled of one entry in one run follows from this: 64 hexadecimal digits."""
    text = "\n".join((seed, id, track))
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def random_for(seed: str, purpose: str) -> np.random.Generator:
    """The random numbers of one ``purpose``, ``"chunks"``: those of one purpose tell nothing about another's."""
    digest = hashlib.sha256(f"{purpose} {seed}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


def sample(seed: str, purpose: str, size: int, of: int) -> tuple[int, ...]:
    """``size`` different numbers below ``of``, in random order; all of them where there are fewer."""
    return tuple(random_for(seed, purpose).choice(of, min(size, of), replace=False).tolist())
