"""The small networks of the plugins' tests have one price in both formats, tied tables and recurrent layers among them."""

from __future__ import annotations

from pathlib import Path

import pytest

from micronet_verify.framework.registry import framework_of
from tests.plugins.networks import NETWORKS
from tests.reference.export import SAVE
from tests.translated import translated


@pytest.mark.parametrize("name", NETWORKS)
def test_both_formats_cost_the_same(tmp_path: Path, name: str) -> None:
    model, example = NETWORKS[name].build(), NETWORKS[name].example(1)
    found = []
    for file_format, save in SAVE.items():
        path = tmp_path / file_format / f"model.{file_format}"
        path.parent.mkdir()
        save(model, (example,), path)
        count = translated(framework_of(path.name).counter(), path, path.parent).count()
        found.append({regime: (ledger.storage, ledger.operations) for regime, ledger in count.ledgers.items()})
    assert found[0] == found[1]
    assert set(found[0]) == {"freebie", "quantized"}
