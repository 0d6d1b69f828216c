"""``--dump-graph``: the graph behind each pass, as files that a person and a program can read."""

from __future__ import annotations

from pathlib import Path

import pytest

from micronet_verify.analysis.rewrites.passes import NAMING, norm_passes
from micronet_verify.analysis.tensors.measurements import Measurements
from micronet_verify.facts.serde import load_graph

MODEL = "digits/pruned-onnx/model.onnx"
PASSES = [one.name for one in (*NAMING, *norm_passes(True, frozenset(), {}, Measurements(), []))]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("command", ["count", "explain"])
def test_a_file_for_each_pass_in_their_order(cli, samples, tmp_path, command) -> None:
    folder = tmp_path / "deep" / "graphs"
    result = cli(command, samples / MODEL, "--dump-graph", folder)
    assert result.exit_code == 0
    assert result.stdout == cli(command, samples / MODEL).stdout
    names = [path.stem for path in sorted(folder.glob("*.txt"))]
    assert names[0] == "00-translated"
    ran = [name.partition("-")[2] for name in names[1:]]
    twice = PASSES.index("remove_redundant", PASSES.index("remove_redundant") + 1)
    assert ran == PASSES[:twice] + PASSES[twice + 1 :]  # nothing has changed since the first time
    assert [name[:2] for name in names] == [f"{at:02d}" for at in range(len(names))]


def test_graphs_as_json_where_they_have_changed_and_the_same_bytes_each_time(cli, samples, tmp_path) -> None:
    for folder in ("one", "other"):
        assert cli("count", samples / "digits/binary-weights-pytorch/model.pt2", "--dump-graph", tmp_path / folder).exit_code == 0
    found = files(tmp_path / "one")
    assert found == files(tmp_path / "other")
    texts = {name[:-4]: found[name].decode() for name in found if name.endswith(".txt")}
    graphs = {name[:-5]: load_graph(found[name].decode()) for name in found if name.endswith(".json")}
    assert graphs.keys() == {name for name, text in texts.items() if not text.endswith(": unchanged\n")}
    assert {"00-translated", "17-fold_batch_norms"} <= graphs.keys()
    for name, graph in graphs.items():
        lines = [line for line in texts[name].splitlines()[4:] if not line.startswith("- ")]
        assert len(lines) == len(graph.nodes)
        assert all(result in line for line, node in zip(lines, graph.nodes, strict=True) for result in node.outputs)
    # The norms of the file are gone, and the operators before them are new.
    folded = texts["17-fold_batch_norms"].splitlines()
    assert any(line.startswith("- ") and "normalise.batch_norm" in line for line in folded)
    assert any(line.startswith("+ ") and "batch norm folded" in line for line in folded)


def test_a_folder_with_files_in_it_is_left_alone(cli, samples, tmp_path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    result = cli("count", samples / MODEL, "--dump-graph", tmp_path)
    assert result.exit_code == 2
    assert "with files in it" in result.stderr
    assert files(tmp_path) == {"mine.txt": b"mine"}


def test_an_entry_is_dumped_too(cli, samples, tmp_path) -> None:
    folder = tmp_path / "graphs"
    assert cli("explain", samples / "digits" / "pruned-onnx", "--dump-graph", folder).exit_code == 0
    assert (folder / "01-fold_constants.txt").exists()
