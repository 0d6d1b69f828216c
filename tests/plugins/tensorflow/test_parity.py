"""One network in three frameworks has one price, to the last integer, and gives one answer, its weights carried across."""

from __future__ import annotations

import os
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from micronet_verify.counting.count import Count
from micronet_verify.framework.registry import framework_of
from micronet_verify.track.rules import BatchNorm, CountingRules
from sample_submissions import networks as samples
from tests.plugins.networks import NETWORKS
from tests.plugins.tensorflow.carry import carried, laid_out
from tests.plugins.tensorflow.support import Builder, predict, translate
from tests.reference.export import SAVE
from tests.reference.networks.layers import lively, pictures
from tests.reference.networks.registry import NETWORKS as REFERENCE
from tests.translated import translated

SMALL = ("mlp", "convnet", "residual", "mobilenet", "shuffle", "attention", "lstm", "tied", "pruned")
DIGITS = {"digits-baseline": samples.Baseline, "digits-separable": samples.Separable, "digits-tiny": samples.Tiny}
LARGE = ("efficientnet-b0", "mobilenet-v2-1.4", "resnet-50")
READINGS: tuple[BatchNorm, ...] = ("folded", "shift_only", "charged")
CLOSE = 1e-4
Totals = Mapping[str, tuple[Fraction, Fraction, Fraction, Fraction]]


def totals(count: Count) -> Totals:
    """Storage, operations, multiplies and adds in each regime."""
    return {
        regime: (ledger.storage, ledger.operations, ledger.quantity("operations", "multiply"), ledger.quantity("operations", "add"))
        for regime, ledger in count.ledgers.items()
    }


def answers_agree(path: Path, model: nn.Module, inputs: torch.Tensor) -> None:
    with torch.no_grad():
        wanted = model(inputs).numpy()
    assert np.ptp(wanted, axis=0).max() > np.abs(wanted).max() / 10, "answers that say nothing about the input"
    found = np.concatenate([answer.outputs for answer in predict(path, laid_out(inputs.numpy()))])
    np.testing.assert_allclose(found, wanted, rtol=CLOSE, atol=CLOSE * np.abs(wanted).max())
    assert (found.argmax(-1) == wanted.argmax(-1)).all()


def both_formats(model: nn.Module, example: torch.Tensor, folder: Path) -> list[Totals]:
    """What the .pt2 and the .onnx file of a network cost."""
    found = []
    for name, save in SAVE.items():
        path = folder / name / f"model.{name}"
        path.parent.mkdir()
        save(model, (example,), path)
        found.append(totals(translated(framework_of(path.name).counter(), path, path.parent).count()))
    return found


@pytest.mark.parametrize("name", SMALL)
def test_small_networks(build: Builder, tmp_path: Path, name: str) -> None:
    network = NETWORKS[name]
    model = network.build()
    path = carried(build, model, (network.example(1),))
    mine = totals(translate(path, batch=True).count())
    assert both_formats(model, network.example(1), tmp_path) == [mine, mine]
    answers_agree(path, model, network.example(5))


@pytest.mark.parametrize("name", DIGITS)
def test_networks_of_the_sample_entries(build: Builder, tmp_path: Path, name: str) -> None:
    example = pictures(5, 1, 8, 8)
    model = lively(DIGITS[name], example)
    path = carried(build, model, (example[:1],))
    mine = totals(translate(path, batch=True).count())
    assert both_formats(model, example[:1], tmp_path) == [mine, mine]
    answers_agree(path, model, example)


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the reference networks cost in the other formats; shared with the tests of those, whichever worker runs them."""
    from tests.reference.counts import counts_of  # its own tests have its assertions rewritten, so they come first

    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    return lambda name: counts_of(name, shared)


@pytest.mark.parametrize("name", LARGE)
def test_reference_networks(build: Builder, counts: Any, name: str) -> None:
    reference, others = REFERENCE[name], counts(name)
    inputs = pictures(3, *reference.shapes[0])
    model = lively(reference.make, inputs)
    path = carried(build, model, reference.example())
    file = translate(path)
    for reading in READINGS:
        mine = totals(file.count(CountingRules(batch_norm=reading)))
        assert totals(others.by["pt2", reading]) == mine
        if reading == "folded":
            assert totals(others.by["onnx", reading]) == mine
    answers_agree(path, model, inputs)
