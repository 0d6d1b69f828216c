"""Where and how entries are judged: folders, launcher, threads, batch size."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from micronet_verify.errors import BenchFault, Problem
from micronet_verify.facts.artifact import Artifact, seal
from micronet_verify.facts.graph import Shape
from micronet_verify.framework.protocols import CPU
from micronet_verify.framework.registry import devices
from micronet_verify.quality.datasets.folders import cache_folder, data_root
from micronet_verify.quality.inputs.background import Preparing
from micronet_verify.sandbox.batch_size import batch_size_for
from micronet_verify.sandbox.launcher import Launcher, ProcessLauncher
from micronet_verify.sandbox.limits import Limits
from micronet_verify.sandbox.sampling import draw_seed, entry_seed, is_seed
from micronet_verify.strict_yaml.sentences import did_you_mean
from micronet_verify.track.track import StepLimit, Track


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator says about predictions; none of it may change a verdict, but for ``limit``, which leaves it open.

    ``data``: the folder of data sets, by default what the environment says. ``limit``: only the first so many examples
    of each test set, for a smoke run that ranks nobody. ``device``: what models run on. ``batch_size``: examples at a time, by
    default what suits the machine (``sandbox.batch``). ``seed``: repeats a run (``sandbox.sampling``); by default it is drawn.
    """

    data: Path | None = None
    limit: int | None = None
    device: str = CPU
    batch_size: int | None = None
    seed: str | None = None


DEFAULTS = Settings()


def wrong_settings(settings: Settings, names: Mapping[str, str]) -> list[Problem]:
    """What is wrong with the settings. ``names``: how the options ``limit``, ``batch_size``, ``device`` and ``seed`` are spelled here."""
    numbers = {"limit": settings.limit, "batch_size": settings.batch_size}
    wrong = {name: number for name, number in numbers.items() if number is not None and number < 1}
    problems = [Problem(f"{names[name]} {number:,}", "be 1 example or more") for name, number in wrong.items()]
    if settings.seed is not None and not is_seed(settings.seed):
        problems.append(Problem(f"{names['seed']} {settings.seed!r}", "be 1 to 64 hexadecimal digits, as evidence.json keeps it"))
    if settings.device not in devices():
        advice = did_you_mean(settings.device, devices()) or "no other device is known to an installed framework's plugin"
        problems.append(Problem(f"{names['device']} {settings.device}", f"be {' or '.join(devices())}", advice=advice))
    return problems


@dataclass(frozen=True)
class Bench:
    """``work`` is a folder of the judge's; ``tracks`` are extra folders of track files. The others are as in ``Settings``.

    ``inputs`` is where prepared inputs are kept; by default that is between runs where there is a folder of data sets, and
    in ``work`` where there is none. ``preparing`` makes them, and is to be stopped with the run.
    """

    work: Path
    tracks: Sequence[Path] = ()
    launcher: Launcher = field(default_factory=ProcessLauncher)
    threads: int = 1
    batch_size: int | None = None
    data: Path | None = None
    inputs: Path | None = None
    limit: int | None = None
    device: str = CPU
    seed: str = field(default_factory=draw_seed)
    preparing: Preparing = field(default_factory=Preparing)

    @classmethod
    def of(cls, work: Path, tracks: Sequence[Path], launcher: Launcher, settings: Settings) -> Bench:
        return cls(
            work,
            tracks,
            launcher,
            batch_size=settings.batch_size,
            data=settings.data,
            limit=settings.limit,
            device=settings.device,
            seed=settings.seed or draw_seed(),
        )

    @property
    def kept(self) -> Path:
        """The folder of prepared inputs. Raises ``BenchFault`` for settings that cannot be read."""
        return self.inputs or (cache_folder() if data_root(self.data) else self.work / "inputs")

    def batch(self, example: Shape) -> int:
        """How many examples of this shape are predicted at a time."""
        return self.batch_size or batch_size_for(example, self.threads, self.device)

    def seed_of(self, id: str, track: Track) -> str:
        """What is sampled of the entry ``id`` follows from this."""
        return entry_seed(self.seed, id, track.name)

    def folder(self, id: str) -> Path:
        """The working folder of the entry ``id``: by digest, so that no two ids share one and every id fits in a file name."""
        return self.work / "entries" / hashlib.sha256(id.encode("utf-8", "backslashreplace")).hexdigest()[:32]


def limits_of(track: Track, step: StepLimit) -> Limits:
    """What one step may use in this track."""
    return Limits(step.seconds, step.memory, track.limits.output_bytes)


def check_unchanged(artifact: Artifact) -> None:
    """Raise ``BenchFault`` if a file of the artifact is no longer what was sealed."""
    if seal(artifact.root, artifact.primary, tuple(file.path for file in artifact.files)).sha256 != artifact.sha256:
        raise BenchFault(Problem("an artifact that changed while it was judged", "stay as it was sealed", artifact.primary))
