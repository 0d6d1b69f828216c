"""The hooks that plugins implement, and the marker they use: ``from micronet_verify.plugin import hookimpl``."""

from __future__ import annotations

from collections.abc import Sequence

import pluggy

from micronet_verify.framework.data import Metric, Reader
from micronet_verify.framework.organizing import Check, Report
from micronet_verify.framework.protocols import Framework

PROJECT = "micronet_verify"
ENTRY_POINTS = "micronet_verify"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def micronet_framework() -> Framework | Sequence[Framework]:  # type: ignore[empty-body]
    """Hand over one framework, or several in a tuple. Called once; importing the plugin must not import the framework itself."""


@hookspec
def micronet_reader() -> Reader | Sequence[Reader]:  # type: ignore[empty-body]
    """Hand over the reader of one data set, or several in a tuple. Called once."""


@hookspec
def micronet_metric() -> Metric | Sequence[Metric]:  # type: ignore[empty-body]
    """Hand over one metric, or several in a tuple. Called once."""


@hookspec
def micronet_check() -> Check | Sequence[Check]:  # type: ignore[empty-body]
    """Hand over one check of the organizers', or several in a tuple. Called once; each is asked about every entry."""


@hookspec
def micronet_report() -> Report | Sequence[Report]:  # type: ignore[empty-body]
    """Hand over one report of the organizers', or several in a tuple. Called once; each is written at the end of a run."""


NAMES = tuple(name for name, item in list(vars().items()) if hasattr(item, f"{PROJECT}_spec"))
"""Every hook."""
