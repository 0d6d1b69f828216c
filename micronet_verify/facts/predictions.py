"""What a model answered: the raw outputs of the predictor, bound to the artifact that gave them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Predictions:
    """Outputs for ``examples`` inputs in a ``.npy`` file of shape [examples, …]; ``sha256`` is of that file.

    ``artifact_sha256`` says which artifact answered; ``batch_size`` and ``device`` are those used (they must not change answers).
    """

    artifact_sha256: str
    path: Path
    sha256: str
    examples: int
    batch_size: int
    device: str = "cpu"
