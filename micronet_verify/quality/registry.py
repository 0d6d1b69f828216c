"""The data sets and metrics that can be named: those that come with the judge, and those of plugins."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from micronet_verify.errors import BenchFault, Problem, SpecError
from micronet_verify.framework.data import Metric, Reader
from micronet_verify.framework.registry import plugins
from micronet_verify.quality.datasets.cifar100 import Cifar100
from micronet_verify.quality.datasets.digits import Digits
from micronet_verify.quality.datasets.imagenet import ImageNet
from micronet_verify.quality.datasets.tales import Tales
from micronet_verify.quality.datasets.wikitext103 import WikiText103
from micronet_verify.strict_yaml.sentences import did_you_mean

METRICS = ("top1", "perplexity")


@cache
def readers() -> Mapping[str, Reader]:
    """Every reader by the name of its data set. Raises ``BenchFault`` if two claim one name."""
    found: dict[str, Reader] = {reader.name: reader for reader in (Digits(), Cifar100(), ImageNet(), WikiText103(), Tales())}
    for reader in plugins().hook.micronet_reader():
        if reader.name in found:
            raise BenchFault(Problem(f"two readers of the data set {reader.name!r}", "be one: uninstall one of the plugins"))
        found[reader.name] = reader
    return found


@cache
def metrics() -> Mapping[str, Metric]:
    """Every metric of a plugin by name. Raises ``BenchFault`` if two claim one name, or one claims a name of the judge's own."""
    found: dict[str, Metric] = {}
    for metric in plugins().hook.micronet_metric():
        if metric.name in found or metric.name in METRICS:
            raise BenchFault(Problem(f"two metrics named {metric.name!r}", "be one: uninstall one of the plugins"))
        found[metric.name] = metric
    return found


def reader_named(dataset: str) -> Reader:
    """Raises ``SpecError`` for a name that no reader has."""
    found = readers()
    if dataset not in found:
        raise SpecError(Problem(f"the data set {dataset!r}", f"be one of {', '.join(found)}", advice=did_you_mean(dataset, found)))
    return found[dataset]


def made_by(reader: Reader) -> Mapping[str, str]:
    """The plugin that a reader comes from, so that what it prepared is known as its work: distribution, version, digest of its code.

    Nothing for the judge's own readers, whose preparation has an edition of its own.
    """
    module = type(reader).__module__
    top = module.partition(".")[0]
    if top == __name__.partition(".")[0]:
        return {}
    known = (dist for plugin, dist in plugins().list_plugin_distinfo() if getattr(plugin, "__name__", "").partition(".")[0] == top)
    found = next(known, None)
    source = Path(getattr(sys.modules.get(module), "__file__", None) or "")
    code = hashlib.sha256(source.read_bytes()).hexdigest() if source.is_file() else ""
    named = {"distribution": found.project_name, "version": found.version} if found is not None else {}
    return {**named, "module": module, "code": code}


def metric_named(name: str) -> Metric:
    """A plugin's metric. Raises ``SpecError`` for a name that none has."""
    found, known = metrics(), (*METRICS, *metrics())
    if name not in found:
        raise SpecError(Problem(f"the metric {name!r}", f"be one of {', '.join(known)}", advice=did_you_mean(name, known)))
    return found[name]
