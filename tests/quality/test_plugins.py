"""A data set and a metric of a plugin, installed as any other package; what its reader prepared is known as its own (C5)."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from micronet_verify.errors import BenchFault, PluginFault, SpecError, SubmissionFault
from micronet_verify.facts.data import Expected, Preprocessing
from micronet_verify.framework.data import DatasetMissing
from micronet_verify.framework.installed import forget
from micronet_verify.quality import registry
from micronet_verify.quality.inputs.prepare import prepare
from micronet_verify.quality.labels import all_labels, labels
from micronet_verify.quality.metrics.accuracy import Quality
from micronet_verify.quality.metrics.measure import check_metric, measure
from micronet_verify.quality.metrics.thresholds import Level
from micronet_verify.track.library import load_track, spec_folder
from micronet_verify.track.track import QualityTarget
from tests.framework.plugin_site import ROOT, install, python_with, run
from tests.quality.published import written

CODE = '''
from fractions import Fraction

import numpy as np

from micronet_verify.plugin import DatasetMissing, Metric, Problem, Split, hookimpl

MICRONET_INTERFACE = (1, 0)


class Shades:
    """Grey squares in the folder shades: one file per class, one byte per image."""

    name = "shades"
    splits = ("test",)

    def open(self, request):
        home = request.home
        folder = home.root / "shades" if home.root else None
        if folder is None or not folder.is_dir():
            raise DatasetMissing(Problem("no folder shades", "be there", str(home.root)))
        levels = [(byte, place) for place, path in enumerate(sorted(folder.iterdir())) for byte in path.read_bytes()]
        return Split(
            "shades",
            len(levels),
            "".join(f"{byte:02x}" for byte, _ in levels),
            lambda: np.array([place for _, place in levels]),
            image=lambda index: np.full((4, 4, 3), levels[index][0], np.uint8),
        )


def recall(request):
    """The smallest share of right answers of any class."""
    labels = request.labels
    right = request.outputs.argmax(1) == labels
    return min(Fraction(int(right[labels == name].sum()), int((labels == name).sum())) for name in range(request.classes))


@hookimpl
def micronet_reader():
    return Shades()


@hookimpl
def micronet_metric():
    return Metric("worst-recall", recall)
'''


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder into which the plugin is installed."""
    site = tmp_path / "site"
    written(site / "micronet_shades.py", CODE.encode())
    info = site / "micronet_shades-1.0.dist-info"
    written(info / "METADATA", b"Metadata-Version: 2.1\nName: micronet-shades\nVersion: 1.0\n")
    written(info / "entry_points.txt", b"[micronet_verify]\nshades = micronet_shades\n")
    monkeypatch.syspath_prepend(str(site))
    forget()
    yield site
    sys.modules.pop("micronet_shades", None)
    forget()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    written(tmp_path / "data" / "shades" / "a", bytes([0, 51]))
    written(tmp_path / "data" / "shades" / "b", bytes([255]))
    return tmp_path / "data"


def test_a_data_set_of_a_plugin(plugin: Path, root: Path, tmp_path: Path) -> None:
    steps = Preprocessing("unit", scale=Fraction(255), crop=2)
    prepared = prepare("shades", "test", steps, tmp_path, root=root)
    assert prepared.shape == (3, 3, 2, 2)
    assert np.array_equal(np.load(prepared.path)[:, 0, 0, 0], np.float32([0, 0.2, 1]))
    assert labels("shades", "test", root=root).tolist() == [0, 0, 1]
    with pytest.raises(DatasetMissing, match=r"^got no folder shades but should be there"):
        prepare("shades", "test", steps, tmp_path, root=tmp_path / "empty")
    with pytest.raises(SpecError, match=r"be one of digits, cifar100, imagenet, wikitext103, tales, shades \(did you mean 'shades'\?\)$"):
        labels("shade", "test")


def renewed(plugin: Path, code: str, version: str) -> None:
    """The plugin in another version, as a new process finds it."""
    written(plugin / "micronet_shades.py", code.encode())
    written(
        plugin / "micronet_shades-1.0.dist-info" / "METADATA",
        f"Metadata-Version: 2.1\nName: micronet-shades\nVersion: {version}\n".encode(),
    )
    sys.modules.pop("micronet_shades", None)
    importlib.invalidate_caches()
    forget()


