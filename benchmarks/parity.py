"""``python -m benchmarks.parity``: one network in three frameworks has one price and gives one answer; writes ``docs/parity.md``.

Each network is built once in PyTorch, with seeded values, exported as ``.pt2`` and ``.onnx``, and carried over to a SavedModel,
operator by operator, with the same weights. Each file is counted and run by the plugin that reads it. About two minutes.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import ROOT
from micronet_verify.framework.requests import PredictRequest
from micronet_verify.wording.numbers import figure

if TYPE_CHECKING:
    from torch import Tensor, nn

PAGE = ROOT / "docs" / "parity.md"
FRAMEWORKS = {"pt2": "PyTorch", "onnx": "ONNX", "pb": "TensorFlow"}
LARGEST = Fraction(1, 10_000)
Price = tuple[Fraction, Fraction, Fraction, Fraction, Fraction]
SMALLEST = Fraction(1, 100_000)  # what is below differs by the processor


@dataclass(frozen=True, slots=True)
class Network:
    """``title``: for people. ``shape``: one example, without the batch axis. ``examples``: how many are predicted."""

    title: str
    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    examples: int = 20

    def inputs(self) -> Tensor:
        import torch

        from tests.reference.networks.layers import pictures

        if len(self.shape) == 3:
            return pictures(self.examples, *self.shape)
        return torch.randn(self.examples, *self.shape, generator=torch.Generator().manual_seed(0))


@dataclass(frozen=True, slots=True)
class Row:
    """What one file costs, and how its answers differ from the ``.pt2`` file's.

    ``multiplies`` and ``adds``: single operations. ``storage`` (words) and ``operations`` (both of 32 bits): the freebie's inputs to the
    score. ``measured``: words stored in the quantized regime. ``difference``: the largest, as a share of how far the
    answers of two examples lie apart. ``classes``: how many the examples have.
    """

    network: str
    framework: str
    multiplies: Fraction
    adds: Fraction
    storage: Fraction
    operations: Fraction
    measured: Fraction
    difference: Fraction | None = None
    same_class: bool = True
    classes: int = 0

    @property
    def price(self) -> Price:
        return self.multiplies, self.adds, self.storage, self.operations, self.measured

    def cells(self) -> list[str]:
        found = [self.network, self.framework, *map(figure, self.price)]
        if self.difference is None:
            return [*found, "–", "–"]
        return [*found, bound(self.difference), f"{'yes' if self.same_class else 'no'}, {self.classes} classes"]


def networks() -> dict[str, Network]:
    """By the name that the command takes."""
    from torch import nn

    from sample_submissions import networks as samples
    from tests.plugins.networks import Attention, Recurrent
    from tests.reference.networks.efficientnet import EfficientNet
    from tests.reference.networks.mobilenet import MobileNetV2
    from tests.reference.networks.residual import ResNet50

    def transformer() -> nn.Module:
        return nn.Sequential(nn.Linear(32, 64), Attention(64, 4), Attention(64, 4), nn.Flatten(), nn.Linear(16 * 64, 10))

    return {
        "digits-baseline": Network("digits: baseline", samples.Baseline, (1, 8, 8)),
        "digits-separable": Network("digits: separable", samples.Separable, (1, 8, 8)),
        "digits-tiny": Network("digits: tiny", samples.Tiny, (1, 8, 8)),
        "lstm": Network("LSTM, 64 units, 28 steps", lambda: Recurrent(nn.LSTM, 28, 64, 10), (28, 28)),
        "transformer": Network("Transformer, 2 layers, 16 tokens", transformer, (16, 32)),
        "mobilenet-v2": Network("MobileNetV2", partial(MobileNetV2, 1.0), (3, 224, 224), 4),
        "efficientnet-b0": Network("EfficientNet-B0", partial(EfficientNet, 0), (3, 224, 224), 4),
        "resnet-50": Network("ResNet-50", ResNet50, (3, 224, 224), 4),
    }


def rows(network: Network, folder: Path) -> Iterator[Row]:
    """The three files of a network, made in ``folder``, counted and run."""
    from tests.plugins.tensorflow.carry import laid_out
    from tests.reference.networks.layers import lively

    given = network.inputs()
    model, inputs = lively(network.make, given), given.numpy()
    wanted: NDArray[Any] | None = None
    for ending, framework in FRAMEWORKS.items():
        path = _file(model, given[:1], ending, folder)
        answers = _answers(path, laid_out(inputs) if ending == "pb" else inputs)
        price = _price(path)
        if wanted is None:
            wanted = answers
            yield Row(network.title, framework, *price)
        else:
            difference = Fraction(float(np.abs(answers - wanted).max() / np.ptp(wanted, axis=0).max()))
            mine, theirs = answers.argmax(-1), wanted.argmax(-1)
            yield Row(network.title, framework, *price, difference, bool((mine == theirs).all()), np.unique(theirs).size)


def bound(difference: Fraction) -> str:
    """The power of ten above a difference, so that the page is the same wherever it is made."""
    limit, power = SMALLEST, -5
    while difference >= limit:
        limit, power = limit * 10, power + 1
    return f"< 10^{power}"


def page(found: Sequence[Row]) -> str:
    heads = (
        "network",
        "framework",
        "multiplies",
        "adds",
        "freebie storage",
        "freebie operations",
        "measured storage",
        "largest difference",
        "same class",
    )
    lines = [
        "| " + " | ".join(cells) + " |" for cells in (heads, ("---", "---", *["---:"] * 5, "---", "---"), *(row.cells() for row in found))
    ]
    return TEXT + "\n".join(lines) + "\n"


TEXT = """\
# Parity: one network, three frameworks, one price

