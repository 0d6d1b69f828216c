"""The jobs that cross the sandbox wall, and what comes back: plain JSON in both directions, never a pickle.

A job's ``out`` is the folder its files go to; results name files in it and hold nothing else, so that everything a
step hands back can be looked at as data.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

from micronet_verify.facts.data import Scaling
from micronet_verify.framework.protocols import CPU
from micronet_verify.framework.requests import ExportRequest
from micronet_verify.sandbox.limits import Stage

GRAPH = "graph.json"
PROOF = "proof.json"
ROWS = "rows.npy"
OUTPUTS = "outputs.npy"
LIKELIHOODS = "log_likelihoods.npy"
TAKEN = "taken.json"


@dataclass(frozen=True, slots=True)
class OneFile:
    """A result that is one file, by its name."""

    file: str

    @property
    def files(self) -> tuple[str, ...]:
        return (self.file,)

    @classmethod
    def read(cls, data: dict[str, Any]) -> Self:
        return cls(_text(data["file"]))


class ExportResult(OneFile):
    """The data-only artifact."""

    __slots__ = ()


class ProveResult(OneFile):
    """What came of a proof, as JSON."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class TranslateResult:
    """``graph``: the file of the neutral graph (``facts.serde``); ``constants``: its sidecar, ``""`` where nothing had to be decoded."""

    graph: str = GRAPH
    constants: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        return (self.graph, self.constants) if self.constants else (self.graph,)

    @staticmethod
    def read(data: dict[str, Any]) -> TranslateResult:
        return TranslateResult(_text(data["graph"]), _text(data["constants"]))


