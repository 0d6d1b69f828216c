"""A track of the challenge: what an entry must reach, what it is measured against, and how it is ranked and run.

Facts only, exact, and frozen. ``track/spec.py`` reads them from a track file and ``track/library.py`` finds the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from micronet_verify.facts.data import Expected, KnownFile, LabelOrder, Preprocessing
from micronet_verify.track.rules import CountingRules

Population = Literal["ranked", "scored"]
Rounding = Literal["ceiling", "floor", "nearest"]


@dataclass(frozen=True, slots=True)
class QualityTarget:
    """What an entry must reach, exactly.

    ``top1``: at least ``correct`` right answers ``of`` so many examples; ``at_most`` is unused (0). ``perplexity``: a
    perplexity of ``at_most`` or less, of distributions that each sum to one within ``sum_tolerance``; ``correct`` and
    ``of`` are unused (0). A plugin's metric: ``at_least`` or, where that is ``None``, ``at_most``.
    """

    metric: str
    correct: int = 0
    of: int = 0
    at_most: Fraction = Fraction(0)
    at_least: Fraction | None = None
    sum_tolerance: Fraction = Fraction(0)

    @property
    def higher_is_better(self) -> bool:
        return self.metric == "top1" or self.at_least is not None

    def __str__(self) -> str:
        if self.metric == "top1":
            return f"at least {self.correct:,} of {self.of:,} correct"
        if self.at_least is not None:
            return f"a {self.metric} of at least {decimal_text(self.at_least)}"
        return f"a {self.metric} of at most {decimal_text(self.at_most)}"


@dataclass(frozen=True, slots=True)
class Baseline:
    """The network every score is relative to: ``parameters`` in 32-bit words, ``operations`` in 32-bit operations per example."""

    parameters: Fraction
    operations: Fraction

    @property
    def per_word(self) -> Fraction:
        """Its operations for each word of its storage: what a word that is spared is worth."""
        return Fraction(self.operations) / Fraction(self.parameters)


@dataclass(frozen=True, slots=True)
class Dataset:
    """The test set that entries are judged on.

    ``input_shape`` and ``input_format`` are those of one example, without the batch axis, as the model receives it;
    ``classes`` is the length of the answer (for a language model, the vocabulary). ``preprocessing`` names every
    preprocessing an entry may choose; the first is taken where an entry chooses none. ``steps`` spells those that are for
    images; the others the data set itself defines. ``labels`` names the classes as the publisher lists them, and
    ``label_order`` says how answers number them. ``files`` are published files with their digests.
    """

    name: str
    split: str
    examples: int
    input_shape: tuple[int, ...]
    input_format: str
    classes: int
    preprocessing: tuple[str, ...]
    steps: tuple[Preprocessing, ...] = ()
    labels: tuple[str, ...] = ()
    label_order: LabelOrder = "sorted"
    files: tuple[KnownFile, ...] = ()

    @property
    def expected(self) -> Expected:
        """What a reader must find."""
        return Expected(self.examples, self.classes, self.labels, self.label_order, self.files)

    def steps_named(self, name: str) -> Preprocessing | str:
        """The steps of a preprocessing, or its name where the data set itself defines it."""
        return next((steps for steps in self.steps if steps.name == name), name)


@dataclass(frozen=True, slots=True)
class Ranking:
    """Keys of rules R2 and R3.

    The best ``top_percent`` % of the ``population`` by storage are marked S, by operations C: of the ``ranked`` entries
    (each team's best) or of all ``scored`` entries (every one that reaches the target). ``rounding`` says how that
    share becomes a whole number of entries. ``entries_per_person`` is rule R3's limit per track.
    """

    population: Population
    rounding: Rounding
    top_percent: int
    entries_per_person: int


@dataclass(frozen=True, slots=True)
class StepLimit:
    """What one sandboxed step may use: wall-clock ``seconds`` and ``memory`` in bytes."""

    seconds: int
    memory: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the four steps, and ``output_bytes``: the most that any one step may hand back."""

    export: StepLimit
    translate: StepLimit
    predict: StepLimit
    output_bytes: int
    prove: StepLimit = StepLimit(300, 8 << 30)


@dataclass(frozen=True, slots=True)
class Proof:
    """What a proof is asked: the network that was priced, run on examples of the test set, gives the framework's answers.

    ``least`` and ``most`` examples, as many as about ``seconds`` allow by the size of the graph. The graph as translated may differ
    from the framework by ``factor`` times of what float32 and float64 differ in it, and by ``cap`` of the spread between
    examples at most. Under the freebie the network as charged may differ from that by ``ratio`` times of what stochastic
    rounding to 11 bits of mantissa does, which may be ``rounding`` of the spread at most.
    """

    least: int = 4
    most: int = 256
    seconds: int = 4
    factor: Fraction = Fraction(8)
    cap: Fraction = Fraction(1, 1000)
    ratio: Fraction = Fraction(2)
    rounding: Fraction = Fraction(15, 100)


@dataclass(frozen=True, slots=True)
class Track:
    """One track file, read and checked. ``name`` is what manifests write under ``track``; ``title`` is for people."""

    name: str
    title: str
    rules: CountingRules
    target: QualityTarget
    baseline: Baseline
    dataset: Dataset
    ranking: Ranking
    limits: Limits
    proof: Proof = Proof()


def decimal_text(number: Fraction) -> str:
    """``number`` as a plain decimal where it has one of at most 30 places, else as ``numerator/denominator``."""
    scaled = number * 10**30
    if scaled.denominator != 1:
        return str(number)
    whole, rest = divmod(abs(scaled.numerator), 10**30)
    places = f"{rest:030d}".rstrip("0")
    return f"{'-' if number < 0 else ''}{whole:,}{'.' if places else ''}{places}"
