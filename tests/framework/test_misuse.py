"""F10: misuse of the builder is the plugin's defect; shapes that a file brings and that do not fit stay the entrant's fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from micronet_verify.errors import PluginFault, SubmissionFault
from micronet_verify.facts.formats import numeric_format
from micronet_verify.framework.builder import GraphBuilder
from tests.framework.plugin_site import install, python_with, run, sound

Misuse = Callable[[Any, Any], object]


def taking_one(builder: Any) -> Any:
    body = builder.body()
    return body.finish([body.input((1, 3))])


MISUSES: dict[str, tuple[Misuse, str]] = {
    "an unknown kind": (lambda b, x: b.emit("convolution", x), "got the node kind 'convolution' but should be one of conv, matmul,"),
    "a kind that is no word": (lambda b, x: b.emit(3, x), "got the kind 3 but should be a word"),
    "an unknown attribute": (
        lambda b, x: b.emit("softmax", x, op="softmax", axes=1),
        "got softmax without axis but should state it [fake.op in here]\n"
        "got the attribute 'axes' of softmax but should be one of op, axis, safe",
    ),
    "an unknown function": (lambda b, x: b.elementwise("relu7", x), "got elementwise 'relu7' but should be one of abs,"),
    "a list for a tuple": (
        lambda b, x: b.emit("reduce", x, op="sum", axes=[1], keepdims=False),
        "got axes=[1] of reduce but should be ints",
    ),
    "numbers of numpy": (
        lambda b, x: b.emit("reduce", x, op="sum", axes=tuple(np.array([1])), keepdims=False),
        "got axes=(np.int64(1),) of reduce but should be ints",
    ),
    "a number for a truth": (
        lambda b, x: b.emit("reduce", x, op="sum", axes=(1,), keepdims=1),
        "got keepdims=1 of reduce but should be bool",
    ),
    "an axis from the end": (
        lambda b, x: b.emit("softmax", x, op="softmax", axis=-1),
        "got axis=-1 of softmax but should be counted from the front: 2 for -1",
    ),
    "axes from the end": (
        lambda b, x: b.emit("reduce", x, op="sum", axes=(0, -2), keepdims=False),
        "got axes=(0, -2) of reduce but should be counted from the front: 1 for -2",
    ),
    "a size to be worked out": (
        lambda b, x: b.reshape(x, (2, -1)),
        "got shape=(2, -1) of move but should have every size worked out",
    ),
    "too many operands": (lambda b, x: b.emit("softmax", x, x, op="softmax", axis=1), "got 2 operands of softmax but should have 1 ["),
    "an operand by its name": (
        lambda b, x: b.emit("softmax", x.id, op="softmax", axis=1),
        "got 'v1' as an operand of softmax but should be a Value that the builder gave, or None",
    ),
    "an array as an operand": (
        lambda b, x: b.elementwise("add", x, np.ones(3)),
        "got array([1., 1., 1.]) as an operand of elementwise but should be a Value that the builder gave, or None",
    ),
    "a format by its name": (
        lambda b, x: b.emit("move", x, op="cast", fmt="float16"),
        "got fmt='float16' of move but should be a NumericFormat, or None",
    ),
    "an input's format by its name": (
        lambda b, x: b.input((1, 2), "float32"),
        "got the format 'float32' but should be a NumericFormat: numeric_format('float32')",
    ),
    "an input of a free batch": (lambda b, x: b.input((None, 2)), "got the shape (None, 2) but should be a tuple of whole numbers"),
    "a constant at a path": (
        lambda b, x: b.constant_at(Path("w"), 0, (1,), x.format),
        "got a constant at PosixPath('w'), 0 but should be at a file's name and an offset in bytes",
    ),
    "strides in a list": (
        lambda b, x: b.constant_at("w", 0, (1,), x.format, strides=[1]),
        "got strides=[1] but should be a tuple, in elements",
    ),
    "one output": (lambda b, x: b.finish(x), "but should be given the output values in a list"),
    "outputs by name": (lambda b, x: b.finish([x.id]), "got finish(['v1']) but should be given the output values in a list"),
    "a builder as a body": (
        lambda b, x: b.emit_bodies("branch", (x,), (b.body(), b.body())),
        "as a body of branch but should be the Graph that finish() gave",
    ),
    "operands of a branch": (
        lambda b, x: b.emit_bodies("branch", (x, x), (b.body().finish([x]), b.body().finish([x]))),
        "got 2 operands of branch but should have 1 [",
    ),
    "inputs of a branch's body": (
        lambda b, x: b.emit_bodies("branch", (x,), (taking_one(b), taking_one(b))),
        "got a body of branch with inputs of its own but should have none: it reads the values around it as they are [",
    ),
}


@pytest.mark.parametrize("name", MISUSES)
def test_F10_misuse_of_the_builder_is_the_plugins_defect(name: str) -> None:
    builder = GraphBuilder(None)
    builder.at("fake.op", "here")
    misuse, words = MISUSES[name]
    with pytest.raises(PluginFault) as caught:
        misuse(builder, builder.input((1, 2, 3)))
    assert words in str(caught.value)
    assert str(caught.value).endswith("[fake.op in here]")


@pytest.mark.parametrize(
    ("misfit", "words"),
    [
        (lambda b, x: b.elementwise("add", x, b.input((5, 4))), "(1, 2, 3)"),
        (lambda b, x: b.emit("softmax", x, op="softmax", axis=7), "got axis 7 on a tensor of shape (1, 2, 3)"),
        (
            lambda b, x: b.emit("softmax", x, op="softmax", axis=-9),
            "got axis -9 on a tensor of shape (1, 2, 3)",
        ),
        (lambda b, x: b.reshape(x, (7,)), "(7,)"),
        (lambda b, x: b.input((1, -4)), "got a tensor of shape (1, -4) but should have no negative sizes"),
        (lambda b, x: b.matmul(x, b.input((4, 4))), "got extents 3 and 4"),
    ],
)
def test_F10_shapes_that_a_file_brings_stay_the_entrants_fault(misfit: Misuse, words: str) -> None:
    builder = GraphBuilder(None)
    with pytest.raises(SubmissionFault) as caught:
        misfit(builder, builder.input((1, 2, 3)))
    assert words in str(caught.value)


def test_sizes_of_numpy_are_sizes() -> None:
    value = GraphBuilder(None).input(tuple(np.array([1, 2])), numeric_format("float32"))
    assert [type(size) for size in value.shape] == [int, int]


MOVE = 'builder.emit("move", x, op="slice", axes=(1,), starts=(0,), ends=(2,), steps=(1,))'
DEFECTS = {
    "list": (("axes=(1,)", "axes=[1]"), "got axes=[1] of move but should be ints [sum in whole]"),
    "axis": (("axes=(1,)", "axes=(-1,)"), "got axes=(-1,) of move but should be counted from the front: 1 for -1"),
    "none": (
        ("return builder.finish([", "builder.finish(["),
        "got None from translate but should return the Graph",
    ),
    "another builder's": (
        ("return builder.finish(", "return builder.body().finish("),
        "got outputs of another builder from translate (v2) but should be values that this builder gave",
    ),
    "raises": (('builder.at("sum", "whole")', "{}[3]"), "got KeyError: 3 in translate but should end with an answer"),
    "quits": (
        ('builder.at("sum", "whole")', "raise SystemExit(4)"),
        "got SystemExit: 4 in translate but should end with an answer",
    ),
    "leaves": (('builder.at("sum", "whole")', "import os; os._exit(5)"), "got Ended: a call of os._exit in translate but should end"),
    "organizer": (
        ('builder.at("sum", "whole")', "from micronet_verify.errors import SpecError; raise SpecError(Problem('a', 'b'))"),
        "got a but should b",
    ),
    "arguments": (
        ("def translate(self, request, builder):", "def translate(self, artifact, builder, batch):"),
        "got translate(artifact, builder, batch) but should be a method translate(request, builder)",
    ),
    "factory": (("Loader, Counter,", "Loader, lambda: 1 / 0,"), "got ZeroDivisionError: division by zero in the making of its counter"),
    "no-translate": (
        ("class Counter:\n    def translate", "class Counter:\n    def count"),
        "got no translate but should be a method",
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_F10_a_defect_of_a_counter_ends_with_3_and_names_its_plugin(tmp_path: Path, name: str) -> None:
    (before, after), words = DEFECTS[name]
    code = sound("odd").replace("Answer, Framework,", "Answer, Framework, Problem,")
    assert before in code
    install(tmp_path / "site", "odd", code.replace(before, after))
    (tmp_path / "model.odd").write_text("anything")
    done = run(python_with(tmp_path / "env", tmp_path / "site"), "count", tmp_path / "model.odd")
    assert (done.returncode, done.stdout) == (3, "")
    assert words in done.stderr
    assert "a defect of plugin 'odd' of micronet-odd 1.0: report it to the authors of micronet-odd" in done.stderr
