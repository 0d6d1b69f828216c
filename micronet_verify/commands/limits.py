"""Track files with the widest limits that the format allows, for judging on a machine that is slower than the organizers'."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

# The most that track/spec.py accepts: seven days, and a TiB.
SECONDS = 7 * 86400
MIB = 1 << 20
_STEPS = ("export", "translate", "predict", "prove")


def without_limits(folders: Sequence[Path], into: Path) -> None:
    """Write every track of ``folders`` and of the package to ``into``, equal but for its limits.

    Found before the originals where ``into`` stands first among the folders of tracks.
    """
    from micronet_verify.strict_yaml.load import load
    from micronet_verify.track.library import spec_folder

    into.mkdir(parents=True, exist_ok=True)
    for folder in (*folders, spec_folder()):
        for path in sorted(folder.glob("*.yaml")):
            target = into / path.name
            if not target.exists():  # as in the search for a track, the first folder that has it counts
                data = dict(load(path).data)
                step = {"seconds": SECONDS, "memory_mib": MIB}
                data["limits"] = {**dict.fromkeys(_STEPS, step), "output_mib": MIB}
                target.write_text(f"{_flow(data)}\n", encoding="utf-8")


def _flow(value: Any) -> str:
    """A value as YAML in flow style; numbers keep every digit."""
    import json

    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(str(key))}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return format(value, "f") if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)
