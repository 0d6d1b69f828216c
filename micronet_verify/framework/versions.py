"""The versions of installed packages, as a plugin's ``version()`` tells them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata


def package_versions(*packages: str) -> Mapping[str, str | None]:
    """The installed version of each package by its name, ``None`` for one that is missing. Imports none of them."""
    return {package: _installed(package) for package in packages}


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
