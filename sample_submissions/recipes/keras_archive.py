"""Writes ``.keras`` files that are the same bytes on every run.

Keras notes the time of saving, which becomes a fixed date, and the addresses of objects in memory, which become 1, 2, 3 …
"""

from __future__ import annotations

import json
import re
import tempfile
import zipfile
from pathlib import Path
from typing import Any

SAVED = "2026-01-15@12:00:00"
DATE = (2026, 1, 15, 12, 0, 0)


def save(model: Any, folder: Path) -> None:
    """``model`` as ``folder/model.keras``."""
    with tempfile.TemporaryDirectory(prefix="micronet-samples-") as work:
        model.save(Path(work) / "model.keras")
        with zipfile.ZipFile(Path(work) / "model.keras") as written:
            members = {name: written.read(name) for name in sorted(written.namelist())}
    metadata = json.loads(members["metadata.json"])
    members["metadata.json"] = json.dumps({**metadata, "date_saved": SAVED}).encode()
    members["config.json"] = _numbered(members["config.json"].decode()).encode()
    with zipfile.ZipFile(folder / "model.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, DATE), data, zipfile.ZIP_DEFLATED)


def _numbered(config: str) -> str:
    numbers: dict[str, int] = {}
    return re.sub(r'(?<="shared_object_id": )\d+', lambda found: str(numbers.setdefault(found[0], len(numbers) + 1)), config)