def test_C5_inputs_that_another_version_of_a_reader_prepared_are_not_used(plugin: Path, root: Path, tmp_path: Path) -> None:
    """C5: the name of a prepared file holds its reader's distribution, version and code."""
    steps = Preprocessing("unit", scale=Fraction(255), crop=2)
    before = prepare("shades", "test", steps, tmp_path, root=root)
    assert prepare("shades", "test", steps, tmp_path, root=root).path == before.path
    assert json.loads(before.preprocessing)["reader"].keys() == {"distribution", "version", "module", "code"}
    renewed(plugin, CODE, "1.1")
    released = prepare("shades", "test", steps, tmp_path, root=root)
    renewed(plugin, CODE.replace("levels[index][0], np.uint8", "255 - levels[index][0], np.uint8"), "1.1")
    edited = prepare("shades", "test", steps, tmp_path, root=root)
    assert len({before.path, released.path, edited.path}) == 3
    assert np.array_equal(np.load(released.path), np.load(before.path))
    assert np.array_equal(np.load(edited.path)[:, 0, 0, 0], np.float32([1, 0.8, 0]))
    assert "reader" not in json.loads(prepare("digits", "test", "divide-by-16", tmp_path).preprocessing)


def test_a_metric_of_a_plugin(plugin: Path) -> None:
    outputs, classes = np.eye(2, dtype=np.float32)[[0, 1, 1, 1]], np.array([0, 0, 1, 1])
    target = QualityTarget("worst-recall", at_least=Fraction("0.75"))
    check_metric(target)
    assert str(target) == "a worst-recall of at least 0.75"
    found = measure(target, outputs, classes, 2)
    assert found == Level("worst-recall", Fraction(1, 2), 4, Fraction(3, 4), met=False, higher_is_better=True)
    assert (found.words, found.margin) == ("worst-recall 0.50", "0.25 worst-recall below")
    assert measure(QualityTarget("top1", 2, 4), outputs, classes, 2).margin == "1 image above"
    with pytest.raises(SpecError) as caught:
        check_metric(QualityTarget("worst-recal"))
    assert str(caught.value) == (
        "got the metric 'worst-recal' but should be one of top1, perplexity, worst-recall (did you mean 'worst-recall'?)"
    )


TARGET = "  metric: top1\n  correct: 475                 # 95 %\n  of: 500\n"


def track_file(tmp_path: Path, target: str) -> Path:
    text = (spec_folder() / "digits.yaml").read_text(encoding="utf-8")
    assert TARGET in text
    written(tmp_path / "tracks" / "digits.yaml", text.replace(TARGET, target).encode())
    return tmp_path / "tracks"


def test_a_track_names_the_metric_of_a_plugin(tmp_path: Path) -> None:
    folder = track_file(tmp_path, "  metric: worst-recall\n  at_least: 0.75\n")
    assert load_track("digits", [folder]).target == QualityTarget("worst-recall", at_least=Fraction(3, 4))
    folder = track_file(tmp_path, "  metric: error\n  at_most: 0.75\n")
    assert load_track("digits", [folder]).target == QualityTarget("error", at_most=Fraction(3, 4))
    folder = track_file(tmp_path, "  metric: worst-recall\n  at_least: 0.75\n  at_most: 1\n")
    with pytest.raises(SpecError, match=r"^got at_least and at_most in a target worst-recall but should have one of them"):
        load_track("digits", [folder])
    folder = track_file(tmp_path, TARGET + "  at_least: 0.75\n")
    with pytest.raises(SpecError, match=r"^got at_least in a target top1 but should be left out: it belongs to the metrics of plugins"):
        load_track("digits", [folder])


def test_two_plugins_may_not_claim_one_name(plugin: Path) -> None:
    written(plugin / "micronet_more.py", CODE.replace('Metric("worst-recall"', 'Metric("top1"').encode())
    info = plugin / "micronet_more-1.0.dist-info"
    written(info / "METADATA", b"Metadata-Version: 2.1\nName: micronet-more\nVersion: 1.0\n")
    written(info / "entry_points.txt", b"[micronet_verify]\nmore = micronet_more\n")
    wanted = r"got the name 'shades' from micronet_reader, which micronet-{} 1.0 has, too, but should be its own \[plugin '{}' of "
    with pytest.raises(BenchFault) as caught:
        registry.reader_named("shades")
    for fault, (entry, other) in zip(str(caught.value).splitlines(), (("more", "shades"), ("shades", "more")), strict=True):
        assert re.match(wanted.format(other, entry), fault)
    assert list(registry.readers()) == ["digits", "cifar100", "imagenet", "wikitext103", "tales"]
    assert list(registry.metrics()) == ["worst-recall"]
    (broken,) = registry.metric_offers().broken
    assert str(broken.problem).startswith("got the name 'top1' from micronet_metric, which is the judge's own, but should be its own")
    sys.modules.pop("micronet_more", None)


