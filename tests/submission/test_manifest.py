"""What a manifest says, read into facts; and what is said of a manifest that has faults."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path

import pytest

from micronet_verify.submission.choices import choose_track, preprocessing_of
from micronet_verify.submission.load import load_submission
from micronet_verify.submission.manifest import MANIFEST, Claim, Manifest, Member, Source
from micronet_verify.track.library import load_track, track_names
from tests.refused import refused
from tests.submission.conftest import FILES, MODEL, SOURCE

KEYS = (
    "schema, title, team, members, track, framework, model, external_data, source, step, preprocessing, techniques, claims, write_up, "
    "submitted"
)
TRACKS = {name: load_track(name) for name in track_names()}


def test_an_entry_with_a_model_file(entry: Path):
    submission = load_submission(entry, "analysts/pruned")
    assert submission.id == "analysts/pruned"
    assert submission.root == entry
    assert submission.manifest_sha256 == hashlib.sha256(MODEL.encode()).hexdigest()
    assert submission.manifest == Manifest(
        title="A pruned network",
        team="The Analysts",
        members=(Member("ada", "Ada Lovelace"),),
        track="digits",
        framework="onnx",
        submitted=datetime(2019, 9, 30, 17, 45, tzinfo=UTC),
        model="model.onnx",
        external_data=("weights/a.bin", "weights/b.bin"),
        preprocessing="divide-by-16",
        techniques=("pruning", "quantization to 8 bits"),
        claims=Claim(parameter_storage=Fraction(2469, 2), score=Fraction(12, 100)),
        write_up="README.md",
    )
    assert submission.manifest.claims.written == {"parameter_storage": "1234.5", "score": "0.120"}
    assert [(file.path, file.size, file.sha256) for file in submission.files] == [
        (name, len(FILES[name]), hashlib.sha256(FILES[name]).hexdigest())
        for name in ("README.md", "model.onnx", "weights/a.bin", "weights/b.bin")
    ]


def test_an_entry_as_code_is_not_executed(entry: Path):
    (entry / MANIFEST).write_text(SOURCE, encoding="utf-8")
    submission = load_submission(entry, "entry")
    source = Source("code/model.py:build", "model.safetensors", ("code/blocks.py",))
    assert submission.manifest.source == source
    assert source.file == "code/model.py"
    assert submission.manifest.model is None
    assert submission.manifest.claims == Claim()
    assert submission.manifest.submitted == datetime(2019, 9, 30, 17, 45, tzinfo=timezone(timedelta(hours=2)))
    assert [file.path for file in submission.files] == ["code/blocks.py", "code/model.py", "model.safetensors"]


def test_lines_for_later_checks(entry: Path):
    manifest = load_submission(entry, "entry").manifest
    assert manifest.where("claims.score") == "submission.yaml:15"
    assert manifest.where("members.0.name") == "submission.yaml:6"
    assert manifest.where("claims.quality") == "submission.yaml:13"  # not there: the line of claims
    assert manifest.where("nowhere") == "submission.yaml:1"


def test_every_fault_of_the_manifest_and_of_its_files_at_once(faults):
    assert faults(
        ("schema: 1", "schema: 2"),
        ("team: The Analysts", "taem: The Analysts"),
        ("id: ada", "id: Ada"),
        ("framework: onnx", "framework: NO"),
        ("model: model.onnx", "model: modle.onnx"),
        ("weights/b.bin", "../b.bin"),
        ("[pruning, quantization to 8 bits]", "pruning"),
        ("1234.5", "about 1000"),
        ('"0.120"', "-0.12"),
        ('"2019-09-30T17:45:00Z"', "2019-09-30"),
    ) == [
        "got schema: the number 2 but should be 1 [submission.yaml:1]",
        "got no 'team' but should have one: the team's name [submission.yaml:1]",
        f"got the unknown key 'taem' but should be one of {KEYS} [submission.yaml:3] (did you mean 'team'?)",
        "got id: 'Ada' but should be lower-case letters, digits and . _ @ : + -, at most 99 [submission.yaml:5]",
        "got NO, which some readers take for true or false, but should be a value with one meaning [submission.yaml:8] "
        '(write "NO" for the text, or true or false)',
        "got model: no file 'modle.onnx' but should be in the entry [submission.yaml:9] (did you mean 'model.onnx'?)",
        "got external_data: the path '../b.bin' but should stay inside the entry, without '..' [submission.yaml:10]",
        "got techniques: 'pruning' but should be a list [submission.yaml:12]",
        "got parameter_storage: 'about 1000' but should be a plain number such as 0.45 or 36500000 [submission.yaml:14]",
        "got score: the number -0.12 but should be at least 0 [submission.yaml:15]",
        "got 2019-09-30, which some readers take for a date, but should be a value with one meaning [submission.yaml:17] "
        '(write "2019-09-30")',
    ]


SOURCE_LINE = "source: {entry_point: 'code/model.py:build', weights: model.safetensors}\n"
MODEL_LINE, EXTERNAL_LINE = "model: model.onnx\n", "external_data: [weights/a.bin, weights/b.bin]\n"
MEMBER_LINES = "  - id: ada\n    name: Ada Lovelace\n"
TIME = 'be a date, a time and its zone, such as "2019-09-30T17:45:00Z"'
CLAIMS = "parameter_storage, math_operations, score, quality"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (MODEL_LINE + EXTERNAL_LINE, "", "got neither 'model' nor 'source' but should have exactly one of them [{}:1]"),
        (MODEL_LINE, MODEL_LINE + SOURCE_LINE, "got both 'model' and 'source' but should have exactly one of them [{}:10]"),
        (MODEL_LINE, SOURCE_LINE, "got external_data without 'model' but should be left out: it belongs to a model file [{}:10]"),
        (MEMBER_LINES, MEMBER_LINES + "  - {id: ada, name: A. L.}\n", "got the member 'ada' a second time but should stand once [{}:7]"),
        ("members:\n" + MEMBER_LINES, "members: []\n", "got members: an empty list but should have at least 1 item [{}:4]"),
        ("T17:45:00Z", "T17:45:00", f"got submitted: '2019-09-30T17:45:00' but should {TIME} [{{}}:17]"),
        ("09-30T", "09-31T", "got submitted: '2019-09-31T17:45:00Z' but should be a day and time that exist [{}:17]"),
        ("A pruned network", "1.10", 'got title: the number 1.10 but should be text [{}:2] (write "1.10" for the text)'),
        ("score:", "scores:", f"got the unknown key 'scores' but should be one of {CLAIMS} [{{}}:15] (did you mean 'score'?)"),
        ("model: model.onnx", "model: [model.onnx]", "got model: a list of 1 but should be text [{}:9]"),
    ],
)
def test_one_fault(faults, old: str, new: str, sentence: str):
    assert faults((old, new)) == [sentence.format(MANIFEST)]


@pytest.mark.parametrize("entry_point", ["model.py", "code/model.py:build.net", "code/model:build", "os:system"])
def test_an_entry_point_is_a_file_and_a_function(faults, entry_point: str):
    assert faults(("code/model.py:build", entry_point), text=SOURCE) == [
        f"got entry_point: {entry_point!r} but should be a Python file and a function in it, such as model.py:build [submission.yaml:8]"
    ]


def test_the_files_of_code_are_contained_too(faults):
    assert faults(("code/model.py:build", "../model.py:build"), ("model.safetensors", "/w"), ("blocks.py", "block.py"), text=SOURCE) == [
        "got entry_point: the path '../model.py' but should stay inside the entry, without '..' [submission.yaml:8]",
        "got weights: the absolute path '/w' but should be relative to the entry [submission.yaml:9]",
        "got modules: no file 'code/block.py' but should be in the entry [submission.yaml:10] (did you mean 'code/blocks.py'?)",
    ]


def test_the_entry_chooses_a_track_that_exists_and_its_preprocessing(entry: Path):
    manifest = load_submission(entry, "entry").manifest
    assert choose_track(manifest, TRACKS) is TRACKS["digits"]
    assert preprocessing_of(manifest, TRACKS["digits"]) == "divide-by-16"
    (entry / MANIFEST).write_text(MODEL.replace("preprocessing: divide-by-16\n", ""), encoding="utf-8")
    assert preprocessing_of(load_submission(entry, "entry").manifest, TRACKS["cifar100"]) == "unit-interval"


QUALITY = "be the share of right answers, from 0 to 1"


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        (
            [("track: digits", "track: digit")],
            [f"got track: 'digit' but should be one of {', '.join(TRACKS)} [submission.yaml:7] (did you mean 'digits'?)"],
        ),
        (
            [("divide-by-16", "divide-by-15"), ('score: "0.120"', "quality: 95.2")],
            [
                "got preprocessing: 'divide-by-15' but should be one of divide-by-16 [submission.yaml:11] (did you mean 'divide-by-16'?)",
                f"got quality: the number 95.2 but should {QUALITY} [submission.yaml:15] (write 95.2 % as 0.952)",
            ],
        ),
    ],
)
def test_choices_that_the_track_does_not_have(entry: Path, changes: list[tuple[str, str]], sentences: list[str]):
    text = MODEL
    for old, new in changes:
        text = text.replace(old, new)
    (entry / MANIFEST).write_text(text, encoding="utf-8")
    assert refused(choose_track, load_submission(entry, "entry").manifest, TRACKS) == sentences
