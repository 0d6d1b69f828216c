"""Files that are not what they should be: damaged, of an operator that nobody knows, changed since they were read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from micronet_verify.errors import SubmissionFault
from micronet_verify.testing.cases import CASES, Case
from micronet_verify.testing.contract.fixtures import Fixtures, is_told, written
from micronet_verify.testing.contract.programs import CLOSE
from micronet_verify.testing.damage import DAMAGES, LOSSES, flipped
from micronet_verify.testing.plugin import Plugin, predict, translate
from micronet_verify.testing.program import Unsupported
from micronet_verify.testing.reference import examples, run

FLIPS = 48
_TWO = tuple(case for case in CASES if case.program.name in ("linear", "linear-without-bias"))


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
        case, folder = _TWO[0], tmp_path / "artifact"
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

    def test_a_file_that_took_anothers_place_is_read_anew(self, plugin: Plugin, tmp_path: Path) -> None:
        """Answers come from the bytes that lie there, not from those that were read before."""
        for number, case in enumerate((*_TWO, _TWO[0])):
            try:
                artifact = written(plugin, case, tmp_path / f"other{number}")
            except Unsupported as reason:
                pytest.skip(f"{plugin.name} cannot say it: {reason}")
            place = tmp_path / "place"
            if place.exists():
                place.rename(tmp_path / f"before{number}")
            artifact.parent.rename(place)
            inputs = examples(case.program, 3)
            should, got = run(case.program, inputs), predict(plugin, place / artifact.name, inputs, 3)
            assert np.abs(got - should).max() <= CLOSE * np.abs(should).max(), f"answers to {case.program.name}"


def _lose(path: Path, damage: str) -> None:
    """Damages a file, or takes it away."""
    loss = LOSSES[damage]
    if loss is None:
        path.unlink()
    else:
        path.write_bytes(loss(path.read_bytes()))
