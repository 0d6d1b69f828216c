"""Readers and metrics of plugins as the judge calls them: whatever they do against the interface is their plugin's defect, by name.

What the judge brings itself is called as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from micronet_verify.errors import BenchFault, PluginFault, Problem, SubmissionFault
from micronet_verify.framework.data import Split
from micronet_verify.framework.guarded import check_signature, plugin_code
from micronet_verify.framework.origin import Origin
from micronet_verify.framework.requests import MeasureRequest, OpenRequest
from micronet_verify.quality.registry import metric_named, metric_offers, reader_named, reader_offers

# What the operating system says of a file is told with the file, by the judge.
_OF_DATA = (BenchFault, OSError)


def opened(dataset: str, request: OpenRequest) -> Split:
    """The split that a data set's reader finds. Raises what the reader may raise, ``PluginFault`` for what it may not."""
    reader, offer = reader_named(dataset), reader_offers().usable.get(dataset)
    if offer is None:
        return reader.open(request)
    origin = offer.origin
    check_signature(reader.open, "open", origin, "request")
    with plugin_code(origin, "open", _OF_DATA):
        found = reader.open(request)
        _check_split(found)
    return replace(found, image=_image(found, origin), ready=_ready(found, origin))


def reading(dataset: str, what: str) -> AbstractContextManager[None]:
    """Around a call of what a reader gave: its defects are its plugin's."""
    offer = reader_offers().usable.get(dataset)
    return plugin_code(offer.origin, what, _OF_DATA) if offer else nullcontext()


def measured(metric: str, request: MeasureRequest) -> Fraction:
    """What a plugin's metric makes of the answers. Raises ``SubmissionFault`` as the metric does, ``PluginFault`` for its defects."""
    measure, offer = metric_named(metric).measure, metric_offers().usable[metric]
    check_signature(measure, "measure", offer.origin, "request")
    with plugin_code(offer.origin, "measure", (SubmissionFault,)):
        value = measure(request)
        if not isinstance(value, int | Fraction) or isinstance(value, bool):
            raise PluginFault(Problem(f"{value!r} from measure", "be exact: a Fraction"))
    return Fraction(value)


def _check_split(found: object) -> None:
    if not isinstance(found, Split):
        raise PluginFault(Problem(f"{'None' if found is None else type(found).__name__} from open", "return a Split"))
    wrong: Mapping[str, bool] = {
        "where": not isinstance(found.where, str),
        "examples": not isinstance(found.examples, int) or found.examples < 1,
        "identity": not isinstance(found.identity, str) or not found.identity,
        "labels": not callable(found.labels),
        "image": found.image is not None and not callable(found.image),
        "ready": not isinstance(found.ready, Mapping) or not all(map(callable, found.ready.values())),
        "ignore": found.ignore is not None and type(found.ignore) is not int,
        "files": not isinstance(found.files, tuple) or not all(isinstance(path, Path) for path in found.files),
    }
    for name in (name for name, is_wrong in wrong.items() if is_wrong):
        raise PluginFault(Problem(f"a Split with {name}={getattr(found, name)!r}", "be as the reference says (docs/hooks.md)"))


def _image(found: Split, origin: Origin) -> Any:
    read = found.image
    if read is None:
        return None

    def image(index: int) -> Any:
        with plugin_code(origin, "image", _OF_DATA):
            return read(index)

    return image


def _ready(found: Split, origin: Origin) -> Any:
    def guarded(name: str) -> Any:
        def write(path: Path) -> None:
            with plugin_code(origin, f"the preprocessing {name!r}", _OF_DATA):
                found.ready[name](path)
                made = np.load(path, mmap_mode="r", allow_pickle=False)
                if made.shape[:1] != (found.examples,):
                    raise PluginFault(Problem(f"inputs of shape {made.shape}", f"be {found.examples:,} examples on the first axis"))

        return write

    return {name: guarded(name) for name in found.ready}
