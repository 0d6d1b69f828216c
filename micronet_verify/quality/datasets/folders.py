"""Where data sets lie and where prepared inputs are kept: said on the command line, in the environment, or in a file.

``~/.config/micronet-verify/config.yaml`` (under ``$XDG_CONFIG_HOME`` where that is set) has two keys, both optional:
``data``, the folder of data sets, and ``cache``, the folder of prepared inputs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from micronet_verify.errors import BenchFault
from micronet_verify.strict_yaml.load import load
from micronet_verify.strict_yaml.model import StrictModel, parse

VARIABLE = "MICRONET_DATA"
PROGRAM = "micronet-verify"
# For sentences: how to say where the data sets are.
WAYS = f"name the folder of data sets with --data, with {VARIABLE}, or with data: in ~/.config/{PROGRAM}/config.yaml"


class ConfigSpec(StrictModel):
    """The operator's own settings."""

    data: str | None = Field(None, description="the folder of data sets")
    cache: str | None = Field(None, description="the folder of prepared inputs")


def data_root(option: Path | None = None, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder of data sets: ``option``, else ``$MICRONET_DATA``, else ``data`` of the config file; ``None`` if none says.

    It need not exist. Raises ``BenchFault`` for a config file that cannot be read, with its lines.
    """
    named = environment.get(VARIABLE) or config(environment).data if option is None else None
    return Path(named).expanduser().absolute() if named else option


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of prepared inputs: ``cache`` of the config file, else ``~/.cache/micronet-verify`` (``$XDG_CACHE_HOME``)."""
    named = config(environment).cache
    return Path(named).expanduser().absolute() if named else _folder(environment, "XDG_CACHE_HOME", ".cache")


def config(environment: Mapping[str, str] = os.environ) -> ConfigSpec:
    """The config file's settings; none where there is no such file. Raises ``BenchFault``."""
    path = _folder(environment, "XDG_CONFIG_HOME", ".config") / "config.yaml"
    return parse(ConfigSpec, load(path, str(path)), BenchFault) if path.exists() else ConfigSpec(data=None, cache=None)


def _folder(environment: Mapping[str, str], variable: str, below_home: str) -> Path:
    base = environment.get(variable, "")
    return (Path(base) if base.startswith("/") else Path.home() / below_home) / PROGRAM
