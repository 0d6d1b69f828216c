"""Track files and edition files as pydantic models, and from there to ``Track`` and ``CountingRules``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from micronet_verify.errors import Problem
from micronet_verify.strict_yaml.located import Place
from micronet_verify.strict_yaml.model import StrictModel
from micronet_verify.strict_yaml.scalars import shown
from micronet_verify.strict_yaml.sentences import did_you_mean, wrong
from micronet_verify.strict_yaml.types import Line, Name, NotNegative, Positive
from micronet_verify.track.dataset_spec import Count, DatasetSpec, dataset_problems
from micronet_verify.track.rules import (
    Accumulator,
    ActivationBits,
    AttentionMask,
    BatchNorm,
    CountingRules,
    DotAdds,
    Mask,
    Permutation,
    Regimes,
    Representation,
    Saturation,
    Structure,
)
from micronet_verify.track.track import (
    Baseline,
    Limits,
    Population,
    Proof,
    QualityTarget,
    Ranking,
    Rounding,
    StepLimit,
    Track,
)

MIB = 1 << 20
_TARGETS: Mapping[str, tuple[str, ...]] = {"top1": ("correct", "of"), "perplexity": ("at_most", "sum_tolerance")}
_BOUNDS = ("at_least", "at_most")


def _tolerance(number: Fraction) -> Fraction:
    if number > Fraction(1, 100):
        raise wrong(f"the number {float(number):g}", "be at most 0.01")
    return number


Tolerance = Annotated[Positive, AfterValidator(_tolerance)]


def _target_schema() -> Any:
    own: list[Any] = [{"properties": {"metric": {"const": metric}}, "required": list(keys)} for metric, keys in _TARGETS.items()]
    return [*own, *({"properties": {"metric": {"not": {"enum": list(_TARGETS)}}}, "required": [bound]} for bound in _BOUNDS)]


class TargetSpec(StrictModel):
    model_config = ConfigDict(json_schema_extra={"oneOf": _target_schema()})

    metric: Name = Field(description="top1, perplexity, or the metric of a plugin")
    correct: Count | None = Field(None, description="top1: the least number of right answers")
    of: Count | None = Field(None, description="top1: the number of examples")
    at_most: Positive | None = Field(None, description="perplexity, or the metric of a plugin: the most that passes")
    at_least: NotNegative | None = Field(None, description="the metric of a plugin: the least that passes")
    sum_tolerance: Tolerance | None = Field(
        None, description="perplexity: how far the probabilities of all words may be from a sum of one, for each token; at most 0.01"
    )

    def fact(self) -> QualityTarget:
        return QualityTarget(
            self.metric, self.correct or 0, self.of or 0, self.at_most or Fraction(0), self.at_least, self.sum_tolerance or Fraction(0)
        )


class BaselineSpec(StrictModel):
    parameters: Positive = Field(description="the baseline's storage in 32-bit words")
    operations: Positive = Field(description="the baseline's 32-bit operations per example")


class RankingSpec(StrictModel):
    population: Population = Field(description="R2: the entries of which a share is marked, ranked or scored")
    rounding: Rounding = Field(description="R2: how the share becomes a number of entries")
    top_percent: Annotated[int, Field(ge=1, le=100)] = Field(description="R2: the share in percent")
    entries_per_person: Count = Field(description="R3: the most entries per person in this track")


class StepLimitSpec(StrictModel):
    seconds: Annotated[int, Field(ge=1, le=7 * 86400)] = Field(description="wall-clock seconds")
    memory_mib: Annotated[int, Field(ge=64, le=1 << 20)] = Field(description="memory in MiB")

    def fact(self) -> StepLimit:
        return StepLimit(self.seconds, self.memory_mib * MIB)


class LimitsSpec(StrictModel):
    export: StepLimitSpec = Field(description="limits of the step that runs the entrant's code")
    translate: StepLimitSpec = Field(description="limits of the step that reads the model file")
    predict: StepLimitSpec = Field(description="limits of the step that runs the model")
    prove: StepLimitSpec | None = Field(None, description="limits of the step that runs what was priced; 300 s and 8192 MiB if left out")
    output_mib: Annotated[int, Field(ge=1, le=1 << 20)] = Field(description="the most that one step may hand back, in MiB")


_PROOF = Proof()


class ProofSpec(StrictModel):
    least: Count = Field(_PROOF.least, description="the least number of examples of a proof")
    most: Count = Field(_PROOF.most, description="the greatest number of examples of a proof")
    seconds: Count = Field(_PROOF.seconds, description="as many examples as take about this many seconds, by the size of the graph")
    factor: Positive = Field(
        _PROOF.factor, description="how far the framework may be from the graph, in what float32 and float64 differ in it"
    )
    cap: Positive = Field(_PROOF.cap, description="and at most, in the spread between examples")
    ratio: Positive = Field(
        _PROOF.ratio, description="the freebie: how far the charged network may be, in what stochastic rounding to 16 bits does"
    )
    rounding: Positive = Field(_PROOF.rounding, description="the freebie: the most that rounding may do, in the spread between examples")

    def fact(self) -> Proof:
        return Proof(**{field.name: getattr(self, field.name) for field in fields(Proof)})


class TrackSpec(StrictModel):
    """A track file: what an entry must reach, what it is measured against, and how it is ranked and run."""

    schema_: Literal[1] = Field(alias="schema", description="the version of this format")
    name: Name = Field(description="the track's name, which is also the file's")
    title: Line = Field(description="the track's name for people")
    rules: Name = Field(description="the edition of the counting rules")
    target: TargetSpec = Field(description="the quality that an entry must reach")
    baseline: BaselineSpec = Field(description="the network that scores are relative to")
    dataset: DatasetSpec = Field(description="the test set")
    ranking: RankingSpec = Field(description="how entries are ranked")
    limits: LimitsSpec = Field(description="what each step may use")
    proof: ProofSpec | None = Field(None, description="how the count is proved by running it; every key has a default")

    @classmethod
    def cross_check(cls, data: Mapping[str, Any]) -> Iterable[tuple[Place, Problem]]:
        target, dataset = data.get("target"), data.get("dataset")
        if isinstance(target, dict):
            yield from _target_problems(target, dataset)
        if isinstance(dataset, dict):
            yield from dataset_problems(dataset)
        proof = data.get("proof")
        if isinstance(proof, dict):
            least, most = proof.get("least", _PROOF.least), proof.get("most", _PROOF.most)
            if isinstance(least, int) and isinstance(most, int) and least > most:
                yield ("proof",), Problem(f"least: {least} above most: {most}", "be at most that")

    def fact(self, rules: CountingRules, labels: tuple[str, ...] = ()) -> Track:
        """The track, priced by ``rules``; ``labels`` is its label map."""
        limits = self.limits
        return Track(
            name=self.name,
            title=self.title,
            rules=rules,
            target=self.target.fact(),
            baseline=Baseline(self.baseline.parameters, self.baseline.operations),
            dataset=self.dataset.fact(labels),
            ranking=Ranking(self.ranking.population, self.ranking.rounding, self.ranking.top_percent, self.ranking.entries_per_person),
            limits=Limits(
                limits.export.fact(),
                limits.translate.fact(),
                limits.predict.fact(),
                limits.output_mib * MIB,
                *([limits.prove.fact()] if limits.prove else []),
            ),
            proof=self.proof.fact() if self.proof else Proof(),
        )


def _target_problems(target: Mapping[str, Any], dataset: Any) -> Iterable[tuple[Place, Problem]]:
    metric, bounds = target.get("metric"), [bound for bound in _BOUNDS if bound in target]
    if isinstance(metric, str) and metric in _TARGETS:
        for key in _TARGETS[metric]:
            if key not in target:
                yield ("target",), Problem(f"a target {metric} without {key!r}", "have one")
        for key in ("correct", "of", *_BOUNDS, "sum_tolerance"):
            if key in target and key not in _TARGETS[metric]:
                owner = next((name for name, keys in _TARGETS.items() if key in keys), "the metrics of plugins")
                yield ("target", key), Problem(f"{key} in a target {metric}", f"be left out: it belongs to {owner}")
    elif isinstance(metric, str) and not bounds:
        got = f"metric: {shown(metric)}"
        yield ("target", "metric"), Problem(got, f"be one of {', '.join(_TARGETS)}", advice=did_you_mean(metric, _TARGETS))
    elif len(bounds) > 1:
        yield ("target", bounds[1]), Problem(f"{' and '.join(bounds)} in a target {metric}", "have one of them")
    if metric == "perplexity":
        yield from _language_problems(dataset)
    elif "sum_tolerance" in target and metric not in _TARGETS:
        yield ("target", "sum_tolerance"), Problem(f"sum_tolerance in a target {metric}", "be left out: it belongs to perplexity")
    correct, of = target.get("correct"), target.get("of")
    if isinstance(correct, int) and isinstance(of, int) and correct > of:
        yield ("target", "correct"), Problem(f"correct: the number {correct}", f"be at most {of}, the number of examples")
    examples = dataset.get("examples") if isinstance(dataset, dict) else None
    if isinstance(of, int) and isinstance(examples, int) and of != examples:
        yield ("target", "of"), Problem(f"of: the number {of}", f"be {examples}, as dataset.examples is")


def _language_problems(dataset: Any) -> Iterable[tuple[Place, Problem]]:
    """A language model is fed one token at a time, as one whole number."""
    for key, wanted in (("input_shape", [1]), ("input_format", "int64")):
        if isinstance(dataset, dict) and key in dataset and dataset[key] != wanted:
            yield ("dataset", key), Problem(f"{key}: {dataset[key]}", f"be {wanted}: a language model is fed one token at a time")


class RulesSpec(StrictModel):
    """An edition of the counting rules: every knob, spelled."""

    schema_: Literal[1] = Field(alias="schema", description="the version of this format")
    edition: Name = Field(description="the edition's name, which is also the file's")
    representation: Representation = Field(description="S3: the form in which a tensor is stored")
    mask: Mask = Field(description="S3: what a masked tensor pays for its mask")
    batch_norm: BatchNorm = Field(description="S7: folded into a neighbour, one shift each, or charged")
    permutation: Permutation = Field(description="O9: a permutation is a sparse product, or free")
    accumulator: Accumulator = Field(description="O12: the width of adds in a dot product")
    regimes: Regimes = Field(description="S5, O7: the regimes that an entry may be priced in")
    dot_adds: DotAdds = Field(description="O1: the adds of a dot product of n weights")
    activation_bits: ActivationBits = Field(description="O2: the width of activations")
    attention_mask: AttentionMask = Field(description="O15: what a constant mask hides is skipped, or counted in full")
    saturation: Saturation = Field(description="O19: what a quantizer cuts off at the ends of its range is free, or a clip")
    structure: Structure = Field(description="S9: how the graph is wired is free, or charged bit by bit")

    def fact(self) -> CountingRules:
        return CountingRules(**{field.name: getattr(self, field.name) for field in fields(CountingRules)})
