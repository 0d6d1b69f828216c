"""The contract as pytest runs it: with an installed plugin it passes, with a defect it fails, and alone it says what it lacks.

Which defects it finds is tried without pytest in between (``test_planted_defects``, ``test_planted_behaviours``).
"""

from __future__ import annotations

import pytest

import tests.plugins.onnx.programs  # noqa: F401, numpy cannot be imported anew for each inner run

INSTALLED = """
from dataclasses import replace
import pytest
from micronet_verify.testing import Plugin, PluginContract
from tests.plugins.onnx.programs import write, write_unknown

class Changed(Plugin):
    @property
    def framework(self):
        return replace(super().framework{change})

class TestIt(PluginContract):
    @pytest.fixture
    def plugin(self):
        return Changed("onnx", "micronet_verify_onnx", write, write_unknown)
"""


@pytest.mark.parametrize(
    ("change", "tests"),
    [
        ("", "registered or suffixes or versions or sandbox or (linear-pruned and answers)"),
        (", name='another'", "registered"),
        (", suffixes=('onnx',)", "suffixes"),
        (", version=dict", "versions"),
    ],
)
def test_an_installed_plugin_passes_and_a_changed_one_fails(pytester: pytest.Pytester, change: str, tests: str) -> None:
    pytester.makepyfile(INSTALLED.format(change=change))
    found = pytester.runpytest_inprocess("-q", "-p", "no:cacheprovider", "-k", tests).parseoutcomes()
    assert ("failed" in found, "passed" in found) == (bool(change), not change), found


def test_a_class_without_the_fixture_is_told_so(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("from micronet_verify.testing import PluginContract\nclass TestIt(PluginContract): pass\n")
    result = pytester.runpytest_inprocess("-q", "-k", "versions")
    result.stdout.fnmatch_lines(["*a subclass of PluginContract has a fixture `plugin`*"])


def test_a_plugin_that_can_say_nothing_has_not_passed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
from micronet_verify.testing import Plugin, PluginContract, Unsupported
import pytest
def write(program, folder):
    raise Unsupported("nothing")
class TestIt(PluginContract):
    @pytest.fixture
    def plugin(self):
        return Plugin("onnx", "micronet_verify_onnx", write, write)
""")
    found = pytester.runpytest_inprocess("-q", "-k", "enough or costs_what").parseoutcomes()
    assert found["failed"] == 1
    assert found["skipped"] >= 30