def test_a_worker_that_loads_plugins_learns_nothing_of_labels(plugin: Path) -> None:
    """A plugin needs ``framework.data`` only, so that the sandboxed step, which loads it too, has no module of labels."""
    code = (
        "import sys; from micronet_verify.framework.installed import installed; from micronet_verify.sandbox import worker; installed(); "
        "print('micronet_shades' in sys.modules, [name for name in sys.modules if name.startswith('micronet_verify.quality')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(plugin)})
    assert done.stdout == "True []\n"


OPEN = "        if folder is None or not folder.is_dir():\n"
READER_DEFECTS = {
    "raises": ((OPEN, "        {}['split']\n" + OPEN), "got KeyError: 'split' in open but should end with an answer or a named fault ["),
    "exits": ((OPEN, "        raise SystemExit(1)\n" + OPEN), "got SystemExit: 1 in open but should end with an answer or a named fault ["),
    "blames the entrant": (
        (OPEN, "        from micronet_verify.plugin import SubmissionFault; raise SubmissionFault(Problem('this', 'be that'))\n" + OPEN),
        "got this but should be that (",
    ),
    "nothing": (("        return Split(", "        Split("), "got None from open but should return a Split ("),
    "no examples": (("            len(levels),\n", "            0,\n"), "got a Split with examples=0 but should be as the reference says"),
    "old interface": (
        ("def open(self, request):\n        home = request.home", "def open(self, split, expected, home):\n        pass"),
        "got open(split, expected, home) but should be a method open(request) (",
    ),
    "labels in a list": (("lambda: np.array([place for _, place in levels])", "lambda: [0, 0, 1]"), "got list from labels of shades"),
    "labels raise": (
        ("lambda: np.array([place for _, place in levels])", "lambda: 1 / 0"),
        "got ZeroDivisionError: division by zero in labels",
    ),
    "an image raises": (("lambda index: np.full(", "lambda index: {}[index] or np.full("), "got KeyError: 0 in image but should"),
}


@pytest.mark.parametrize("name", READER_DEFECTS)
def test_F9_a_defect_of_a_reader_is_its_plugins_by_name(plugin: Path, root: Path, tmp_path: Path, name: str) -> None:
    (before, after), words = READER_DEFECTS[name]
    assert before in CODE
    renewed(plugin, CODE.replace(before, after), "1.0")

    def used() -> None:
        prepare("shades", "test", Preprocessing("unit", scale=Fraction(255), crop=2), tmp_path, root=root)
        labels("shades", "test", root=root)

    with pytest.raises(PluginFault) as caught:
        used()
    assert str(caught.value).startswith(words)
    assert "a defect of plugin 'shades' of micronet-shades 1.0: report it to the authors of micronet-shades" in str(caught.value)
    assert labels("digits", "test").size == 500


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return 0.5", "got 0.5 from measure but should be exact: a Fraction ("),
        ("return True", "got True from measure but should be exact: a Fraction ("),
        ("return None", "got None from measure but should be exact: a Fraction ("),
        ("return 1 // 0", "got ZeroDivisionError: integer division or modulo by zero in measure but should"),
        ("import sys; sys.exit(0)", "got SystemExit: 0 in measure but should"),
        ("raise DatasetMissing(Problem('a', 'b'))", "got a but should b ("),
    ],
)
def test_F9_a_defect_of_a_metric_is_its_plugins_by_name(plugin: Path, body: str, words: str) -> None:
    renewed(plugin, CODE.replace("    labels = request.labels\n", f"    {body}\n"), "1.0")
    with pytest.raises(PluginFault) as caught:
        measure(QualityTarget("worst-recall", at_least=Fraction(1, 2)), np.eye(2, dtype=np.float32), np.array([0, 1]), 2)
    assert str(caught.value).startswith(words)
    assert "a defect of plugin 'shades' of micronet-shades 1.0" in str(caught.value)


def test_a_metric_refuses_outputs_that_it_cannot_judge(plugin: Path) -> None:
    refusal = "from micronet_verify.plugin import SubmissionFault; raise SubmissionFault(Problem('three columns', 'be two'))"
    renewed(plugin, CODE.replace("    labels = request.labels\n", f"    {refusal}\n"), "1.0")
    with pytest.raises(SubmissionFault, match=r"^got three columns but should be two$"):
        measure(QualityTarget("worst-recall", at_least=Fraction(1, 2)), np.eye(2, dtype=np.float32), np.array([0, 1]), 2)


