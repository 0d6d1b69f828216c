"""A mutated translation is found: the proof holds for each network as it is translated, and for none with a planted defect."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from micronet_verify_pytorch import op_table

from tests.mutants import of_onnx, of_pytorch, of_tensorflow, of_tflite
from tests.mutants.planting import Judged, Plant

TABLES: dict[str, dict[str, dict[str, Plant]]] = {
    "onnx": of_onnx.DEFECTS,
    "pytorch": of_pytorch.DEFECTS,
    "tensorflow": of_tensorflow.DEFECTS,
    "tflite": of_tflite.DEFECTS,
}
NETWORKS = [(framework, name) for framework, networks in TABLES.items() for name in networks]
PLANTED = [(*network, defect) for network in NETWORKS for defect in TABLES[network[0]][network[1]]]
Build = Callable[[str, str], Judged]


@pytest.fixture(autouse=True)
def _fresh_lines() -> Iterator[None]:
    """The PyTorch plugin keeps the lines that it looked up."""
    op_table.lookup.cache_clear()
    yield
    op_table.lookup.cache_clear()


@pytest.mark.parametrize("framework", TABLES)
def test_there_are_enough_defects(framework: str) -> None:
    assert len({name for defects in TABLES[framework].values() for name in defects}) >= 25


@pytest.mark.parametrize(("framework", "name"), NETWORKS)
def test_the_translation_as_it_is_is_proved(framework: str, name: str, network: Build) -> None:
    found = network(framework, name).proof()
    assert found.proof.translated.outcome == "holds", found.proof.translated
    assert found.holds, found.found


@pytest.mark.parametrize(("framework", "name", "defect"), PLANTED)
def test_a_defect_is_found(framework: str, name: str, defect: str, network: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    built = network(framework, name)
    TABLES[framework][name][defect](monkeypatch)
    op_table.lookup.cache_clear()
    found = built.first()
    assert found.compared.outcome == "differs", f"{defect} is not found: {found.compared}"
