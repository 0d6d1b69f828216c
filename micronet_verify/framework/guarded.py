"""A plugin's counter and loader as the worker calls them: whatever they do against the interface is their plugin's defect, by name.

Faults that a plugin raises by name pass. Every other exception, an answer of another type, and misuse of the builder become a
``PluginFault`` with the place in the plugin's code, its distribution and its version.
"""

from __future__ import annotations

import errno
import inspect
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.errors import BenchFault, MicronetError, PluginFault, Problem, SubmissionFault
from micronet_verify.facts.graph import Graph
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.guard import sentence
from micronet_verify.framework.origin import Origin
from micronet_verify.framework.protocols import CPU, Answer, Exporting, Framework, Tracing
from micronet_verify.framework.registry import origin_of
from micronet_verify.framework.requests import ExportRequest, PredictRequest, StepRequest, TraceRequest, TranslateRequest
from micronet_verify.framework.stepping import Form, Stepper, Stepping

_FRAMES = 4
_NAMED = (SubmissionFault, BenchFault)
_NO_ROOM = (errno.EFBIG, errno.ENOSPC, errno.ENOMEM, errno.EDQUOT)


@contextmanager
def plugin_code(
    origin: Origin | None, what: str, passing: tuple[type[BaseException], ...] = (SubmissionFault, BenchFault)
) -> Iterator[None]:
    """Turn what a plugin's code raises into a ``PluginFault`` about ``what``, but for the kinds that it may raise.

    A lack of memory or of room on the disk stays what it is.
    """
    try:
        yield
    except GeneratorExit:
        raise
    except MicronetError as fault:
        if isinstance(fault, passing) and not isinstance(fault, PluginFault):
            raise
        raise PluginFault(blamed(problem, origin) for problem in fault.problems) from None
    except passing:
        raise
    except BaseException as error:
        if _ran_out(error):
            raise
        route = " > ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-_FRAMES:])
        problem = Problem(f"{sentence(error)} in {what}", "end with an answer or a named fault", route)
        raise PluginFault(blamed(problem, origin)) from error


def blamed(problem: Problem, origin: Origin | None) -> Problem:
    """The problem with the plugin whose defect it is, and whom to tell."""
    told = f"a defect of {origin.place}: {origin.remedy}" if origin else "a defect of a plugin: report it to its authors"
    advice = problem.advice if told in problem.advice else f"{problem.advice}; {told}" if problem.advice else told
    return Problem(problem.got, problem.should, problem.where, advice)


def check_signature(method: object, what: str, origin: Origin | None, *arguments: str) -> None:
    """Raise ``PluginFault`` unless ``method`` can be called with so many positional arguments, named here for the sentence."""
    should = f"be a method {what}({', '.join(arguments)})"
    if not callable(method):
        raise PluginFault(blamed(Problem(f"no {what}", should), origin))
    try:
        signature = inspect.signature(method)
    except (TypeError, ValueError):
        return  # code in C, which is called and seen
    try:
        signature.bind(*arguments)
    except TypeError:
        raise PluginFault(blamed(Problem(f"{what}{signature}", should), origin)) from None


def counter_of(framework: Framework) -> GuardedCounter:
    """The framework's counter. Raises ``PluginFault`` where it gives none."""
    origin = origin_of(framework.name)
    with plugin_code(origin, "the making of its counter"):
        counter = framework.counter()
    check_signature(getattr(counter, "translate", None), "translate", origin, "request", "builder")
    return GuardedCounter(counter, origin)


def loader_on(framework: Framework, device: str) -> GuardedLoader:
    """The loader that predicts on ``device``.

    Raises ``BenchFault`` where the framework, or this machine, has none; ``PluginFault`` where the plugin gives no loader.
    """
    if device != CPU and device not in framework.devices:
        known = " or ".join((CPU, *sorted(framework.devices)))
        raise BenchFault(Problem(f"the device {device!r} for the framework {framework.name!r}", f"be {known}", "stage predict"))
    origin, make = origin_of(framework.name), framework.loader if device == CPU else framework.devices[device]
    with plugin_code(origin, "the making of its loader"):
        loader = make()
    check_signature(getattr(loader, "predict", None), "predict", origin, "request")
    for name in ("export", "check_shapes", "stepper"):
        if hasattr(loader, name):
            check_signature(getattr(loader, name), name, origin, "request")
    return GuardedLoader(loader, origin)


class GuardedCounter:
    """A ``Counter``."""

    def __init__(self, counter: Any, origin: Origin | None) -> None:
        self._counter, self._origin = counter, origin

    def translate(self, request: TranslateRequest, builder: GraphBuilder) -> Graph:
        with plugin_code(self._origin, "translate"):
            graph = self._counter.translate(request, builder)
            _expect(graph, Graph, "translate", "return the Graph that builder.finish() gave")
            if foreign := [name for name in graph.outputs if name not in graph.values]:
                got = f"outputs of another builder from translate ({', '.join(foreign)})"
                raise PluginFault(Problem(got, "be values that this builder gave, in what its own finish() returns"))
        return graph  # type: ignore[no-any-return]


