"""Runs the contract's tests on a plugin and says which of them fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from micronet_verify.testing.cases import CASES, Case
from micronet_verify.testing.contract.programs import Programs
from micronet_verify.testing.made import Made
from tests.testing.neutral.plugin import Neutral

OF_PROGRAMS = tuple(name for name in vars(Programs) if name.startswith("test_"))


def failing(plugin: Neutral, cases: Sequence[Case], folder: Path) -> list[tuple[str, str]]:
    """(test, program) of what fails of the tests of programs, up to the first program that fails one."""
    made, contract = Made(plugin, folder), Programs()
    for case in cases:
        found = [
            (name, case.program.name) for name in OF_PROGRAMS if fails(lambda name=name, case=case: getattr(contract, name)(made, case))
        ]
        if found:
            return found
    return []


def fails(test: Callable[[], object]) -> bool:
    """Whether a test fails; a skipped one does not."""
    try:
        test()
    except pytest.skip.Exception:
        return False
    except (Exception, pytest.fail.Exception):
        return True
    return False


def affected(change: Callable[[object], object]) -> Iterator[Case]:
    """The cases whose program a change makes another."""
    return (case for case in CASES if change(case.program) is not case.program)
