"""The TFLite plugin: hands over the framework, and imports neither TensorFlow nor the interpreter until a worker needs one."""

from __future__ import annotations

from collections.abc import Mapping

from micronet_verify.plugin import Counter, Framework, Loader, hookimpl, package_versions

MICRONET_INTERFACE = (1, 0)


@hookimpl
def micronet_framework() -> Framework:
    return Framework("tflite", (".tflite",), _loader, _counter, _version)


def _loader() -> Loader:
    from micronet_verify_tflite.loader import TfliteLoader

    return TfliteLoader()


def _counter() -> Counter:
    from micronet_verify_tflite.counter import TfliteCounter

    return TfliteCounter()


def _version() -> Mapping[str, str | None]:
    return package_versions("ai-edge-litert")
