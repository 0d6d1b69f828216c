"""The plugin, whole or with a defect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from micronet_verify.framework.protocols import Counter, Framework, Loader
from micronet_verify.testing import Plugin, Program, Step
from tests.testing.neutral import form
from tests.testing.neutral.counter import NeutralCounter
from tests.testing.neutral.loader import NeutralLoader


def _unknown(folder: Path) -> tuple[Path, str]:
    return form.write(Program("unknown", (4,), (Step("unheard"),)), folder), "unheard"


def _version() -> dict[str, str | None]:
    return {"numpy": "2"}


@dataclass(frozen=True)
class Neutral(Plugin):
    """The plugin of the notation; not installed, so that it hands over its framework itself."""

    name: str = "neutral"
    module: str = "tests.testing.neutral.plugin"
    write: Callable[[Program, Path], Path] = form.write
    write_unknown: Callable[[Path], tuple[Path, str]] = _unknown
    loader: Callable[[], Loader] = NeutralLoader
    counter: Callable[[], Counter] = NeutralCounter

    @property
    def framework(self) -> Framework:
        return Framework("neutral", (".notation",), lambda: self.loader(), lambda: self.counter(), _version)

    def with_counter(self, counter: Callable[[], Counter]) -> Neutral:
        return replace(self, counter=counter)

    def with_loader(self, loader: Callable[[], Loader]) -> Neutral:
        return replace(self, loader=loader)