class GuardedLoader:
    """A ``Loader``. ``exports``, ``traces`` and ``steps``: what else it can do."""

    def __init__(self, loader: Any, origin: Origin | None) -> None:
        self._loader, self._origin = loader, origin
        self.exports, self.traces, self.steps = (isinstance(loader, each) for each in (Exporting, Tracing, Stepping))

    def export(self, request: ExportRequest) -> str:
        """Entrant's code runs in it, so what it raises is not the plugin's."""
        name = self._loader.export(request)
        if not isinstance(name, str):
            raise PluginFault(blamed(Problem(f"{name!r} from export", "be the name of the file that it wrote"), self._origin))
        return name

    def predict(self, request: PredictRequest) -> Iterator[Answer]:
        """Every answer, looked at: arrays of numbers, one row for each example, one record of a branch for each row."""
        with plugin_code(self._origin, "predict"):
            answers = iter(self._loader.predict(request))
        done, examples = 0, len(request.inputs)
        while True:
            with plugin_code(self._origin, "predict"):
                answer = next(answers, None)
                if answer is None:
                    break
                _check_answer(answer)
                done += len(answer.outputs)
                if done > examples:
                    raise PluginFault(Problem(f"more than {examples:,} outputs from predict", "be one for each input"))
            yield answer
        if done != examples:
            problem = Problem(f"{done:,} outputs for {examples:,} inputs from predict", "be one for each input")
            raise PluginFault(blamed(problem, self._origin))

    def check_shapes(self, request: TraceRequest) -> None:
        with plugin_code(self._origin, "check_shapes"):
            self._loader.check_shapes(request)

    def stepper(self, request: StepRequest) -> GuardedStepper:
        with plugin_code(self._origin, "stepper"):
            stepper = self._loader.stepper(request)
            _expect(stepper.form, Form, "stepper", "have a form: Form(states, length)")
            for name in ("start", "feed", "state"):
                check_signature(getattr(stepper, name, None), name, None, *_STEPPER[name])
            return GuardedStepper(stepper, self._origin)


_STEPPER = {"start": ("states",), "feed": ("tokens", "rows"), "state": ()}


class GuardedStepper:
    """A ``Stepper``."""

    def __init__(self, stepper: Stepper, origin: Origin | None) -> None:
        self._stepper, self._origin = stepper, origin
        self.form, self.branches, self.rows_format = stepper.form, bool(stepper.branches), np.dtype(stepper.rows_format).name

    def start(self, states: Sequence[NDArray[Any]] | None = None) -> None:
        with plugin_code(self._origin, "start"):
            self._stepper.start(states)

    def feed(self, tokens: NDArray[np.int64], rows: NDArray[Any]) -> Mapping[str, tuple[int, ...]]:
        with plugin_code(self._origin, "feed"):
            taken = self._stepper.feed(tokens, rows)
            _check_taken(taken, len(tokens))
            return taken

    def state(self) -> tuple[NDArray[Any], ...]:
        with plugin_code(self._origin, "state"):
            states = self._stepper.state()
            if not isinstance(states, tuple | list) or not all(isinstance(state, np.ndarray) for state in states):
                raise PluginFault(Problem(f"{type(states).__name__} from state", "be a tuple of arrays"))
            return tuple(states)


def _expect(found: object, wanted: type, what: str, should: str) -> None:
    if not isinstance(found, wanted):
        raise PluginFault(Problem(f"{'None' if found is None else type(found).__name__} from {what}", should))


def _check_answer(answer: object) -> None:
    _expect(answer, Answer, "predict", "yield an Answer for each batch")
    assert isinstance(answer, Answer)
    outputs = answer.outputs
    if not isinstance(outputs, np.ndarray):
        raise PluginFault(Problem(f"outputs of type {type(outputs).__name__}", "be an array of numpy"))
    if outputs.dtype not in (np.float32, np.float64):
        raise PluginFault(Problem(f"outputs of type {outputs.dtype}", "be float32 or float64"))
    if outputs.ndim == 0:
        raise PluginFault(Problem("an output without axes", "have the examples as its first axis"))
    _check_taken(answer.taken, len(outputs))


def _check_taken(taken: object, rows: int) -> None:
    if not isinstance(taken, Mapping):
        raise PluginFault(Problem(f"a record of branches of type {type(taken).__name__}", "map each branch's id to its bodies"))
    for branch, indices in taken.items():
        if not isinstance(branch, str) or not all(isinstance(index, int | np.integer) and index >= -1 for index in indices):
            raise PluginFault(Problem(f"a record of branch {branch!r}", "be bodies by number, from -1 (not reached) on"))
        if len(indices) != rows:
            raise PluginFault(Problem(f"{len(indices)} records of branch {branch!r} for {rows} examples", "be one for each"))


def _ran_out(error: BaseException) -> bool:
    """Whether a lack of memory or of room lies behind an exception: the worker has words of its own for them."""
    cause: BaseException | None = error
    for _ in range(10):
        if cause is None:
            return False
        if isinstance(cause, MemoryError) or (isinstance(cause, OSError) and cause.errno in _NO_ROOM):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
