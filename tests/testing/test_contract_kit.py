"""The contract finds what it is there to find: a plugin with one defect fails the test of that name, a sound one none."""

from __future__ import annotations

import pytest

import tests.plugins.onnx.test_contract  # noqa: F401, numpy cannot be imported anew for each inner run

SOUND = """
from dataclasses import replace

import numpy as np
import pytest

from micronet_verify.framework.protocols import Answer
from micronet_verify.testing import Plugin, PluginContract
from tests.plugins.onnx.test_contract import write, write_unknown


class Changed(Plugin):
    @property
    def framework(self):
        sound = super().framework
        return replace(sound, loader=lambda: LOADER(sound.loader()), counter=lambda: COUNTER(sound.counter()))


class Loader:
    def __init__(self, sound):
        self.sound = sound

    def predict(self, artifact, inputs, batch_size, threads):
        yield from self.sound.predict(artifact, inputs, batch_size, threads)


class Counter:
    def __init__(self, sound):
        self.sound = sound

    def translate(self, artifact, builder):
        return self.sound.translate(artifact, builder)

LOADER, COUNTER = Loader, Counter
{defect}

class TestIt(PluginContract):
    @pytest.fixture
    def plugin(self):
        return Changed("onnx", "micronet_verify_onnx", write, write_unknown)
"""

DEFECTS = {
    "forgets the last batch": (
        """
class LOADER(Loader):
    def predict(self, artifact, inputs, batch_size, threads):
        whole = len(inputs) // batch_size * batch_size or len(inputs)
        yield from self.sound.predict(artifact, inputs[:whole], batch_size, threads)
""",
        "answers_what_numpy_answers and linear-pruned",
    ),
    "answers by the neighbours": (
        """
class LOADER(Loader):
    def predict(self, artifact, inputs, batch_size, threads):
        for answer in self.sound.predict(artifact, inputs, batch_size, threads):
            yield Answer(answer.outputs - answer.outputs.mean(0))
""",
        "batch_size_changes_no_answer",
    ),
    "answers with whole numbers": (
        """
class LOADER(Loader):
    def predict(self, artifact, inputs, batch_size, threads):
        for answer in self.sound.predict(artifact, inputs, batch_size, threads):
            yield Answer(answer.outputs.astype(np.int64))
""",
        "answers_are_floats",
    ),
    "lets an exception through": (
        """
class COUNTER(Counter):
    def translate(self, artifact, builder):
        if artifact.read_bytes()[:1] in (b"", b"n"):
            raise EOFError("cut short")
        return self.sound.translate(artifact, builder)
""",
        "damaged_file and (empty or text)",
    ),
    "writes into the artifact": (
        """
class COUNTER(Counter):
    def translate(self, artifact, builder):
        (artifact.parent / "cache").write_text("here")
        return self.sound.translate(artifact, builder)
""",
        "leave_the_artifact_alone",
    ),
    "depends on chance": (
        """
import os
class COUNTER(Counter):
    def translate(self, artifact, builder):
        builder.at(os.urandom(4).hex())
        builder.input((1, 2), label=os.urandom(4).hex())
        return self.sound.translate(artifact, builder)
""",
        "twice_gives_the_same_bytes",
    ),
    "leaves out what it does not know": (
        """
import onnx
class COUNTER(Counter):
    def translate(self, artifact, builder):
        model = onnx.load(artifact)
        for node in model.graph.node:
            if node.op_type in ("Softmax", "Unheard"):
                node.op_type = "Identity"
                del node.attribute[:]
        other = artifact.with_name("other.onnx")
        onnx.save(model, other)
        try:
            return self.sound.translate(other, builder)
        finally:
            other.unlink()
""",
        "unknown_operator or (costs_what and softmax)",
    ),
}


def outcomes(pytester: pytest.Pytester, defect: str, tests: str) -> dict[str, int]:
    pytester.makepyfile(SOUND.format(defect=defect))
    return pytester.runpytest_inprocess("-q", "-p", "no:cacheprovider", "-k", tests).parseoutcomes()


@pytest.mark.parametrize("name", DEFECTS)
def test_a_plugin_with_a_defect_fails(pytester: pytest.Pytester, name: str) -> None:
    found = outcomes(pytester, *DEFECTS[name])
    assert found.get("failed", 0) >= 1, found
    assert found.get("passed", 0) == 0, found


@pytest.mark.parametrize("name", DEFECTS)
def test_a_sound_plugin_passes_the_same_tests(pytester: pytest.Pytester, name: str) -> None:
    found = outcomes(pytester, "", DEFECTS[name][1])
    assert found["passed"] >= 1
    assert "failed" not in found


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
