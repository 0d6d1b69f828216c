"""The networks that are measured, as files: the reference networks of the tests, and those for predictions.

``python -m benchmarks.networks NAME FORMAT FILE`` exports one; it runs in a child, so that no torch is in the parent.
"""

from __future__ import annotations

import shutil
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.harness import ROOT, NotMeasured, Program, measure
from benchmarks.settings import Settings

if TYPE_CHECKING:
    from torch import nn

FORMATS = ("pt2", "onnx")
OPSET = 17
# Networks beside the reference networks, and the shape of one example: those for predictions, with a free batch, and a small
# one that lies in the sample entries.
SMALL_IMAGES = ("cnn-32", "resnet-20", "mobilenet-32", "densenet-32", "transformer-32")
SHAPES = {"digits-baseline": (1, 8, 8), "tiny": (1, 8, 8), **dict.fromkeys(SMALL_IMAGES, (3, 32, 32))}
SAMPLES = {"tiny.pt2": "dense-pytorch/model.pt2", "tiny.onnx": "pruned-onnx/model.onnx"}


def network_file(name: str, file_format: str, settings: Settings) -> Path:
    """The exported network, made unless it is there. Raises ``NotMeasured``."""
    path = settings.work / "networks" / f"{name}.{file_format}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.name in SAMPLES:
            shutil.copyfile(ROOT / "sample_submissions" / "digits" / SAMPLES[path.name], path)
            return path
        measure(Program((sys.executable, "-W", "ignore", "-m", "benchmarks.networks", name, file_format, str(path))))
    return path


def discard(path: Path, settings: Settings) -> None:
    """Delete an exported network, unless they are kept for a next run."""
    if not settings.keep:
        path.unlink(missing_ok=True)
        path.with_suffix(".weights").unlink(missing_ok=True)


def files(name: str, formats: Iterable[str], settings: Settings) -> Iterator[tuple[str, Path | None, str]]:
    """``name.format`` of each format with its exported file, which is discarded when the next is asked for.

    Where there is none: ``None``, and why it could not be made.
    """
    for file_format in formats:
        try:
            path = network_file(name, file_format, settings)
        except NotMeasured as reason:
            yield f"{name}.{file_format}", None, str(reason)
            continue
        yield f"{name}.{file_format}", path, ""
        discard(path, settings)


def names() -> list[str]:
    """Every reference network of the tests."""
    from tests.reference.networks.registry import NETWORKS

    return list(NETWORKS)


def model(name: str) -> nn.Module:
    """The network in memory, in eval mode, with the same seeded values as in its file."""
    from tests.reference.networks.layers import build

    if name in SHAPES:
        return build(definition(name))
    from tests.reference.networks.registry import NETWORKS

    return build(NETWORKS[name].make)


def example(name: str) -> tuple[Any, ...]:
    """Inputs at batch 1."""
    import torch

    if name in SHAPES:
        return (torch.ones(1, *SHAPES[name]),)
    from tests.reference.networks.registry import NETWORKS

    return NETWORKS[name].example()


def definition(name: str) -> Callable[[], nn.Module]:
    """What makes the untrained network, for the names in ``SHAPES``."""
    from benchmarks import small_images
    from sample_submissions.networks import Baseline

    return {"digits-baseline": Baseline, "tiny": Baseline, **small_images.NETWORKS}[name]


def export(name: str, file_format: str, path: Path) -> None:
    import torch

    found, inputs, free = model(name), example(name), name in SHAPES
    if free:  # for the bare loop, which builds the network in Python
        torch.save(found.state_dict(), path.with_suffix(".weights"))
    part = path.with_suffix(".part")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if file_format == "pt2":
            inputs = tuple(torch.cat([tensor, tensor]) for tensor in inputs) if free else inputs
            shapes = tuple({0: torch.export.Dim("batch")} for _ in inputs) if free else None
            program = torch.export.export(found, inputs, dynamic_shapes=shapes).run_decompositions({})
            with part.open("wb") as handle:
                torch.export.save(program, handle)
        else:
            free_axes = {"input_names": ["x"], "dynamic_axes": {"x": {0: "batch"}}} if free else {}
            torch.onnx.export(found, inputs, str(part), dynamo=False, opset_version=OPSET, **free_axes)
    part.rename(path)


if __name__ == "__main__":
    export(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
