"""The data sets and metrics that can be named: those that come with the judge, and those of plugins."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from micronet_verify.errors import BenchFault, Problem, SpecError
from micronet_verify.framework.data import Metric, Reader
from micronet_verify.framework.installed import remembered
from micronet_verify.framework.offers import Kind, Offer, Offers, collect, told
from micronet_verify.quality.datasets.cifar100 import Cifar100
from micronet_verify.quality.datasets.digits import Digits
from micronet_verify.quality.datasets.imagenet import ImageNet
from micronet_verify.quality.datasets.tales import Tales
from micronet_verify.quality.datasets.wikitext103 import WikiText103
from micronet_verify.strict_yaml.sentences import did_you_mean

METRICS = ("top1", "perplexity")
_OWN: Mapping[str, Reader] = {reader.name: reader for reader in (Digits(), Cifar100(), ImageNet(), WikiText103(), Tales())}


@remembered
def reader_offers() -> Offers[Reader]:
    """Every reader of a plugin that can be used, and every plugin that was to bring one and does not."""
    return collect(Kind("micronet_reader", "a reader", _wrong_reader, lambda reader: (reader.name,), _OWN))


@remembered
def metric_offers() -> Offers[Metric]:
    """Every metric of a plugin that can be used, and every plugin that was to bring one and does not."""
    return collect(Kind("micronet_metric", "a Metric", _wrong_metric, lambda metric: (metric.name,), METRICS))


def readers() -> Mapping[str, Reader]:
    """Every reader that can be used, by the name of its data set: the judge's own, then those of plugins."""
    return {**_OWN, **{name: offer.item for name, offer in reader_offers().usable.items()}}


def metrics() -> Mapping[str, Metric]:
    """Every metric of a plugin that can be used, by name."""
    return {name: offer.item for name, offer in metric_offers().usable.items()}


def reader_named(dataset: str) -> Reader:
    """Raises ``SpecError`` for a name that no reader has; ``BenchFault`` where a broken plugin may bring it, with its sentence."""
    found = readers()
    if dataset not in found:
        if broken := reader_offers().lost(dataset) or reader_offers().unknown():
            raise BenchFault(broken)
        raise SpecError(Problem(f"the data set {dataset!r}", f"be one of {', '.join(found)}", advice=did_you_mean(dataset, found)))
    return found[dataset]


def made_by(offer: Offer[Any] | None) -> Mapping[str, str]:
    """The plugin that a reader or metric comes from, so that what it made is known as its work: distribution, version, its code.

    Nothing for the judge's own (``None``), which have an edition of their own.
    """
    if offer is None:
        return {}
    module = (offer.item.measure if isinstance(offer.item, Metric) else type(offer.item)).__module__
    source = Path(getattr(sys.modules.get(module), "__file__", None) or "")
    code = hashlib.sha256(source.read_bytes()).hexdigest() if source.is_file() else ""
    return {"distribution": offer.origin.distribution, "version": offer.origin.version, "module": module, "code": code}


def metric_named(name: str) -> Metric:
    """A plugin's metric.

    Raises ``SpecError`` for a name that none has; ``BenchFault`` where a broken plugin may bring it, with its sentence.
    """
    found, known = metrics(), (*METRICS, *metrics())
    if name not in found:
        if broken := metric_offers().lost(name) or metric_offers().unknown():
            raise BenchFault(broken)
        raise SpecError(Problem(f"the metric {name!r}", f"be one of {', '.join(known)}", advice=did_you_mean(name, known)))
    return found[name]


def _wrong_reader(reader: object) -> tuple[str, str] | None:
    name, splits = getattr(reader, "name", None), getattr(reader, "splits", None)
    if isinstance(reader, type) or not callable(getattr(reader, "open", None)):
        return told(reader), "be a reader (name, splits, open), or a tuple of them"
    if not isinstance(name, str) or not name:
        return f"a reader of the name {name!r}", "be named in text, as track files call its data set"
    if not isinstance(splits, tuple) or not splits or not all(isinstance(split, str) for split in splits):
        return f"a reader with splits={splits!r}", "have a tuple of names"
    return None


def _wrong_metric(metric: object) -> tuple[str, str] | None:
    if not isinstance(metric, Metric):
        return told(metric), "be a Metric, or a tuple of them"
    if not isinstance(metric.name, str) or not metric.name:
        return f"a metric of the name {metric.name!r}", "be named in text, as track files call it"
    if not callable(metric.measure):
        return f"a metric with measure={metric.measure!r}", "measure by a function"
    return None
