"""The hooks that plugins implement, and the marker they use: ``from micronet_verify.framework.hookspecs import hookimpl``."""

from __future__ import annotations

import pluggy

from micronet_verify.framework.data import Metric, Reader
from micronet_verify.framework.protocols import Framework

PROJECT = "micronet_verify"
ENTRY_POINTS = "micronet_verify"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def micronet_framework() -> Framework:  # type: ignore[empty-body]
    """Hand over one framework. Called once; importing the plugin must not import the framework itself."""


@hookspec
def micronet_reader() -> Reader:  # type: ignore[empty-body]
    """Hand over the reader of one data set. Called once."""


@hookspec
def micronet_metric() -> Metric:  # type: ignore[empty-body]
    """Hand over one metric. Called once."""