def test_a_plugin_brings_several_readers_and_metrics(plugin: Path, root: Path) -> None:
    more = CODE.replace("return Shades()", "other = Shades(); other.name = 'other'; return Shades(), other")
    renewed(plugin, more.replace('return Metric("worst-recall", recall)', 'return [Metric("a", recall), Metric("b", recall)]'), "1.0")
    assert labels("other", "test", root=root).tolist() == labels("shades", "test", root=root).tolist() == [0, 0, 1]
    assert list(registry.metrics()) == ["a", "b"]


def ignoring(labels: list[int], ignore: int) -> str:
    """The plugin with other labels, one of which is to be ignored."""
    told = CODE.replace("np.array([place for _, place in levels])", f"np.array({labels})")
    return told.replace("            image=", f"            ignore={ignore},\n            image=")


def test_examples_whose_label_is_to_be_ignored_do_not_count(plugin: Path, root: Path, tmp_path: Path) -> None:
    """The second of three examples has no label: two are left, in every metric."""
    renewed(plugin, ignoring([0, 7, 1], 7), "1.0")
    found = all_labels("shades", "test", Expected(classes=2), root=root)
    assert (found.classes.tolist(), found.counted.tolist()) == ([0, 7, 1], [True, False, True])
    outputs = np.eye(2, dtype=np.float32)[[0, 1, 0]]  # right, not asked, wrong
    quality = measure(QualityTarget("top1", 1, 2), outputs, found.classes, 2, found.counted)
    assert isinstance(quality, Quality)
    assert (quality.correct, quality.of) == (1, 2)
    level = measure(QualityTarget("worst-recall", at_least=Fraction(1, 2)), outputs, found.classes, 2, found.counted)
    assert level == Level("worst-recall", Fraction(0), 2, Fraction(1, 2), met=False, higher_is_better=True)
    words = np.log(np.array([0.5, 0.001, 0.5]))
    assert measure(QualityTarget("perplexity", at_most=Fraction(3)), words, found.classes, 8, found.counted).words == "perplexity 2.00"


def test_labels_that_are_all_to_be_ignored_are_no_labels(plugin: Path, root: Path) -> None:
    renewed(plugin, ignoring([0, 0, 0], 0), "1.0")
    with pytest.raises(BenchFault, match=r"^got labels that are all 0, to be ignored, but should have one that counts \[shades\]$"):
        labels("shades", "test", root=root)


def test_a_metric_of_positions_is_told_which_count(plugin: Path) -> None:
    body = "return Fraction(int((request.outputs.argmax(1) == request.labels)[request.counted].sum()), int(request.counted.sum()))"
    renewed(plugin, CODE.replace("    labels = request.labels\n", f"    {body}\n"), "1.0")
    masks = np.array([[0, 1, 9], [1, 9, 9]])  # two pictures of three positions, 9 to be ignored
    outputs = np.zeros((2, 2, 3), np.float32)
    outputs[:, 1] = 1  # always the class 1
    level = measure(QualityTarget("worst-recall", at_least=Fraction(1, 2)), outputs, masks, 2, masks != 9)
    assert level == Level("worst-recall", Fraction(2, 3), 3, Fraction(1, 2), met=True, higher_is_better=True)
    with pytest.raises(
        SpecError, match=r"^got labels of shape \(2, 3\) for the metric top1 but should be one class for each example \(a metric of a"
    ):
        measure(QualityTarget("top1", 1, 2), outputs, masks, 2)


def test_what_a_plugin_prints_while_it_judges_stays_out_of_the_answer(tmp_path: Path) -> None:
    """``explain --json`` beside a metric that prints: JSON on stdout, the words on stderr."""
    share = "Fraction(int((request.outputs.argmax(1) == request.labels).sum()), len(request.labels))"
    loud = f'def right(request):\n    print("measuring")\n    return {share}\n'
    head = "from fractions import Fraction\nfrom micronet_verify.plugin import Metric, hookimpl\n\nMICRONET_INTERFACE = (1, 0)\n\n"
    install(tmp_path / "site", "loud", f"{head}\n{loud}\n\n@hookimpl\ndef micronet_metric():\n    return Metric('right', right)\n")
    tracks = track_file(tmp_path, "  metric: right\n  at_least: 0.75\n")
    entry = ROOT / "sample_submissions" / "digits" / "pruned-onnx"
    done = run(python_with(tmp_path / "env", tmp_path / "site"), "explain", entry, "--json", "--tracks", tracks)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)
    assert "measuring" in done.stderr
