"""The hook a framework plugin implements, and the marker it uses: ``from micronet_verify.framework.hookspecs import hookimpl``."""

from __future__ import annotations

import pluggy

from micronet_verify.framework.protocols import Framework

PROJECT = "micronet_verify"
ENTRY_POINTS = "micronet_verify"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def micronet_framework() -> Framework:  # type: ignore[empty-body]
    """Hand over one framework. Called once; importing the plugin must not import the framework itself."""
