"""The TensorFlow plugin: hands over the framework, and imports nothing of TensorFlow until a worker needs it."""

from __future__ import annotations

from collections.abc import Mapping

from micronet_verify.plugin import Counter, Framework, Loader, hookimpl, package_versions

MICRONET_INTERFACE = (1, 0)


@hookimpl
def micronet_framework() -> Framework:
    """The framework ``tensorflow``: SavedModels (by their ``saved_model.pb``), ``.keras`` and ``.h5`` files."""
    return Framework("tensorflow", (".pb", ".keras", ".h5"), _loader, _counter, _version)


def _loader() -> Loader:
    from micronet_verify_tensorflow.loader import TensorFlowLoader

    return TensorFlowLoader()


def _counter() -> Counter:
    from micronet_verify_tensorflow.counter import TensorFlowCounter

    return TensorFlowCounter()


def _version() -> Mapping[str, str | None]:
    """The package ``tensorflow-cpu`` is TensorFlow too, under the name of its build without a GPU."""
    builds = package_versions("tensorflow", "tensorflow-cpu", "tensorflow-intel").values()
    return {"tensorflow": next(filter(None, builds), None), **package_versions("keras")}
