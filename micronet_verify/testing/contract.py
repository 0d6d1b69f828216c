"""The tests that every framework plugin passes: known counts, known answers, and files that are not what they should be.

from micronet_verify.testing import Plugin, PluginContract

class TestMyFramework(PluginContract):
    @pytest.fixture
    def plugin(self) -> Plugin:
        return Plugin("my-framework", "micronet_verify_mine", write, write_unknown)
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from micronet_verify.errors import MicronetError, SubmissionFault
from micronet_verify.framework.registry import framework_of
from micronet_verify.sandbox.jobs import PredictJob, TranslateJob
from micronet_verify.sandbox.launcher import ProcessLauncher
from micronet_verify.sandbox.products import read_graph
from micronet_verify.testing.cases import CASES, Case
from micronet_verify.testing.damage import DAMAGES, flipped
from micronet_verify.testing.plugin import Plugin, digests, predict, translate
from micronet_verify.testing.program import Unsupported
from micronet_verify.testing.reference import examples, run

LEAST_PROGRAMS = 5
"""A framework that can say fewer of the programs than this is not tested by them."""
FLIPS = 48
CLOSE = 1e-4
# Rooms of the judge: what knows a price, a threshold or a label.
_JUDGE = ("analysis", "checks", "counting", "evaluation", "quality", "reports", "stages", "submission", "track")
Write = Callable[[Case], Path]
_WRITTEN = pytest.StashKey[dict[tuple[str, str], Path]]()
_BY_NAME = {case.program.name: case for case in CASES}


class PluginContract:
    """Subclass it and give it the fixture ``plugin``; pytest collects the rest."""

    @pytest.fixture
    def plugin(self) -> Plugin:
        raise NotImplementedError("a subclass of PluginContract has a fixture `plugin`, which returns a micronet_verify.testing.Plugin")

    @pytest.fixture
    def written(self, plugin: Plugin, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Write:
        """The artifact of a program, written once for all tests, which only read it. Skips a program that cannot be said."""
        known = pytestconfig.stash.setdefault(_WRITTEN, {})

        def artifact(case: Case) -> Path:
            key = plugin.name, case.program.name
            if key not in known:
                known[key] = _written(plugin, case, tmp_path_factory.mktemp("artifact"))
            return known[key]

        def supported(case: Case) -> Path:
            try:
                return artifact(case)
            except Unsupported as reason:
                pytest.skip(f"{plugin.name} cannot say it: {reason}")

        return supported

    @pytest.fixture
    def simple(self, plugin: Plugin, tmp_path: Path) -> tuple[Case, Path]:
        """The first program that the framework can say, written down."""
        for case in (_BY_NAME[name] for name in ("linear", "linear-without-bias", *_BY_NAME)):
            try:
                return case, _written(plugin, case, tmp_path / "simple")
            except Unsupported:
                continue
        pytest.fail("got no program that the plugin can write but should be five at least")

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.program.name)
    def test_a_program_costs_what_arithmetic_says(self, plugin: Plugin, written: Write, case: Case, tmp_path: Path) -> None:
        count = translate(plugin, written(case), tmp_path).count()
        assert case.regime in count.ledgers, f"not priced in the regime {case.regime}: {count.forfeited}"
        ledger = count.ledgers[case.regime]
        lines = "\n".join(f"{line.axis} {line.subject}: {line.formula} of {line.bits} bits {line.operation}" for line in ledger.lines)
        got = {operation: ledger.quantity("operations", operation) for operation in ("multiply", "add")}
        assert got == {"multiply": case.multiplies, "add": case.adds}, lines
        assert ledger.storage == Fraction(case.storage, 32), lines
        assert ledger.operations == Fraction(case.operation_bits, 32), lines

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.program.name)
    def test_a_program_answers_what_numpy_answers(self, plugin: Plugin, written: Write, case: Case) -> None:
        inputs = examples(case.program, 5)
        got, should = predict(plugin, written(case), inputs, 2), run(case.program, inputs)
        assert got.shape == should.shape
        assert np.abs(got - should).max() <= CLOSE * max(1.0, float(np.abs(should).max()))

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.program.name)
    def test_the_graph_is_of_one_example_and_tells_its_places(self, plugin: Plugin, written: Write, case: Case, tmp_path: Path) -> None:
        graph = translate(plugin, written(case), tmp_path).graph
        (name,) = graph.inputs
        assert graph.values[name].shape == (1, *case.program.shape)
        assert len(graph.outputs) == 1
        assert graph.values[graph.outputs[0]].shape == (1, *run(case.program, examples(case.program, 1)).shape[1:])
        assert [node.kind for node in graph.nodes if not node.source] == []

    def test_enough_programs_can_be_written(self, plugin: Plugin, tmp_path: Path) -> None:
        """A contract of nothing but skipped tests is none."""
        written = 0
        for case in CASES:
            try:
                written += _written(plugin, case, tmp_path / case.program.name).exists()
            except Unsupported:
                continue
            if written == LEAST_PROGRAMS:
                return
        pytest.fail(f"got {written} programs that the plugin can write but should be {LEAST_PROGRAMS} at least")

    def test_the_framework_is_registered_under_its_name(self, plugin: Plugin) -> None:
        assert plugin.framework.name == plugin.name
        points = [point for point in metadata.entry_points(group="micronet_verify") if point.value.partition(":")[0] == plugin.module]
        assert points, f"no entry point of the group micronet_verify names {plugin.module}"

    def test_the_suffixes_find_the_framework(self, plugin: Plugin, simple: tuple[Case, Path]) -> None:
        assert plugin.framework.suffixes
        assert all(suffix.startswith(".") for suffix in plugin.framework.suffixes)
        assert framework_of(simple[1].name).name == plugin.name

    def test_versions_are_told(self, plugin: Plugin) -> None:
        versions = plugin.framework.version()
        assert versions
        assert all(isinstance(version, str | None) for version in versions.values())

    def test_importing_the_plugin_imports_no_framework(self, plugin: Plugin) -> None:
        heavy = set(plugin.heavy) or _modules_of(plugin)
        before = _modules_after("import micronet_verify.framework.hookspecs")
        after = _modules_after(f"import {plugin.module}")
        assert sorted((heavy & after) - before) == []

    def test_translating_knows_no_price_and_no_label(self, plugin: Plugin, simple: tuple[Case, Path], tmp_path: Path) -> None:
        out = tmp_path / "graph"
        out.mkdir()
        code = (
            "from pathlib import Path; from micronet_verify.framework.builder import GraphBuilder; "
            "from micronet_verify.framework.registry import framework_named; "
            f"framework_named({plugin.name!r}).counter().translate(Path({str(simple[1])!r}), GraphBuilder(Path({str(out)!r})))"
        )
        rooms = {f"micronet_verify.{room}" for room in _JUDGE}
        assert sorted(name for name in _modules_after(code) if ".".join(name.split(".")[:2]) in rooms) == []

    def test_translating_twice_gives_the_same_bytes(self, plugin: Plugin, simple: tuple[Case, Path], tmp_path: Path) -> None:
        one, other = (translate(plugin, simple[1], tmp_path / name) for name in ("one", "other"))
        assert (one.text, one.sidecar) == (other.text, other.sidecar)

    def test_translating_and_predicting_leave_the_artifact_alone(self, plugin: Plugin, simple: tuple[Case, Path], tmp_path: Path) -> None:
        before = digests(simple[1].parent)
        translate(plugin, simple[1], tmp_path / "graph")
        predict(plugin, simple[1], examples(simple[0].program, 2), 2)
        assert digests(simple[1].parent) == before

    @pytest.mark.parametrize("batch_size", [2, 3, 7, 50])
    def test_the_batch_size_changes_no_answer(self, plugin: Plugin, simple: tuple[Case, Path], batch_size: int) -> None:
        inputs = examples(simple[0].program, 7)
        got, alone = predict(plugin, simple[1], inputs, batch_size), predict(plugin, simple[1], inputs, 1)
        assert got.shape == alone.shape
        np.testing.assert_allclose(got, alone, rtol=CLOSE, atol=CLOSE)

    def test_answers_are_floats(self, plugin: Plugin, simple: tuple[Case, Path]) -> None:
        assert predict(plugin, simple[1], examples(simple[0].program, 3), 2).dtype in (np.float32, np.float64)

    def test_inputs_may_be_a_read_only_map(self, plugin: Plugin, simple: tuple[Case, Path], tmp_path: Path) -> None:
        inputs = examples(simple[0].program, 5)
        np.save(tmp_path / "inputs.npy", inputs)
        mapped = np.load(tmp_path / "inputs.npy", mmap_mode="r")
        np.testing.assert_array_equal(predict(plugin, simple[1], mapped, 2), predict(plugin, simple[1], inputs, 2))

    def test_inputs_of_another_shape_are_the_entrants_fault(self, plugin: Plugin, simple: tuple[Case, Path]) -> None:
        inputs = examples(simple[0].program, 3)
        with pytest.raises(SubmissionFault) as fault:
            predict(plugin, simple[1], np.concatenate([inputs, inputs], -1), 3)
        _is_told(fault.value)

    def test_the_sandbox_gives_the_same(self, plugin: Plugin, simple: tuple[Case, Path], tmp_path: Path) -> None:
        case, artifact = simple
        inputs = examples(case.program, 5)
        np.save(tmp_path / "inputs.npy", inputs)
        launcher = ProcessLauncher()
        translated = launcher.run(TranslateJob(plugin.name, artifact.parent, artifact.name, tmp_path / "graph"))
        assert read_graph(tmp_path / "graph" / translated.graph) == translate(plugin, artifact, tmp_path / "again").graph
        job = PredictJob(
            framework=plugin.name,
            root=artifact.parent,
            primary=artifact.name,
            inputs=tmp_path / "inputs.npy",
            out=tmp_path / "answers",
            batch_size=2,
        )
        outputs = np.load(tmp_path / "answers" / launcher.run(job).outputs)
        np.testing.assert_allclose(outputs, predict(plugin, artifact, inputs, 2), rtol=CLOSE, atol=CLOSE)

    def test_an_unknown_operator_is_named(self, plugin: Plugin, tmp_path: Path) -> None:
        (tmp_path / "artifact").mkdir()
        artifact, operator = plugin.write_unknown(tmp_path / "artifact")
        with pytest.raises(SubmissionFault) as fault:
            translate(plugin, artifact, tmp_path / "graph")
        _is_told(fault.value)
        assert operator in str(fault.value)

    @pytest.mark.parametrize("damage", DAMAGES)
    def test_a_damaged_file_is_refused_with_a_sentence(
        self, plugin: Plugin, simple: tuple[Case, Path], damage: str, tmp_path: Path
    ) -> None:
        simple[1].write_bytes(DAMAGES[damage](simple[1].read_bytes()))
        with pytest.raises(SubmissionFault) as fault:
            translate(plugin, simple[1], tmp_path / "graph").count()
        _is_told(fault.value)

    def test_a_changed_byte_is_harmless_or_refused(self, plugin: Plugin, simple: tuple[Case, Path], tmp_path: Path) -> None:
        """It may change a weight, and then what is counted; it never ends in anything but a sentence."""
        whole = simple[1].read_bytes()
        for seed in range(FLIPS):
            simple[1].write_bytes(flipped(whole, seed))
            try:
                translate(plugin, simple[1], tmp_path / f"graph{seed}").count()
            except SubmissionFault as fault:
                _is_told(fault)


def _written(plugin: Plugin, case: Case, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return plugin.write(case.program, folder)


def _is_told(fault: MicronetError) -> None:
    """A fault is sentences, each with what was got and what it should be."""
    assert fault.problems
    assert all(problem.got and problem.should for problem in fault.problems)


def _modules_after(code: str) -> set[str]:
    command = [sys.executable, "-c", f"{code}; import json, sys; print(json.dumps(sorted(sys.modules)))"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def _modules_of(plugin: Plugin) -> set[str]:
    """The top modules of the packages that the framework's versions are of."""
    wanted = {package.lower().replace("_", "-") for package in plugin.framework.version()}
    found = metadata.packages_distributions()
    return {module for module, owners in found.items() if any(owner.lower().replace("_", "-") in wanted for owner in owners)}
