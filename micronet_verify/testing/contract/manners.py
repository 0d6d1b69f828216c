"""How a plugin behaves: what it imports and when, that it repeats itself, and that no example depends on its neighbours."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from micronet_verify.errors import SubmissionFault
from micronet_verify.framework.registry import framework_of
from micronet_verify.sandbox.jobs import PredictJob, TranslateJob
from micronet_verify.sandbox.launcher import ProcessLauncher
from micronet_verify.sandbox.products import read_graph
from micronet_verify.testing.cases import CASES, Case
from micronet_verify.testing.contract.fixtures import LEAST_PROGRAMS, Fixtures, is_told
from micronet_verify.testing.made import Made
from micronet_verify.testing.plugin import Plugin, digests, predict, translate
from micronet_verify.testing.reference import examples

SAME = 1e-5
"""How far two answers of one file to one example may lie apart: sums may be ordered by the size of a batch, and nothing else may differ."""
# Rooms of the judge: what knows a price, a threshold or a label.
_JUDGE = ("analysis", "checks", "counting", "evaluation", "quality", "reports", "stages", "submission", "track")


class Manners(Fixtures):
    """Tests on one simple program, and on the plugin as it is installed."""

    def test_enough_programs_can_be_written(self, made: Made) -> None:
        """A contract of nothing but skipped tests is none."""
        count = 0
        for case in CASES:
            try:
                count += made.artifact(case).exists()
            except pytest.skip.Exception:
                continue
            if count == LEAST_PROGRAMS:
                return
        pytest.fail(f"got {count} programs that the plugin can write but should be {LEAST_PROGRAMS} at least")

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
            "from micronet_verify.framework.requests import TranslateRequest; "
            f"request, builder = TranslateRequest(Path({str(simple[1])!r})), GraphBuilder(Path({str(out)!r})); "
            f"framework_named({plugin.name!r}).counter().translate(request, builder)"
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
        np.testing.assert_allclose(got, alone, rtol=SAME, atol=SAME)

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
        is_told(fault.value)

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
        np.testing.assert_allclose(outputs, predict(plugin, artifact, inputs, 2), rtol=SAME, atol=SAME)


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