The same weights as a `.pt2` file, an `.onnx` file and a SavedModel, each counted and run by the plugin that reads it. The prices must be
equal to the last integer, the answers within 10^-4, with the same class for every example. Values are random and seeded; nothing is
trained.

- *multiplies* and *adds*: single operations for one example, before any price.
- *freebie storage* and *freebie operations*: what goes into the score when nothing is below 16 bits, in 32-bit words and 32-bit
  operations.
- *measured storage*: what is stored, at its measured width, in 32-bit words (the quantized regime).
- *largest difference*: to the answers of the `.pt2` file, as a share of how far its answers to two examples lie apart, rounded up to a
  power of ten. *Same class*: for every example, how many classes these are.

`python -m benchmarks.parity` makes this page again (PyTorch, ONNX and TensorFlow must be installed), and ends with exit code 1 where
frameworks differ. The tests compare more networks, module by module and under other readings of the rules.

"""


def differ(found: Sequence[Row]) -> list[str]:
    """One sentence for each row whose price is another than its network's first, or whose answers are."""
    first = {row.network: row for row in reversed(found)}
    sentences = []
    for row in found:
        if row.price != first[row.network].price:
            sentences.append(f"{row.network}: {row.framework} costs another price than {first[row.network].framework}")
        if row.difference is not None and (row.difference > LARGEST or not row.same_class):
            sentences.append(f"{row.network}: {row.framework} gives another answer than {first[row.network].framework}")
    return sentences


def measured(names: Iterable[str]) -> Iterator[Row]:
    known = networks()
    for name in names:
        with tempfile.TemporaryDirectory(prefix="micronet-parity-") as folder:
            yield from rows(known[name], Path(folder))


def _file(model: nn.Module, example: Tensor, ending: str, folder: Path) -> Path:
    from tests.reference.export import SAVE

    path = folder / ending / f"model.{ending}"
    path.parent.mkdir()
    if ending in SAVE:
        SAVE[ending](model, (example,), path)
        return path
    from micronet_verify_tensorflow.environment import tensorflow

    from tests.plugins.tensorflow.carry import carried
    from tests.plugins.tensorflow.support import Builder

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        return carried(Builder(tensorflow(), path.parent), model, (example,))


def _price(path: Path) -> Price:
    from micronet_verify.framework.registry import framework_of
    from tests.translated import translated

    sidecar = path.parent / "graph"
    sidecar.mkdir()
    ledgers = translated(framework_of(path.name).counter(), path, sidecar).count().ledgers
    freebie = ledgers["freebie"]
    multiplies, adds = (freebie.quantity("operations", operation) for operation in ("multiply", "add"))
    return (multiplies, adds, freebie.storage, freebie.operations, ledgers["quantized"].storage)


def _answers(path: Path, inputs: NDArray[Any]) -> NDArray[Any]:
    from micronet_verify.framework.registry import framework_of

    loader = framework_of(path.name).loader()
    return np.concatenate([answer.outputs for answer in loader.predict(PredictRequest(path, inputs, 4, 1))])


@click.command()
@click.argument("names", nargs=-1)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default=PAGE, help="Where to write; docs/parity.md by default.")
def main(names: tuple[str, ...], out: Path) -> None:
    """Compare the networks NAME ... (all of them by default) in PyTorch, ONNX and TensorFlow, and write one table."""
    unknown = sorted(set(names) - set(networks()))
    if unknown:
        raise click.UsageError(f"got {', '.join(unknown)} but should be some of {', '.join(networks())}")
    found = []
    for row in measured(names or networks()):
        found.append(row)
        click.echo(" | ".join(row.cells()), err=True)
    out.write_text(page(found), encoding="utf-8")
    problems = differ(found)
    click.echo("\n".join(problems) or f"{len(found) // len(FRAMEWORKS)} networks, each at one price: {out}")
    raise SystemExit(bool(problems))


if __name__ == "__main__":
    main()
