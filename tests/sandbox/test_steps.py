"""The three steps in real child processes, on models that behave."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from micronet_verify.errors import BenchFault, SubmissionFault
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.sandbox.jobs import ExportJob, ExportResult, PredictJob, PredictResult, TranslateJob, TranslateResult
from micronet_verify.sandbox.launcher import ProcessLauncher
from micronet_verify.sandbox.products import read_graph, read_taken
from tests.sandbox.conftest import LIMITS

FORBIDDEN = ("counting", "checks", "quality", "score", "track", "submission", "reports", "analysis")


def test_export_gives_an_artifact(launcher: ProcessLauncher, export_job: Callable[[str], ExportJob]) -> None:
    job = export_job("def model(): return {'behaviour': 'sums'}")
    assert launcher.run(job, LIMITS) == ExportResult("model.fake")
    assert (job.out / "model.fake").read_text() == '{"behaviour": "sums"}'


def test_translate_gives_a_graph_and_its_sidecar(launcher: ProcessLauncher, translate_job: Callable[[str], TranslateJob]) -> None:
    job = translate_job("sums")
    assert launcher.run(job, LIMITS) == TranslateResult("graph.json", "constants.bin")
    graph = read_graph(job.out / "graph.json")
    (weight,) = (value for value in graph.values.values() if value.constant)
    assert weight.constant is not None
    stored = ConstantStore(job.root, job.out).open(weight.constant, weight.shape, weight.format)
    assert stored.tolist() == [[1.0, 1.0]] * 4


def test_translate_without_decoded_constants_needs_no_sidecar(
    launcher: ProcessLauncher, translate_job: Callable[[str], TranslateJob]
) -> None:
    assert launcher.run(translate_job("in place"), LIMITS) == TranslateResult("graph.json", "")


def test_predict_gives_outputs_in_order_with_a_short_last_batch(launcher: ProcessLauncher, predict_job: Callable[..., PredictJob]) -> None:
    job = predict_job("sums")  # 5 examples in batches of 2, 2 and 1
    assert launcher.run(job, LIMITS) == PredictResult("outputs.npy", (5, 2))
    outputs = np.load(job.out / "outputs.npy", allow_pickle=False)
    sums = [0 + 1 + 2 + 3 + 4 * 4 * example for example in range(5)]
    assert outputs.dtype == np.float32
    assert outputs.tolist() == [[total, 2 * total] for total in sums]


def test_predict_records_branches(launcher: ProcessLauncher, predict_job: Callable[..., PredictJob]) -> None:
    job = predict_job("branches")
    result = launcher.run(job, LIMITS)
    assert result.taken == "taken.json"
    # The first batch never came to the branch "late".
    assert read_taken(job.out / result.taken, 5) == {"early": (0, 1, 0, 1, 0), "late": (-1, -1, 1, 1, 1)}


def test_threads_reach_the_plugin_and_the_environment(launcher: ProcessLauncher, predict_job: Callable[..., PredictJob]) -> None:
    job = predict_job("environment")
    launcher.run(job, LIMITS)
    assert np.load(job.out / "outputs.npy")[0].tolist() == [1.0, 1.0]


def test_the_worker_holds_no_label_and_no_price(launcher: ProcessLauncher, translate_job: Callable[[str], TranslateJob]) -> None:
    job = translate_job("modules")
    launcher.run(job, LIMITS)
    graph = read_graph(job.out / "graph.json")
    modules = next(value.label for value in graph.values.values() if value.constant).split("\n")
    assert "micronet_verify.sandbox.run_job" in modules
    assert not [name for name in modules if name.startswith(tuple(f"micronet_verify.{room}" for room in FORBIDDEN))]
    heavy = {"torch", "onnx", "onnxruntime", "sklearn", "psutil", "pydantic", "yaml", "pytest", "micronet_verify.sandbox.launcher"}
    assert not heavy & set(modules)


REMEDY = "report it to the authors of micronet-fake, or do without: pip uninstall micronet-fake"
FAKES = f"(a defect of plugin 'fake' of micronet-fake 1.0: {REMEDY})"


def test_outputs_of_another_size_from_batch_to_batch(launcher: ProcessLauncher, predict_job: Callable[..., PredictJob]) -> None:
    """The model's own doing: a size that depends on the data."""
    with pytest.raises(SubmissionFault) as caught:
        launcher.run(predict_job("grow"), LIMITS)
    assert str(caught.value) == (
        "got outputs of shape (2, 1) and type float32 for the examples from 2 on but should be of shape [batch, 2] and "
        "type float32 like those before [stage predict]"
    )


