"""The version of the plugin interface, and whether a plugin was written for it.

A plugin states in its module what it was written for: ``MICRONET_INTERFACE = (1, 0)``. The first number changes where a plugin must
change; the second where something is added, so a plugin of (1, 2) needs a judge of (1, 2) or later.
"""

from __future__ import annotations

from micronet_verify.errors import Problem
from micronet_verify.framework.origin import Origin

INTERFACE = (1, 0)
STATED_AS = "MICRONET_INTERFACE"


def interface_problem(origin: Origin, stated: object) -> Problem | None:
    """Why a plugin that states ``stated`` (``None``: nothing) cannot be used; ``None`` where it can."""
    ours = f"{INTERFACE[0]}.{INTERFACE[1]}"
    if stated is None:
        advice = f"add it to its module: it says which interface the plugin is written for; {origin.remedy}"
        return origin.problem(f"a plugin without {STATED_AS}", f"state it: {STATED_AS} = {INTERFACE}", advice)
    if not isinstance(stated, tuple) or len(stated) != 2 or any(type(number) is not int or number < 0 for number in stated):
        return origin.problem(f"{STATED_AS} = {stated!r}", f"be a pair of whole numbers, such as {INTERFACE}")
    written = f"{stated[0]}.{stated[1]}"
    if stated[0] < INTERFACE[0]:
        advice = f"upgrade the plugin: pip install --upgrade {origin.distribution}"
        return origin.problem(f"a plugin for interface {written}", f"be for {ours}, which this micronet-verify has", advice)
    if stated > INTERFACE:
        advice = "upgrade micronet-verify: pip install --upgrade micronet-verify"
        return origin.problem(f"a plugin for interface {written}", f"be for {ours} at most, which this micronet-verify has", advice)
    return None
