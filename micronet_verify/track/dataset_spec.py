"""The test set in a track file: its shape, the closed list of preprocessings, the label map, and the published files' digests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from micronet_verify.errors import Problem
from micronet_verify.facts.data import Interpolation, KnownFile, LabelOrder, Layout, Preprocessing
from micronet_verify.facts.formats import numeric_format
from micronet_verify.strict_yaml.located import Place
from micronet_verify.strict_yaml.model import StrictModel
from micronet_verify.strict_yaml.sentences import described, wrong
from micronet_verify.strict_yaml.types import Matching, Name, NotNegative, Positive
from micronet_verify.track.track import Dataset

_ALGORITHMS = {"md5": 32, "sha1": 40, "sha256": 64}
_PATH = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}){0,5}"
_DIMENSIONS = 3


def _format(name: str) -> str:
    try:
        numeric_format(name)
    except ValueError:
        raise wrong(described(name), "be a numeric format such as float32 or int64") from None
    return name


def _hex(digits: int) -> Matching:
    return Matching(f"[0-9a-f]{{{digits}}}", f"be {digits} digits 0-9 and a-f")


Count = Annotated[int, Field(ge=1, le=10**12)]
Pixels = Annotated[int, Field(ge=1, le=65536)]
Format = Annotated[str, AfterValidator(_format)]
PerChannel = Field(min_length=1, max_length=64)


class StepsSpec(StrictModel):
    name: Name = Field(description="the preprocessing's name, which manifests choose it by")
    resize: Pixels | None = Field(None, description="the shorter side after resizing, in pixels")
    interpolation: Interpolation | None = Field(None, description="how resizing interpolates")
    crop: Pixels | None = Field(None, description="the side of the square that is cut out of the centre, in pixels")
    scale: Positive | None = Field(None, description="what every byte is divided by")
    mean: Annotated[list[NotNegative], PerChannel] | None = Field(None, description="what is subtracted after that, per channel")
    deviation: Annotated[list[Positive], PerChannel] | None = Field(None, description="what that is divided by, per channel")
    layout: Layout | None = Field(None, description="the order of the axes of one example")

    def fact(self) -> Preprocessing | None:
        """The steps; ``None`` for a bare name, which the data set itself defines."""
        if self.model_fields_set == {"name"}:
            return None
        plain = Preprocessing(self.name)
        return Preprocessing(
            self.name,
            self.resize or plain.resize,
            self.interpolation or plain.interpolation,
            self.crop or plain.crop,
            self.scale or plain.scale,
            tuple(self.mean or ()),
            tuple(self.deviation or ()),
            self.layout or plain.layout,
        )


class _OrName:
    """In the JSON Schema: the steps, or just a name."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "description": "a preprocessing that the data set itself defines"}, handler(core)]}


Steps = Annotated[StepsSpec, BeforeValidator(lambda value: {"name": value} if isinstance(value, str) else value), _OrName()]


def _distinct(steps: list[StepsSpec]) -> list[StepsSpec]:
    names = [step.name for step in steps]
    if len(set(names)) < len(names):
        raise wrong(f"a name twice in {', '.join(names)}", "name each once")
    return steps


class FileSpec(StrictModel):
    name: Annotated[str, Matching(_PATH, "be a path such as cifar-100-python/test")] = Field(
        description="the file's path in the data folder, or in a folder of it"
    )
    md5: Annotated[str, _hex(32)] | None = Field(None, description="its published MD5")
    sha1: Annotated[str, _hex(40)] | None = Field(None, description="its published SHA-1")
    sha256: Annotated[str, _hex(64)] | None = Field(None, description="its published SHA-256")
    examples: Count | None = Field(None, description="how many examples it holds")

    def fact(self) -> KnownFile:
        algorithm, digest = next((name, digest) for name in _ALGORITHMS if (digest := getattr(self, name)) is not None)
        return KnownFile(self.name, algorithm, digest, self.examples or 0)  # type: ignore[arg-type]


