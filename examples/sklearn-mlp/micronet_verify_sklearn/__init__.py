"""Multi-layer perceptrons of scikit-learn: the fourth framework, as a tutorial (docs/plugin.md walks through it)."""

from __future__ import annotations

from collections.abc import Mapping

from micronet_verify.plugin import Counter, Framework, Loader, hookimpl, package_versions

MICRONET_INTERFACE = (1, 0)


@hookimpl
def micronet_framework() -> Framework:
    return Framework("sklearn", (".mlp.safetensors",), _loader, _counter, _version)


def _loader() -> Loader:
    from micronet_verify_sklearn.loader import MlpLoader

    return MlpLoader()


def _counter() -> Counter:
    from micronet_verify_sklearn.counter import MlpCounter

    return MlpCounter()


def _version() -> Mapping[str, str | None]:
    return package_versions("numpy")
