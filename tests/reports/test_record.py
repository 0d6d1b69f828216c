"""Records: what they hold, that they come back equal from disk, and where they lie there."""

from __future__ import annotations

import json
import math
import os
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from micronet_verify.checks.verdict import Verdict
from micronet_verify.errors import BenchFault
from micronet_verify.evaluation import Evaluation, Fault
from micronet_verify.reports.entry import Asked, EntryRecord, Figure, Stopped
from micronet_verify.reports.files import entry_folder
from micronet_verify.reports.record import read_records, write_entry, write_reports
from micronet_verify.track.track import decimal_text


def test_a_record_of_a_judged_entry(judged):
    evaluation, verdicts = judged["digits/dense-pytorch"]
    record = EntryRecord.of(evaluation, verdicts)
    assert (record.id, record.title, record.team, record.members) == (
        "digits/dense-pytorch", "The dense baseline", "Plain Weights", (("mira-holm", "Mira Holm"),),
    )  # fmt: skip
    assert (record.track, record.framework, record.submitted, record.trust) == (
        "digits", "pytorch", "2026-01-05T12:00:00+00:00", "sealed",
    )  # fmt: skip
    assert (record.artifact_sha256, record.artifact_size) == (evaluation.artifact.sha256, evaluation.artifact.size)
    # 9,930 values at 16 bits; 313,856 multiplies at 16 bits and 309,248 adds at 32.
    assert record.price.storage == Figure("4965/1", "4965")
    assert record.price.operations.value == Fraction(313856, 2) + 309248
    assert record.price.score.value == Fraction(1, 2) + Fraction(466176, 623104)
    assert (record.price.regime, record.other.regime, record.other.score.exact) == ("freebie", "quantized", "2/1")
    assert (record.quality.correct, record.quality.of, record.quality.met, record.quality.margin) == (496, 500, True, "21 images above")
    assert record.outcome == "passed"


def test_a_quantized_entry_has_no_other_price_and_says_why(judged):
    record = EntryRecord.of(*judged["digits/int8-qdq-onnx"])
    assert (record.price.regime, record.other) == ("quantized", None)
    assert record.forfeited == "QuantizeLinear in images.quantized quantizes"


def test_an_entry_that_cannot_be_read_has_its_faults_and_no_numbers(judged):
    record = EntryRecord.of(*judged["broken/truncated-onnx"])
    assert (record.price, record.quality, record.trust, record.outcome) == (None, None, "claimed", "failed")
    assert {stopped.stage for stopped in record.faults} >= {"translate"}
    assert all(stopped.acts == "entrant" for stopped in record.faults)


def test_predictions_of_another_artifact_seal_nothing(judged):
    from dataclasses import replace

    evaluation, verdicts = judged["digits/dense-pytorch"]
    other = replace(evaluation, predictions=replace(evaluation.predictions, artifact_sha256="00" * 32))
    assert EntryRecord.of(other, verdicts).trust == "claimed"


def test_outcomes():
    passed, failed, error, skipped = (Asked("x", outcome) for outcome in ("passed", "failed", "error", "skipped"))

    def outcome(*verdicts, measured=True):
        from tests.reports.records import entry

        return entry("a", verdicts=verdicts, **({} if measured else {"quality": None})).outcome

    assert outcome(passed, skipped) == "passed"
    assert outcome(passed, skipped, measured=False) == "skipped"
    assert outcome(passed, failed, skipped) == "failed"
    assert outcome(failed, error) == "error"
    assert outcome() == "error"


def test_what_is_written_reads_back_equal(judged, tmp_path):
    written = [write_entry(tmp_path, evaluation, verdicts) for evaluation, verdicts in judged.values()]
    assert read_records(tmp_path) == sorted(written, key=lambda record: record.id)
    assert read_records(tmp_path, ["digits/dense-pytorch"]) == [record for record in written if record.id == "digits/dense-pytorch"]


def test_same_evaluation_same_bytes(judged, tmp_path):
    for folder in ("one", "two"):
        records = [write_entry(tmp_path / folder, *both) for both in judged.values()]
        write_reports(tmp_path / folder, records if folder == "one" else records[::-1])
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert list(map(str, files)) == [
        "broken/truncated-onnx/evidence.json", "digits/dense-pytorch/evidence.json", "digits/dense-pytorch/ledger.csv",
        "digits/int8-qdq-onnx/evidence.json", "digits/int8-qdq-onnx/ledger.csv", "junit.xml", "leaderboard.md",
    ]  # fmt: skip
    for name in files:
        text = (tmp_path / "one" / name).read_bytes()
        assert text == (tmp_path / "two" / name).read_bytes()
        assert str(tmp_path).encode() not in text
        assert os.uname().nodename.encode() not in text


