"""The sentences with which an entrant is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec

import pytest

from micronet_verify.errors import SubmissionFault

Given = ParamSpec("Given")


def refused(act: Callable[Given, object], *given: Given.args, **named: Given.kwargs) -> list[str]:
    """What ``act`` says when it refuses what it is given."""
    with pytest.raises(SubmissionFault) as caught:
        act(*given, **named)
    return [str(problem) for problem in caught.value.problems]


def complaints(act: Callable[Given, object], *given: Given.args, **named: Given.kwargs) -> list[str]:
    """The same, nothing where it takes what it is given; whatever else it raises is raised."""
    try:
        act(*given, **named)
    except SubmissionFault as fault:
        return [str(problem) for problem in fault.problems]
    return []