class DatasetSpec(StrictModel):
    name: Name = Field(description="the data set's name")
    split: Name = Field(description="which part of it is the test")
    examples: Count = Field(description="how many examples the test has")
    input_shape: Annotated[list[Count], Field(min_length=1, max_length=8)] = Field(
        description="the shape of one example, without the batch"
    )
    input_format: Format = Field(description="the numeric format of an example's values")
    classes: Count = Field(description="the length of the answer: classes, or words of the vocabulary")
    preprocessing: Annotated[list[Steps], Field(min_length=1), AfterValidator(_distinct)] = Field(
        description="every preprocessing that an entry may choose, the default first"
    )
    labels: Name | None = Field(None, description="the label map: names of the classes, from labels/<name>.txt")
    label_order: LabelOrder | None = Field(None, description="how classes are numbered: by sorted name, or as the map lists them")
    files: Annotated[list[FileSpec], Field(max_length=100)] = Field([], description="published files of the data set, with their digests")

    def fact(self, labels: tuple[str, ...]) -> Dataset:
        return Dataset(
            name=self.name,
            split=self.split,
            examples=self.examples,
            input_shape=tuple(self.input_shape),
            input_format=self.input_format,
            classes=self.classes,
            preprocessing=tuple(steps.name for steps in self.preprocessing),
            steps=tuple(found for steps in self.preprocessing if (found := steps.fact()) is not None),
            labels=labels,
            label_order=self.label_order or "sorted",
            files=tuple(known.fact() for known in self.files),
        )


def dataset_problems(dataset: Mapping[str, Any]) -> Iterable[tuple[Place, Problem]]:
    """Rules between the keys of ``dataset``, on the raw data."""
    for index, known in _mappings(dataset.get("files")):
        given = [name for name in _ALGORITHMS if name in known]
        if len(given) != 1:
            got = f"a file with {' and '.join(given) or 'no digest'}"
            yield ("dataset", "files", index), Problem(got, f"have one of {', '.join(_ALGORITHMS)}")
    shape = dataset.get("input_shape")
    for index, steps in _mappings(dataset.get("preprocessing")):
        if len(steps) > 1 and isinstance(shape, list):
            yield from _steps_problems(("dataset", "preprocessing", index), steps, shape)


def _steps_problems(place: Place, steps: Mapping[str, Any], shape: list[Any]) -> Iterable[tuple[Place, Problem]]:
    resize, crop, last = steps.get("resize"), steps.get("crop"), steps.get("layout") == "channels-last"
    if len(shape) != _DIMENSIONS:
        yield place, Problem("steps for images", "be left out: dataset.input_shape is not the shape of an image")
        return
    channels, sides = (shape[2], shape[:2]) if last else (shape[0], shape[1:])
    if "interpolation" in steps and "resize" not in steps:
        yield (*place, "interpolation"), Problem("interpolation without 'resize'", "be left out")
    if "resize" in steps and "crop" not in steps:
        yield (*place, "resize"), Problem("resize without 'crop'", "have one, because images differ in their proportions")
    if isinstance(resize, int) and isinstance(crop, int) and crop > resize:
        yield (*place, "crop"), Problem(f"crop: the number {crop}", f"be at most {resize}, as resize is")
    if isinstance(crop, int) and sides != [crop, crop]:
        yield (*place, "crop"), Problem(f"crop: the number {crop}", f"give images of {sides[0]}×{sides[1]}, as dataset.input_shape says")
    for key in ("mean", "deviation"):
        numbers = steps.get(key)
        if isinstance(numbers, list) and len(numbers) != channels:
            yield (*place, key), Problem(f"{key}: {len(numbers)} numbers", f"be {channels}, one per channel of dataset.input_shape")


def _mappings(items: Any) -> Iterable[tuple[int, Mapping[str, Any]]]:
    return [(place, item) for place, item in enumerate(items) if isinstance(item, dict)] if isinstance(items, list) else []
