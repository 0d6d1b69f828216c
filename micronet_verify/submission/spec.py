"""``submission.yaml`` as a pydantic model, and from there to ``Manifest``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from micronet_verify.errors import Problem
from micronet_verify.strict_yaml.located import Located, Place
from micronet_verify.strict_yaml.model import StrictModel
from micronet_verify.strict_yaml.types import Line, Matching, Name, NotNegative
from micronet_verify.submission.manifest import Claim, Manifest, Member, Source, Step

ENTRY_POINT = r"[^:\s]+\.py:[A-Za-z_][A-Za-z0-9_]*"
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})"

# Lower case only: rule R3 counts entries by this id, so one person must not have two spellings.
MemberId = Annotated[str, Matching(r"[a-z0-9][a-z0-9._@:+-]{0,98}", "be lower-case letters, digits and . _ @ : + -, at most 99")]
# Where it leads is checked on the disk (``containment``); here it only has to be text.
FileName = Annotated[str, Field(max_length=200)]
EntryPoint = Annotated[str, Matching(ENTRY_POINT, "be a Python file and a function in it, such as model.py:build")]
Time = Annotated[str, Matching(_TIME, 'be a date, a time and its zone, such as "2019-09-30T17:45:00Z"')]


class MemberSpec(StrictModel):
    id: MemberId = Field(description="a stable id of the person, the same in every team and track")
    name: Line = Field(description="the person's name")


class SourceSpec(StrictModel):
    entry_point: EntryPoint = Field(description="the Python file and the function in it that returns the model, such as model.py:build")
    weights: FileName = Field(description="the file of weights that is loaded into the model")
    modules: Annotated[list[FileName], Field(max_length=100)] = Field([], description="other Python files that the entry point imports")


class StepSpec(StrictModel):
    initial_state: FileName | None = Field(None, description="a .npz or .safetensors file of the states before the first token; else zeros")
    chunk: FileName | None = Field(None, description="the same model for many tokens at a time, to evaluate it faster")


class ClaimsSpec(StrictModel):
    parameter_storage: NotNegative | None = Field(None, description="storage in 32-bit words")
    math_operations: NotNegative | None = Field(None, description="32-bit operations per example")
    score: NotNegative | None = Field(None, description="the score")
    quality: NotNegative | None = Field(None, description="the share of right answers from 0 to 1, or the perplexity")


class ManifestSpec(StrictModel):
    """An entry's manifest: who hands in what, for which track, and what it claims."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["model"]}, {"required": ["source"]}]})

    schema_: Literal[1] = Field(alias="schema", description="the version of this format")
    title: Line = Field(description="the entry's name for people")
    team: Line = Field(description="the team's name")
    members: Annotated[list[MemberSpec], Field(min_length=1, max_length=100)] = Field(description="everyone in the team")
    track: Name = Field(description="the name of the track")
    framework: Name = Field(description="the framework of the model: pytorch, onnx, tensorflow, tflite …")
    model: FileName | None = Field(None, description="the model file; either this or source")
    external_data: Annotated[list[FileName], Field(max_length=1000)] = Field([], description="files that the model file refers to")
    source: SourceSpec | None = Field(None, description="the model as code and weights; either this or model")
    step: StepSpec | None = Field(None, description="language models: files beside the model file, which is fed one token at a time")
    preprocessing: Name | None = Field(None, description="one of the track's preprocessings; its first if left out")
    techniques: Annotated[list[Line], Field(max_length=50)] = Field([], description="how the model was compressed, in words")
    claims: ClaimsSpec | None = Field(None, description="the entry's own numbers, compared with the measured ones")
    write_up: FileName | None = Field(None, description="a file that describes the entry")
    submitted: Time = Field(description='when the entry was handed in, such as "2019-09-30T17:45:00Z"')

    @classmethod
    def cross_check(cls, data: Mapping[str, Any]) -> Iterable[tuple[Place, Problem]]:
        both = [key for key in ("model", "source") if key in data]
        if len(both) != 1:
            yield (
                tuple(both[1:]),
                Problem("both 'model' and 'source'" if both else "neither 'model' nor 'source'", "have exactly one of them"),
            )
        if "external_data" in data and "model" not in data:
            yield ("external_data",), Problem("external_data without 'model'", "be left out: it belongs to a model file")
        if "step" in data and "model" not in data:
            yield ("step",), Problem("step without 'model'", "be left out: it belongs to a model file")
        if isinstance(data.get("submitted"), str):
            try:
                datetime.fromisoformat(data["submitted"])
            except ValueError:
                yield ("submitted",), Problem(f"submitted: {data['submitted'][:40]!r}", "be a day and time that exist")
        yield from _repeated_members(data.get("members"))

    def fact(self, located: Located) -> Manifest:
        """The manifest; ``located`` is the file that this was read from."""
        return Manifest(
            title=self.title,
            team=self.team,
            members=tuple(Member(member.id, member.name) for member in self.members),
            track=self.track,
            framework=self.framework,
            submitted=datetime.fromisoformat(self.submitted),
            model=self.model,
            external_data=tuple(self.external_data),
            source=Source(self.source.entry_point, self.source.weights, tuple(self.source.modules)) if self.source else None,
            step=Step(self.step.initial_state, self.step.chunk) if self.step else Step(),
            preprocessing=self.preprocessing,
            techniques=tuple(self.techniques),
            claims=self._claims(located),
            write_up=self.write_up,
            lines={".".join(map(str, place)): line for place, line in located.lines.items() if place},
        )

    def _claims(self, located: Located) -> Claim:
        claims = self.claims
        if claims is None:
            return Claim()
        written = {str(place[1]): text for place, text in located.texts.items() if len(place) == 2 and place[0] == "claims"}
        return Claim(claims.parameter_storage, claims.math_operations, claims.score, claims.quality, written)


def _repeated_members(members: Any) -> Iterable[tuple[Place, Problem]]:
    seen: set[str] = set()
    for index, member in enumerate(members if isinstance(members, list) else ()):
        name = member.get("id") if isinstance(member, dict) else None
        if isinstance(name, str) and name in seen:
            yield ("members", index, "id"), Problem(f"the member {name[:99]!r} a second time", "stand once")
        elif isinstance(name, str):
            seen.add(name)
