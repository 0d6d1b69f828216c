"""The tracks that come with the package, and the sentences for organizers whose track file is wrong."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from micronet_verify.errors import SpecError
from micronet_verify.track import library
from micronet_verify.track.library import load_rules, load_track, spec_folder, track_names
from micronet_verify.track.rules import CountingRules
from micronet_verify.track.track import Baseline, Dataset, Limits, Proof, QualityTarget, Ranking, StepLimit, Track, decimal_text

MIB = 1 << 20


def sentences(track: str | Path, *folders: Path) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load_track(track, folders)
    return [str(problem) for problem in caught.value.problems]


@pytest.fixture
def digits(tmp_path: Path):
    """Writes ``digits.yaml`` with replacements, and returns its path."""
    text = (spec_folder() / "digits.yaml").read_text(encoding="utf-8")

    def write(*changes: tuple[str, str]) -> Path:
        changed = text
        for old, new in changes:
            assert old in changed
            changed = changed.replace(old, new)
        path = tmp_path / "digits.yaml"
        path.write_text(changed, encoding="utf-8")
        return path

    return write


def test_the_four_tracks():
    assert track_names() == ["cifar100", "digits", "imagenet", "tales", "wikitext103"]
    assert [load_track(name).name for name in track_names()] == track_names()


def test_digits_in_full():
    assert load_track("digits") == Track(
        name="digits",
        title="Handwritten digits",
        rules=CountingRules(),
        target=QualityTarget("top1", correct=475, of=500),
        # stem, body and head of the dense network, batch norms folded; relu and max pool are compares
        baseline=Baseline(
            Fraction((1 * 9 * 16 + 16) + (16 * 9 * 32 + 32) + (512 * 10 + 10)),
            Fraction(8 * 8 * 16 * (9 + 8 + 1 + 1) + 8 * 8 * 32 * (144 + 143 + 1 + 1) + 4 * 4 * 32 * 3 + 10 * (512 + 511 + 1)),
        ),
        dataset=Dataset(
            name="digits",
            split="test",
            examples=500,
            input_shape=(1, 8, 8),
            input_format="float32",
            classes=10,
            preprocessing=("divide-by-16",),
        ),
        ranking=Ranking("ranked", "ceiling", 10, 3),
        limits=Limits(
            StepLimit(120, 4096 * MIB), StepLimit(60, 4096 * MIB), StepLimit(60, 4096 * MIB), 64 * MIB, StepLimit(300, 8192 * MIB)
        ),
        proof=Proof(4, 64, 4, Fraction(8), Fraction(1, 1000), Fraction(2), Fraction(15, 100)),
    )


def test_constants_of_the_challenge():
    imagenet, cifar100, wikitext103 = (load_track(name) for name in ("imagenet", "cifar100", "wikitext103"))
    assert imagenet.baseline == Baseline(Fraction(6_900_000), Fraction(1_170_000_000))
    assert imagenet.target == QualityTarget("top1", correct=50_000 * 75 // 100, of=50_000)
    assert cifar100.baseline == Baseline(Fraction(36_500_000), Fraction(10_490_000_000))
    assert cifar100.target == QualityTarget("top1", correct=10_000 * 80 // 100, of=10_000)
    assert wikitext103.baseline == Baseline(Fraction(159_000_000), Fraction(318_000_000))
    assert wikitext103.target == QualityTarget("perplexity", at_most=Fraction(35), sum_tolerance=Fraction(1, 10_000))
    for track in (imagenet, cifar100, wikitext103):
        assert (track.rules, track.ranking) == (CountingRules(), Ranking("ranked", "ceiling", 10, 3))


def test_targets_in_words():
    assert str(load_track("imagenet").target) == "at least 37,500 of 50,000 correct"
    assert str(load_track("wikitext103").target) == "a perplexity of at most 35"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Fraction(35), "35"),
        (Fraction("1234.50"), "1,234.5"),
        (Fraction("-0.05"), "-0.05"),
        (Fraction(1, 3), "1/3"),
        (Fraction(0), "0"),
        (Fraction(-4001, 2), "-2,000.5"),
    ],
)
def test_exact_numbers_as_text(number: Fraction, text: str):
    assert decimal_text(number) == text


def test_a_decimal_threshold_is_exact(tmp_path: Path):
    path = tmp_path / "wikitext103.yaml"
    path.write_text(
        (spec_folder() / "wikitext103.yaml").read_text(encoding="utf-8").replace("at_most: 35", 'at_most: "34.1"'), encoding="utf-8"
    )
    assert load_track(path).target.at_most == Fraction(341, 10)


def test_unknown_track():
    assert sentences("digit") == ["got a track named 'digit' but should be one that exists (did you mean 'digits'?)"]
    there = "there are: cifar100, digits, imagenet, tales, wikitext103"
    assert sentences("../rules/micronet-2019") == [f"got a track named '../rules/micronet-2019' but should be one that exists ({there})"]


def test_unknown_edition():
    with pytest.raises(SpecError) as caught:
        load_rules("micronet-2018", where="x.yaml:4")
    got = "got an edition of the counting rules named 'micronet-2018'"
    assert str(caught.value) == f"{got} but should be one that exists [x.yaml:4] (did you mean 'micronet-2019'?)"


def test_a_missing_file(tmp_path: Path):
    expected = ["got a file that cannot be read (No such file or directory) but should be a readable file [x.yaml]"]
    assert sentences(tmp_path / "x.yaml") == sentences(str(tmp_path / "x.yaml")) == expected


def test_every_fault_of_a_track_file_at_once(digits):
    path = digits(
        ("title: Handwritten digits", "title: NO\ntitel: Digits"),
        ("rules: micronet-2019", "rules: micronet-2091"),
        ("correct: 475", "correct: 575"),
        ("of: 500", "of: 400"),
        ("parameters: 9930", "parameters: 0"),
        ("input_format: float32", "input_format: float33"),
        ("[divide-by-16]", "[divide-by-16, divide-by-16]"),
        ("rounding: ceiling", "rounding: up"),
        ("top_percent: 10", "top_percent: 101"),
        ("export: {seconds: 120,", "export: {seconds: 1.5,"),
        ("output_mib: 64", "output_mb: 64"),
    )
    assert sentences(path) == [
        'got NO, which some readers take for true or false, but should be a value with one meaning [digits.yaml:5] '
        '(write "NO" for the text, or true or false)',
        "got the unknown key 'titel' but should be one of schema, name, title, rules, target, baseline, dataset, ranking, limits, "
        "proof [digits.yaml:6] (did you mean 'title'?)",
        "got an edition of the counting rules named 'micronet-2091' but should be one that exists [digits.yaml:7] "
        "(did you mean 'micronet-2019'?)",
        "got correct: the number 575 but should be at most 400, the number of examples [digits.yaml:10]",
        "got of: the number 400 but should be 500, as dataset.examples is [digits.yaml:11]",
        "got parameters: the number 0 but should be more than 0 [digits.yaml:18]",
        "got input_format: 'float33' but should be a numeric format such as float32 or int64 [digits.yaml:25]",
        "got preprocessing: a name twice in divide-by-16, divide-by-16 but should name each once [digits.yaml:27]",
        "got rounding: 'up' but should be one of ceiling, floor, nearest [digits.yaml:30]",
        "got top_percent: the number 101 but should be at most 100 [digits.yaml:31]",
        "got no 'output_mib' but should have one: the most that one step may hand back, in MiB [digits.yaml:33]",
        "got seconds: the number 1.5 but should be a whole number [digits.yaml:34]",
        "got the unknown key 'output_mb' but should be one of export, translate, predict, prove, output_mib [digits.yaml:37] "
        "(did you mean 'output_mib'?)",
    ]  # fmt: skip


def test_what_a_proof_is_asked(digits):
    line = "proof: {most: 64}"
    assert load_track(digits((line, "proof: {seconds: 1, cap: 0.01, ratio: 3}"))).proof == Proof(
        4, 256, 1, cap=Fraction(1, 100), ratio=Fraction(3)
    )
    assert load_track(digits((line, ""))).proof == Proof()
    assert load_track(digits(("output_mib: 64", "output_mib: 64\n  prove: {seconds: 9, memory_mib: 64}"))).limits.prove == StepLimit(
        9, 64 * MIB
    )
    assert sentences(digits((line, "proof: {least: 9, most: 8, factor: 0}"))) == [
        "got factor: the number 0 but should be more than 0 [digits.yaml:37]",
        "got least: 9 above most: 8 but should be at most that [digits.yaml:37]",
    ]


def test_a_target_has_the_keys_of_its_metric(digits):
    assert sentences(digits(("correct: 475", "at_most: 35"))) == [
        "got a target top1 without 'correct' but should have one [digits.yaml:7]",
        "got at_most in a target top1 but should be left out: it belongs to perplexity [digits.yaml:9]",
    ]
    assert sentences(digits(("metric: top1", "metric: top5"))) == [
        "got metric: 'top5' but should be one of top1, perplexity [digits.yaml:8] (did you mean 'top1'?)"
    ]


def test_a_track_is_called_like_its_file(digits):
    path = digits().rename(digits().with_name("numerals.yaml"))
    assert sentences(path) == ["got name: 'digits' but should be 'numerals', as the file is [numerals.yaml:4]"]


def test_a_folder_of_the_caller_comes_first_with_its_own_edition(digits, tmp_path: Path):
    digits(("correct: 475", "correct: 480"), ("rules: micronet-2019", "rules: strict"))
    (tmp_path / "rules").mkdir()
    edition = (spec_folder() / "rules" / "micronet-2019.yaml").read_text(encoding="utf-8").replace("micronet-2019", "strict")
    (tmp_path / "rules" / "strict.yaml").write_text(edition.replace("dot_adds: n_minus_1", 'dot_adds: "n"'), encoding="utf-8")
    track = load_track("digits", [tmp_path])
    assert track.target.correct == 480
    assert track.rules == CountingRules(edition="strict", dot_adds="n")
    assert load_rules("strict", [tmp_path]) == track.rules
    assert track_names([tmp_path]) == track_names()


def test_faults_of_an_edition_are_reported_with_those_of_the_track(digits, tmp_path: Path):
    digits(("rules: micronet-2019", "rules: strict"), ("correct: 475", "correct: -1"))
    (tmp_path / "rules").mkdir()
    edition = (
        (spec_folder() / "rules" / "micronet-2019.yaml").read_text(encoding="utf-8").replace("mask: element_or_block", "mask: elements")
    )
    (tmp_path / "rules" / "strict.yaml").write_text(edition.replace("activation_bits: measured", "activation_bits: 8"), encoding="utf-8")
    assert sentences("digits", tmp_path) == [
        "got mask: 'elements' but should be one of element_or_block, element, absent [rules/strict.yaml:5] (did you mean 'element'?)",
        "got correct: the number -1 but should be at least 1 [digits.yaml:9]",
        "got activation_bits: the number 8 but should be one of measured, 16, 32 [rules/strict.yaml:11]",
    ]
    (tmp_path / "rules" / "strict.yaml").write_text(edition.replace("elements", "element"), encoding="utf-8")
    with pytest.raises(SpecError, match=r"got edition: 'micronet-2019' but should be 'strict', as the file is \[rules/strict.yaml:3\]"):
        load_rules("strict", [tmp_path])


def test_an_installed_package_has_its_tracks_inside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    inside = tmp_path / "micronet_verify" / "track_specs"
    inside.mkdir(parents=True)
    monkeypatch.setattr(library, "__file__", str(tmp_path / "micronet_verify" / "track" / "library.py"))
    assert spec_folder() == inside
    inside.rmdir()
    assert spec_folder() == tmp_path / "track_specs"


def test_a_language_track_says_how_exactly_distributions_sum_to_one(tmp_path: Path):
    text = (spec_folder() / "wikitext103.yaml").read_text(encoding="utf-8")

    def told(old: str, new: str) -> list[str]:
        assert old in text
        path = tmp_path / "wikitext103.yaml"
        path.write_text(text.replace(old, new), encoding="utf-8")
        return sentences(path)

    assert told("  sum_tolerance: 0.0001", "  # none") == [
        "got a target perplexity without 'sum_tolerance' but should have one [wikitext103.yaml:6]"
    ]
    assert told("sum_tolerance: 0.0001", "sum_tolerance: 0.02") == [
        "got sum_tolerance: the number 0.02 but should be at most 0.01 [wikitext103.yaml:9]"
    ]
    assert told("input_shape: [1]", "input_shape: [1, 2]") == [
        "got input_shape: [1, 2] but should be [1]: a language model is fed one token at a time [wikitext103.yaml:17]"
    ]
    assert told("metric: perplexity", "metric: loudness") == [
        "got sum_tolerance in a target loudness but should be left out: it belongs to perplexity [wikitext103.yaml:9]"
    ]


def test_the_digits_have_no_tolerance(digits):
    assert sentences(digits(("  of: 500", "  of: 500\n  sum_tolerance: 0.001"))) == [
        "got sum_tolerance in a target top1 but should be left out: it belongs to perplexity [digits.yaml:11]"
    ]
