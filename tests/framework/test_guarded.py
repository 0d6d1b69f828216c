"""F9, F10: what a loader does against the interface is its plugin's defect; named faults and a lack of memory pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from micronet_verify.errors import BenchFault, PluginFault, Problem, SubmissionFault
from micronet_verify.framework.guarded import loader_on
from micronet_verify.framework.protocols import Answer, Framework
from micronet_verify.framework.requests import PredictRequest, StepRequest, TraceRequest

REQUEST = PredictRequest(Path("model.odd"), np.zeros((3, 2), np.float32), 2)
ROWS = np.zeros((2, 1), np.float32)


def loader(**methods: Any) -> Any:
    return type("Loader", (), methods)


def framework(made: Any) -> Framework:
    return Framework("odd", (".odd",), made, lambda: None, dict)  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (loader(), "got no predict but should be a method predict(request)"),
        (loader(predict=3), "got no predict but should be a method predict(request)"),
        (loader(predict=lambda self: []), "got predict() but should be a method predict(request)"),
        (loader(predict=lambda self, request, more: []), "got predict(request, more) but should be a method predict(request)"),
        (loader(predict=lambda self, request: [], export=lambda self, request, folder: ""), "got export(request, folder) but should be a"),
        (loader(predict=lambda self, request: [], stepper=lambda self: None), "got stepper() but should be a method stepper(request)"),
        (lambda: {}["here"], "got KeyError: 'here' in the making of its loader but should end with an answer or a named fault"),
        (lambda device: None, "got TypeError: <lambda>() missing 1 required positional argument: 'device' in the making of its loader"),
    ],
)
def test_F9_a_loader_of_another_form(made: Any, words: str) -> None:
    with pytest.raises(PluginFault) as caught:
        loader_on(framework(made), "cpu")
    assert str(caught.value).startswith(words)
    assert "a defect of a plugin: report it to its authors" in str(caught.value)


def raising(error: BaseException) -> Any:
    def predict(self: Any, request: PredictRequest) -> Any:
        yield Answer(ROWS)
        raise error

    return predict


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (None, "got TypeError: 'NoneType' object is not iterable in predict but should end with an answer or a named fault"),
        ([{"outputs": ROWS}], "got dict from predict but should yield an Answer for each batch"),
        ([ROWS], "got ndarray from predict but should yield an Answer for each batch"),
        ([Answer([[1.0]])], "got outputs of type list but should be an array of numpy"),  # type: ignore[arg-type]
        ([Answer(ROWS.astype(int))], "got outputs of type int64 but should be float32 or float64"),
        ([Answer(np.array(1, np.float32))], "got an output without axes but should have the examples as its first axis"),
        ([Answer(ROWS)], "got 2 outputs for 3 inputs from predict but should be one for each input"),
        ([Answer(ROWS)] * 2, "got more than 3 outputs from predict but should be one for each input"),
        ([Answer(ROWS, [0, 1])], "got a record of branches of type list but should map each branch's id"),  # type: ignore[arg-type]
        ([Answer(ROWS, {"exit": (0,)})], "got 1 records of branch 'exit' for 2 examples but should be one for each"),
        ([Answer(ROWS, {"exit": (0, -2)})], "got a record of branch 'exit' but should be bodies by number"),
        ([Answer(ROWS, {"exit": (0.0, 1.0)})], "got a record of branch 'exit' but should be bodies by number"),  # type: ignore[dict-item]
    ],
)
def test_F10_answers_that_are_none(answers: Any, words: str) -> None:
    guarded = loader_on(framework(loader(predict=lambda self, request: answers)), "cpu")
    with pytest.raises(PluginFault) as caught:
        list(guarded.predict(REQUEST))
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize(
    ("error", "becomes"),
    [
        (SubmissionFault(Problem("inputs", "fit")), SubmissionFault),
        (BenchFault(Problem("a device", "be there")), BenchFault),
        (MemoryError(), MemoryError),
        (OSError(28, "No space left on device"), OSError),
        (OSError(2, "No such file or directory"), PluginFault),
        (KeyError("here"), PluginFault),
        (SystemExit(0), PluginFault),
        (RecursionError(), PluginFault),
    ],
)
def test_named_faults_and_a_lack_of_room_pass(error: BaseException, becomes: type[BaseException]) -> None:
    guarded = loader_on(framework(loader(predict=raising(error))), "cpu")
    with pytest.raises(becomes) as caught:
        list(guarded.predict(REQUEST))
    assert type(caught.value) is becomes


@pytest.mark.parametrize(
    ("stepper", "words"),
    [
        (None, "got AttributeError: 'NoneType' object has no attribute 'form' in stepper"),
        (type("Stepper", (), {"form": (1, 2)})(), "got tuple from stepper but should have a form: Form(states, length)"),
    ],
)
def test_F10_steppers_that_are_none(stepper: Any, words: str) -> None:
    guarded = loader_on(framework(loader(predict=lambda self, request: [], stepper=lambda self, request: stepper)), "cpu")
    assert guarded.steps
    with pytest.raises(PluginFault) as caught:
        guarded.stepper(StepRequest(Path("model.odd"), 5))
    assert str(caught.value).startswith(words)


def test_shapes_that_differ_are_told_as_the_plugin_tells_them() -> None:
    def check_shapes(self: Any, request: TraceRequest) -> None:
        raise BenchFault(Problem(f"a value of shape {request.example.shape}", "be of another"))

    guarded = loader_on(framework(loader(predict=lambda self, request: [], check_shapes=check_shapes)), "cpu")
    assert guarded.traces
    with pytest.raises(BenchFault, match=r"^got a value of shape \(1, 2\) but should be of another$"):
        guarded.check_shapes(TraceRequest(Path("model.odd"), REQUEST.inputs[:1]))
