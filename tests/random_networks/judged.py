"""A random network in one framework: translated, counted, executed, and compared with the framework's answers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np

from tests.difference import CLOSE, difference
from tests.executed import predicted
from tests.random_networks.network import DISCRETE, Network
from tests.translated import translated

EXAMPLES = 4
Write = Callable[[Network, Path], Path]
# Regime → (storage, operations), both in words.
Prices = dict[str, tuple[Fraction, Fraction]]


def judge(framework: str, write: Write, network: Network) -> Prices:
    """The prices of ``network``; fails where the interpreter's answers are not the framework's."""
    folder = Path(tempfile.mkdtemp(prefix="micronet-random-"))
    try:
        (folder / "model").mkdir()
        (folder / "graph").mkdir()
        path = write(network, folder / "model")
        found = translated(framework, path, folder / "graph")
        prices = {regime: (ledger.storage, ledger.operations) for regime, ledger in found.count().ledgers.items()}
        inputs = np.random.default_rng(0).standard_normal((EXAMPLES, *network.shape[1:])).astype(np.float32)
        answers = predicted(framework, path, inputs)
        ratios = []
        for at in range(EXAMPLES):
            ratios.append(difference(answers[at : at + 1], *found.twice(inputs[at : at + 1])).ratio)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    # A last bit may tip a code or a choice: then one example, or two, may differ; a wrong translation differs in all.
    close = sum(ratio <= 4 * CLOSE for ratio in ratios)
    least = EXAMPLES // 2 if network.names & DISCRETE else EXAMPLES
    assert close >= least, f"{framework} is {[f'{ratio:.3g}' for ratio in ratios]} yardsticks off"
    return prices