def test_evidence_says_what_the_record_rests_on(judged, tmp_path):
    evaluation, verdicts = judged["digits/dense-pytorch"]
    write_entry(tmp_path, evaluation, verdicts)
    data = json.loads((tmp_path / "digits/dense-pytorch/evidence.json").read_text())
    assert data["graph"]["nodes"] == {"conv": 2, "elementwise": 2, "matmul": 1, "move": 1, "normalise": 2, "pool": 1}
    assert (data["graph"]["inputs"], data["graph"]["outputs"]) == (["1×1×8×8"], ["1×10"])
    assert data["rules"] == {
        "edition": "micronet-2019", "representation": "cheapest", "mask": "element_or_block", "batch_norm": "folded",
        "permutation": "sparse_matmul", "accumulator": "full", "regimes": "both", "dot_adds": "n_minus_1", "activation_bits": "measured",
        "attention_mask": "skipped", "saturation": "free", "structure": "free",
    }  # fmt: skip
    assert data["predictions"]["sha256"] == evaluation.predictions.sha256
    assert data["predictions"]["artifact_sha256"] == data["record"]["artifact_sha256"] == data["artifact"][0]["sha256"]
    assert {"frameworks", "packages", "plugins", "python"} == data["versions"].keys()
    assert data["versions"]["frameworks"]["pytorch"].keys() == {"safetensors", "torch"}


def test_an_entry_that_is_no_longer_counted_loses_its_old_ledger(judged, tmp_path):
    evaluation, verdicts = judged["digits/dense-pytorch"]
    write_entry(tmp_path, evaluation, verdicts)
    write_entry(tmp_path, Evaluation(id=evaluation.id), verdicts)
    assert [path.name for path in (tmp_path / "digits/dense-pytorch").iterdir()] == ["evidence.json"]


def test_nothing_but_the_record_is_left_behind_when_writing_fails(judged, tmp_path, monkeypatch):
    evaluation, verdicts = judged["digits/dense-pytorch"]
    write_entry(tmp_path, evaluation, verdicts)
    before = (tmp_path / "digits/dense-pytorch/evidence.json").read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_entry(tmp_path, evaluation, ())
    files = {path.name: path.read_bytes() for path in (tmp_path / "digits/dense-pytorch").iterdir()}
    assert files.keys() == {"evidence.json", "ledger.csv"}
    assert files["evidence.json"] == before


ANY = st.text(alphabet=st.characters())


@example("", "half \ud800 character", [])
@given(ANY, ANY, st.lists(st.tuples(ANY, st.one_of(ANY, st.integers(), st.floats()))))
def test_law_any_text_and_number_comes_back_from_disk(tmp_path_factory, title, message, evidence):
    folder = tmp_path_factory.mktemp("law")
    faults = {"manifest": Fault("entrant", ())}
    verdict = Verdict(title, "failed", message, dict(evidence))
    written = write_entry(folder, Evaluation(id="x", faults=faults), [verdict])
    assert read_records(folder) == [written]
    sound = message.encode("utf-8", "backslashreplace").decode()  # equal, but for halves of characters
    assert written.verdicts[0].message == sound
    assert written.faults == (Stopped("manifest", "entrant", "", False),)


def test_numbers_that_json_lacks_are_kept_as_their_names(tmp_path):
    write_entry(tmp_path, Evaluation(id="x"), [Verdict("c", "passed", "", {"a": math.inf, "b": math.nan, "c": 1.5, "d": 2})])
    (record,) = read_records(tmp_path)
    assert record.verdicts[0].evidence == (("a", "inf"), ("b", "nan"), ("c", 1.5), ("d", 2))


@pytest.mark.parametrize(
    "id", ["..", "a/../../b", "/etc", "leaderboard.md", "x/EVIDENCE.json", "junit.xml", "", "a//b", ".hidden", "x" * 300, "a\\xb"]
)
def test_no_id_leaves_the_report_or_meets_its_files(id, tmp_path):
    folder = entry_folder(tmp_path, id)
    assert folder.parent == tmp_path
    assert folder.name.startswith("entry-")
    assert len(folder.name) < 40


def test_ordinary_ids_are_their_own_folders(tmp_path):
    assert entry_folder(tmp_path, "digits/pruned-onnx") == tmp_path / "digits" / "pruned-onnx"
    assert entry_folder(tmp_path, "a") != entry_folder(tmp_path, "b")
    assert entry_folder(tmp_path, "..") != entry_folder(tmp_path, "...")


def test_an_entry_called_like_a_report_is_judged_like_any_other(tmp_path):
    records = [write_entry(tmp_path, Evaluation(id="leaderboard.md"), ()), write_entry(tmp_path, Evaluation(id="evidence.json"), ())]
    write_reports(tmp_path, records)
    assert (tmp_path / "leaderboard.md").is_file()
    assert [record.id for record in read_records(tmp_path)] == ["evidence.json", "leaderboard.md"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 2, "record": {}}', '{"schema": 1}', '{"schema": 1, "record": {"id": 3}}'])
def test_evidence_that_cannot_be_read_is_named(text, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "evidence.json").write_text(text)
    with pytest.raises(BenchFault, match="got evidence that cannot be read") as error:
        read_records(tmp_path)
    assert "but should be a record of schema 1" in str(error.value)
    assert "(delete the file and judge the entry again)" in str(error.value)


def test_exact_numbers_agree_with_how_tracks_print_them():
    assert Figure.of(Fraction(10345, 4)) == Figure("10345/4", "2586.25")
    assert decimal_text(Figure("10345/4", "").value) == "2,586.25"
