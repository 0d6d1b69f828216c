"""Which installed package a plugin is."""

from __future__ import annotations

from dataclasses import dataclass

from micronet_verify.errors import Problem


@dataclass(frozen=True, slots=True)
class Origin:
    """Which installed package a plugin is: the distribution, its version, and the name of the entry point."""

    distribution: str
    version: str
    entry: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"

    @property
    def place(self) -> str:
        return f"plugin {self.entry!r} of {self}"

    @property
    def remedy(self) -> str:
        return f"report it to the authors of {self.distribution}, or do without: pip uninstall {self.distribution}"

    def problem(self, got: str, should: str, advice: str = "") -> Problem:
        """A sentence about this plugin that says who can mend it."""
        return Problem(got, should, self.place, advice or self.remedy)
