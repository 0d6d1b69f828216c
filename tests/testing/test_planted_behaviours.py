"""Defects of how a plugin behaves fail the contract, too; on the same tests the sound plugin fails nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

from micronet_verify.testing import PluginContract
from micronet_verify.testing.cases import CASES, Case
from micronet_verify.testing.contract.fixtures import written
from micronet_verify.testing.damage import DAMAGES, LOSSES
from micronet_verify.testing.made import Made
from tests.testing.behaviours import BEHAVIOURS, SOUND, Remembering
from tests.testing.neutral.plugin import Neutral
from tests.testing.planted import failing, fails


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    Remembering.known.clear()


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_a_planted_behaviour_fails_the_contract(name: str, tmp_path: Path) -> None:
    plugin, programs, test = BEHAVIOURS[name]
    cases = [case for case in CASES if case.program.name in programs]
    assert len(cases) == len(programs)
    assert _fails_alone(plugin, cases[0], test, tmp_path) if test else failing(plugin, cases, tmp_path), name


@pytest.mark.parametrize("test", sorted({test for _, _, test in BEHAVIOURS.values() if test}))
def test_the_sound_plugin_passes_these_tests(test: str, tmp_path: Path) -> None:
    case = next(case for case in CASES if case.program.name == ("language-step" if "a_step" in test else "linear"))
    assert not _fails_alone(SOUND, case, test, tmp_path)


def _fails_alone(plugin: Neutral, case: Case, test: str, folder: Path) -> bool:
    """Whether the contract's test that begins so fails, for any damage where it is of damages."""
    (method,) = (item for name, item in inspect.getmembers(PluginContract) if name.startswith(f"test_{test}"))
    wanted = inspect.signature(method).parameters
    found = False
    for damage in (LOSSES if "beside" in test else DAMAGES) if "damage" in wanted else ("",):
        place = folder / f"test-{damage}"
        place.mkdir()
        given = {"plugin": plugin, "case": case, "damage": damage, "batch_size": 2, "tmp_path": place}
        given["made"], given["simple"] = Made(plugin, place / "made"), (case, written(plugin, case, place / "simple"))
        found |= fails(_called(method, {key: value for key, value in given.items() if key in wanted}))
    return found


def _called(method: Callable[..., None], given: dict[str, object]) -> Callable[[], None]:
    return lambda: method(PluginContract(), **given)
