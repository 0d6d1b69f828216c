from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins.networks import NETWORKS
from tests.plugins.pytorch.support import archive


@pytest.fixture(scope="session")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The shared networks as decomposed archives of a free batch, made once."""
    folder = tmp_path_factory.mktemp("networks")
    return {name: archive(network.build(), network.example(), folder) for name, network in NETWORKS.items()}