@dataclass(frozen=True, slots=True)
class PredictResult:
    """``outputs``: the ``.npy`` file of shape ``shape`` = (examples, …); ``taken``: the branch record, ``""`` without branches.

    ``rows``: the ``.npy`` file of whole rows that a language model gave where the job's ``shown`` asked for them; ``stretches``: where
    each stretch of them begins in the text, and how long it is; ``states``: those before each stretch, all of the first first.
    """

    outputs: str
    shape: tuple[int, ...]
    taken: str = ""
    rows: str = ""
    states: tuple[str, ...] = ()
    stretches: tuple[int, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(name for name in (self.outputs, self.taken, self.rows, *self.states) if name)

    @staticmethod
    def read(data: dict[str, Any]) -> PredictResult:
        shape, states, stretches = (
            tuple(map(_count, data["shape"])),
            tuple(map(_text, data["states"])),
            tuple(map(_count, data["stretches"])),
        )
        return PredictResult(_text(data["outputs"]), shape, _text(data["taken"]), _text(data["rows"]), states, stretches)


AnyResult = ExportResult | TranslateResult | PredictResult | ProveResult
ResultT = TypeVar("ResultT", bound=AnyResult)
ResultT_co = TypeVar("ResultT_co", bound=AnyResult, covariant=True)


class Job(Generic[ResultT_co]):
    """One step to run in its own process, by ``module``; ``result_type`` is what it gives back."""

    __slots__ = ()
    stage: ClassVar[Stage]
    result_type: ClassVar[type[AnyResult]]
    module: ClassVar[str] = "micronet_verify.sandbox.worker"
    framework: str
    out: Path
    threads: int


@dataclass(frozen=True, slots=True)
class ExportJob(Job[ExportResult]):
    """Run the entrant's code once, to turn source and weights into an artifact in the request's folder."""

    stage = "export"
    result_type = ExportResult
    framework: str
    request: ExportRequest
    threads: int = 1

    @property
    def out(self) -> Path:  # type: ignore[override]
        return self.request.folder


@dataclass(frozen=True, slots=True)
class TranslateJob(Job[TranslateResult]):
    """Translate the artifact ``root / primary`` to a neutral graph, read as data.

    ``chunk``: the file of ``root`` with which a text is evaluated, ``""`` for none: it may hold nothing that the primary does not.
    """

    stage = "translate"
    result_type = TranslateResult
    framework: str
    root: Path
    primary: str
    out: Path
    threads: int = 1
    chunk: str = ""


@dataclass(frozen=True, slots=True)
class PredictJob(Job[PredictResult]):
    """Run the artifact ``root / primary`` on the inputs [examples, …] of the ``.npy`` file ``inputs``.

    ``scaling``: the file holds bytes, and the model receives them scaled to float32. ``alone``: examples that are asked
    again, in this order, each by itself: an answer may depend on nothing but its own example. ``device``: what it runs on.
    """

    stage = "predict"
    result_type = PredictResult
    framework: str
    root: Path
    primary: str
    inputs: Path
    out: Path
    batch_size: int = 64
    threads: int = 1
    scaling: Scaling | None = None
    alone: tuple[int, ...] = ()
    device: str = CPU


@dataclass(frozen=True, slots=True)
class StepJob(Job[PredictResult]):
    """Run the language model ``root / primary`` over the first ``tokens`` + 1 rows of the ``.npy`` file ``text``, a token at a time.

    What comes back is one number for each token but the first, [tokens] float64: the log-likelihood that the model gave it
    before it was fed. ``words``: the vocabulary. ``tolerance``: how far the probabilities of all words may be from a sum of
    one. ``initial``: states by name, each an ``.npy`` file; zeros where there are none. ``chunk``: the file of ``root`` with
    which the text is evaluated, ``""`` for the step itself. ``seed``: what samples are drawn from (``sampling``). ``shown``: so many
    tokens of whose rows a copy comes back whole, from the beginning and from a place drawn.
    """

    stage = "predict"
    result_type = PredictResult
    framework: str
    root: Path
    primary: str
    text: Path
    out: Path
    tokens: int
    words: int
    tolerance: float
    seed: str
    initial: tuple[tuple[str, Path], ...] = ()
    chunk: str = ""
    shown: int = 0
    threads: int = 1
    device: str = CPU


@dataclass(frozen=True, slots=True)
class ProveJob(Job[ProveResult]):
    """Run the graph of the folder ``graph``, as translated and as priced, on examples whose answers by the framework are known.

    ``root``: the artifact's folder. ``rules``: the edition, knob by knob; ``regime``: the one that is charged; ``per_word``: the baseline's
    operations for each of its words, exactly. ``rows`` and
    ``answers``: ``.npy`` files [n, …]. ``begins``: of a language model, the rows before which it has the ``states`` given, as many for
    each. ``initial``: the states that the entry's file holds, by name. ``terms``: what the track asks. No framework runs here.
    """

    stage = "prove"
    result_type = ProveResult
    module = "micronet_verify.proof.worker"
    graph: Path
    root: Path
    rows: Path
    answers: Path
    out: Path
    rules: dict[str, str | int]
    regime: str
    per_word: str
    terms: dict[str, float]
    seed: str
    language: bool = False
    begins: tuple[int, ...] = ()
    states: tuple[Path, ...] = ()
    initial: tuple[tuple[str, Path], ...] = ()
    threads: int = 1


AnyJob = ExportJob | TranslateJob | PredictJob | StepJob | ProveJob
_KINDS = {"export": ExportJob, "translate": TranslateJob, "predict": PredictJob, "steps": StepJob, "prove": ProveJob}


def job_to_data(job: Job[Any]) -> dict[str, Any]:
    """The job as JSON data; paths are made absolute, because the step runs in a folder of its own."""
    assert isinstance(job, ExportJob | TranslateJob | PredictJob | StepJob | ProveJob)
    kind = next(name for name, each in _KINDS.items() if type(job) is each)
    return {"kind": kind, **_plain(asdict(job))}


def job_from_data(data: dict[str, Any]) -> AnyJob:
    """The inverse of ``job_to_data``. The judge wrote the data, so a fault in it is a ``KeyError`` or ``TypeError`` of ours."""
    fields = dict(data)
    kind = fields.pop("kind")
    if kind == "export":
        request = dict(fields.pop("request"))
        request["entry"], request["folder"] = Path(request["entry"]), Path(request["folder"])
        request["example_shape"] = tuple(request["example_shape"])
        return ExportJob(request=ExportRequest(**request), **fields)
    fields["out"], fields["root"] = Path(fields["out"]), Path(fields["root"])
    if kind == "translate":
        return TranslateJob(**fields)
    if kind == "steps":
        fields["text"] = Path(fields["text"])
        fields["initial"] = tuple((name, Path(path)) for name, path in fields["initial"])
        return StepJob(**fields)
    if kind == "prove":
        for name in ("graph", "rows", "answers"):
            fields[name] = Path(fields[name])
        fields["begins"], fields["states"] = tuple(fields["begins"]), tuple(map(Path, fields["states"]))
        fields["initial"] = tuple((name, Path(path)) for name, path in fields["initial"])
        return ProveJob(**fields)
    if kind != "predict":
        raise KeyError(f"the kind {kind!r}")
    fields["inputs"], fields["alone"] = Path(fields["inputs"]), tuple(fields["alone"])
    if (scaling := fields.pop("scaling")) is not None:
        lists = tuple(scaling["mean"]), tuple(scaling["deviation"])
        fields["scaling"] = Scaling(scaling["scale"], *lists, scaling["channel_axis"])
    return PredictJob(**fields)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return str(value.absolute()) if isinstance(value, Path) else value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} in place of a text")
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{value!r} in place of a size")
    return value
