"""Files that are not what they should be: damaged, of an operator that nobody knows, changed since they were read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from micronet_verify.errors import SubmissionFault
from micronet_verify.testing.cases import CASES, Case
from micronet_verify.testing.contract.fixtures import Fixtures, is_told, written
from micronet_verify.testing.contract.programs import are_close
from micronet_verify.testing.damage import DAMAGES, LOSSES, flipped
from micronet_verify.testing.made import compute, inputs_of
from micronet_verify.testing.plugin import Plugin, predict, translate
from micronet_verify.testing.program import Unsupported
from micronet_verify.testing.reference import examples, run

FLIPS = 48
_LINEAR = next(case for case in CASES if case.program.name == "linear")


class Files(Fixtures):
    """Tests that write files of their own."""

    def test_an_unknown_operator_is_named(self, plugin: Plugin, tmp_path: Path) -> None:
        (tmp_path / "artifact").mkdir()
        artifact, operator = plugin.write_unknown(tmp_path / "artifact")
        with pytest.raises(SubmissionFault) as fault:
            translate(plugin, artifact, tmp_path / "graph")
        is_told(fault.value)
        assert operator in str(fault.value)

    @pytest.mark.parametrize("damage", DAMAGES)
    def test_a_damaged_file_is_refused_with_a_sentence(
        self, plugin: Plugin, simple: tuple[Case, Path], damage: str, tmp_path: Path
    ) -> None:
        simple[1].write_bytes(DAMAGES[damage](simple[1].read_bytes()))
        with pytest.raises(SubmissionFault) as fault:
            translate(plugin, simple[1], tmp_path / "graph").count()
        is_told(fault.value)

    def test_a_changed_byte_is_harmless_or_refused(self, plugin: Plugin, simple: tuple[Case, Path], tmp_path: Path) -> None:
        """It may change a weight, and then what is counted; it never ends in anything but a sentence."""
        whole = simple[1].read_bytes()
        for seed in range(FLIPS):
            simple[1].write_bytes(flipped(whole, seed))
            try:
                translate(plugin, simple[1], tmp_path / f"graph{seed}").count()
            except SubmissionFault as fault:
                is_told(fault)

    @pytest.mark.parametrize("damage", LOSSES)
    def test_a_damaged_file_beside_is_refused_or_harmless(self, plugin: Plugin, damage: str, tmp_path: Path) -> None:
        """Of weights in files of their own (external data, variables, shards). Harmless: count and answers stay what they were."""
        write = plugin.write_beside or plugin.write
        case, folder = _LINEAR, tmp_path / "artifact"
        try:
            folder.mkdir()
            artifact = write(case.program, folder)
        except Unsupported as reason:
            pytest.skip(f"{plugin.name} cannot say it: {reason}")
        beside = [path for path in sorted(folder.rglob("*")) if path.is_file() and path != artifact]
        if not beside:
            pytest.skip(f"{plugin.name} keeps everything in one file")
        inputs = examples(case.program, 3)
        whole = translate(plugin, artifact, tmp_path / "whole").count(), predict(plugin, artifact, inputs, 3)
        for number, path in enumerate(beside):
            kept = path.read_bytes()
            _lose(path, damage)
            try:
                assert translate(plugin, artifact, tmp_path / f"graph{number}").count() == whole[0], f"a count without {path.name}"
            except SubmissionFault as fault:
                is_told(fault)
            try:
                np.testing.assert_array_equal(predict(plugin, artifact, inputs, 3), whole[1], f"answers without {path.name}")
            except SubmissionFault as fault:
                is_told(fault)
            path.write_bytes(kept)

    def test_a_file_that_took_anothers_place_is_read_anew(self, plugin: Plugin, simple: tuple[Case, Path], tmp_path: Path) -> None:
        """Answers and graph come from the bytes that lie there, not from others of the name, or of the name and the size."""
        case, place = simple
        for number, other in enumerate((case, _turned(case), case)):
            if number:
                artifact = written(plugin, other, tmp_path / f"other{number}")
                place.parent.rename(tmp_path / f"before{number}")
                artifact.parent.rename(place.parent)
                (place.parent / artifact.name).rename(place)
            inputs, should = inputs_of(other), run(other.program, inputs_of(other))
            are_close(predict(plugin, place, inputs, 3), should, "answers of a file that lies where another lay", "numpy's")
            graph = translate(plugin, place, tmp_path / f"graph{number}")
            are_close(compute(graph, other).outputs, should, "the graph of a file that lies where another lay", "numpy's")


def _turned(case: Case) -> Case:
    """The same program with its weights in another order: as many bytes, and other answers."""
    steps = (replace(step, arrays={name: array[::-1].copy() for name, array in step.arrays.items()}) for step in case.program.steps)
    return replace(case, program=replace(case.program, steps=tuple(steps)))


def _lose(path: Path, damage: str) -> None:
    """Damages a file, or takes it away."""
    loss = LOSSES[damage]
    if loss is None:
        path.unlink()
    else:
        path.write_bytes(loss(path.read_bytes()))
