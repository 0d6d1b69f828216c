"""Writes the JSON Schemas of the file formats, for editors: ``python docs/schema/generate.py``. A test keeps them up to date."""

from __future__ import annotations

from pathlib import Path

from micronet_verify.strict_yaml.model import json_schema
from micronet_verify.submission.spec import ManifestSpec
from micronet_verify.track.spec import RulesSpec, TrackSpec

FOLDER = Path(__file__).resolve().parent


def rendered() -> dict[str, str]:
    """File name to text."""
    return {
        "submission.schema.json": json_schema(ManifestSpec, "micronet_verify submission.yaml"),
        "track.schema.json": json_schema(TrackSpec, "micronet_verify track file"),
        "rules.schema.json": json_schema(RulesSpec, "micronet_verify edition of the counting rules"),
    }


if __name__ == "__main__":
    for name, text in rendered().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
