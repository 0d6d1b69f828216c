"""The small networks of the plugins' tests have one price in both formats, tied tables and recurrent layers among them."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch

from tests.plugins.networks import NETWORKS
from tests.reference.export import OPSET, counted, translated


@pytest.mark.parametrize("name", NETWORKS)
def test_both_formats_cost_the_same(tmp_path: Path, name: str) -> None:
    model, example = NETWORKS[name].build(), NETWORKS[name].example(1)
    pt2, onnx = (tmp_path / file_format / f"model.{file_format}" for file_format in ("pt2", "onnx"))
    found = []
    for path in (pt2, onnx):
        path.parent.mkdir()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own deprecations
            if path is pt2:
                torch.export.save(torch.export.export(model, (example,)).run_decompositions({}), path)
            else:
                torch.onnx.export(model, (example,), str(path), dynamo=False, opset_version=OPSET)
        count = counted(path, translated(path, path.parent), path.parent)
        found.append({regime: (ledger.storage, ledger.operations) for regime, ledger in count.ledgers.items()})
    assert found[0] == found[1]
    assert set(found[0]) == {"freebie", "quantized"}