@pytest.mark.parametrize(
    ("behaviour", "sentence"),
    [
        ("integers", "got outputs of type int64 but should be float32 or float64"),
        ("too few", "got 3 outputs for 5 inputs from predict but should be one for each input"),
        ("too many", "got more than 5 outputs from predict but should be one for each input"),
    ],
)  # fmt: skip
def test_answers_that_do_not_fit_their_inputs_are_the_plugins_defect(
    launcher: ProcessLauncher, predict_job: Callable[..., PredictJob], behaviour: str, sentence: str
) -> None:
    with pytest.raises(BenchFault) as caught:
        launcher.run(predict_job(behaviour), LIMITS)
    assert str(caught.value) == f"{sentence} {FAKES}"


def test_no_inputs_are_the_benchs_fault(launcher: ProcessLauncher, predict_job: Callable[..., PredictJob]) -> None:
    with pytest.raises(BenchFault, match=r"^got no inputs but should be at least one example \[stage predict\]$"):
        launcher.run(predict_job("sums", examples=0), LIMITS)


def test_all_problems_of_a_plugin_cross_the_wall(launcher: ProcessLauncher, translate_job: Callable[[str], TranslateJob]) -> None:
    with pytest.raises(SubmissionFault) as caught:
        launcher.run(translate_job("unknown operators"), LIMITS)
    assert [str(problem) for problem in caught.value.problems] == [
        "got the operator Op1 but should be one of the table [block1]",
        "got the operator Op2 but should be one of the table [block2]",
    ]


def test_a_long_list_of_problems_is_cut_and_says_so(launcher: ProcessLauncher, translate_job: Callable[[str], TranslateJob]) -> None:
    with pytest.raises(SubmissionFault) as caught:
        launcher.run(translate_job("many"), LIMITS)
    assert len(caught.value.problems) == 500 + 1
    assert str(caught.value.problems[-1]) == "got 100 more problems but should be corrected, too"


@pytest.mark.parametrize(
    ("framework", "sentence"),
    [
        ("incomplete", "got the framework 'incomplete' without missing-package but should be complete: "
         "pip install the packages of incomplete [stage export]"),
        ("onnx", "got framework 'onnx' without its plugin but should be installed: pip install micronet-verify-onnx (installed: "),
    ],
)  # fmt: skip
def test_a_missing_framework_is_the_benchs_fault_even_in_export(
    launcher: ProcessLauncher, monkeypatch: pytest.MonkeyPatch, export_job: Callable[[str], ExportJob], framework: str, sentence: str
) -> None:
    monkeypatch.setenv("MICRONET_WITHOUT", "tflite, onnx")
    job = export_job("raise SystemError('never run')")
    with pytest.raises(BenchFault) as caught:
        launcher.run(ExportJob(framework, job.request, job.out), LIMITS)
    assert str(caught.value).startswith(sentence)


def test_an_output_folder_must_be_empty(launcher: ProcessLauncher, translate_job: Callable[[str], TranslateJob]) -> None:
    job = translate_job("sums")
    job.out.mkdir()
    (job.out / "graph.json").write_text("stale")
    with pytest.raises(BenchFault, match=r"^got an output folder with files in it \(out\) but should be empty \[stage translate\]$"):
        launcher.run(job, LIMITS)
    assert (job.out / "graph.json").read_text() == "stale"
