"""The published schemas and pages say what the models say."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from micronet_verify.submission import spec as submission_spec
from micronet_verify.submission.load import load_submission
from micronet_verify.submission.manifest import MANIFEST
from micronet_verify.track import spec as track_spec
from micronet_verify.track.library import load_track, spec_folder
from micronet_verify.track.rules import KNOBS

DOCS = Path(__file__).resolve().parents[2] / "docs"


def models(module: object) -> list[type[BaseModel]]:
    found = [thing for thing in vars(module).values() if isinstance(thing, type) and issubclass(thing, BaseModel)]
    return [model for model in found if model.model_fields]


def keys(module: object) -> set[str]:
    return {field.alias or name for model in models(module) for name, field in model.model_fields.items()}


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def example(name: str) -> str:
    found = re.search(r"```yaml\n(.*?)```", page(name), re.DOTALL)
    assert found
    return found[1]


def rendered() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("generate_schemas", DOCS / "schema" / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.rendered())


@pytest.mark.parametrize("name", ["submission.schema.json", "track.schema.json", "rules.schema.json"])
def test_schemas_are_up_to_date(name: str):
    assert page(f"schema/{name}") == rendered()[name], "run: python docs/schema/generate.py"


def test_a_schema_says_what_the_reader_demands():
    schema = json.loads(page("schema/submission.schema.json"))
    assert schema["required"] == ["schema", "title", "team", "members", "track", "framework", "submitted"]
    assert schema["additionalProperties"] is False
    assert schema["oneOf"] == [{"required": ["model"]}, {"required": ["source"]}]
    assert schema["properties"]["model"] == {"description": "the model file; either this or source", "maxLength": 200, "type": "string"}


def test_every_key_has_a_description():
    for model in models(submission_spec) + models(track_spec):
        for name, field in model.model_fields.items():
            assert field.description, (model, name)


@pytest.mark.parametrize(("name", "module"), [("submission.md", submission_spec), ("track.md", track_spec)])
def test_pages_explain_every_key(name: str, module: object):
    text = page(name)
    assert [key for key in sorted(keys(module)) if f"`{key}`" not in text] == []


def test_the_page_of_tracks_explains_every_value_of_every_knob():
    text = page("track.md")
    values = {str(value) for knob in KNOBS.values() for value in knob}
    values |= {str(value) for model in models(track_spec) for field in model.model_fields.values() for value in get_args(field.annotation)}
    plain = {value for value in values if re.fullmatch(r"[a-z0-9_]+", value)}
    assert [value for value in sorted(plain) if f"`{value}`" not in text] == []


def test_the_example_of_a_submission_is_one(tmp_path: Path):
    (tmp_path / MANIFEST).write_text(example("submission.md"), encoding="utf-8")
    for file in ("model.onnx", "weights.bin", "README.md"):
        (tmp_path / file).write_text("x", encoding="utf-8")
    manifest = load_submission(tmp_path, "example").manifest
    assert (manifest.model, manifest.track) == ("model.onnx", "digits")


def test_the_example_of_a_track_is_the_digits_track(tmp_path: Path):
    path = tmp_path / "digits.yaml"
    path.write_text(example("track.md"), encoding="utf-8")
    assert load_track(path) == load_track("digits", [spec_folder()])
