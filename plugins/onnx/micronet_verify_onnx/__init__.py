"""The ONNX plugin: hands over the framework, and imports neither onnx nor onnxruntime until a worker needs one."""

from __future__ import annotations

from collections.abc import Mapping

from micronet_verify.plugin import Counter, Framework, Loader, hookimpl, package_versions

MICRONET_INTERFACE = (1, 0)


@hookimpl
def micronet_framework() -> Framework:
    return Framework("onnx", (".onnx",), _loader, _counter, _version, devices={"cuda": _cuda_loader})


def _loader() -> Loader:
    from micronet_verify_onnx.loader import OnnxLoader

    return OnnxLoader()


def _cuda_loader() -> Loader:
    from micronet_verify_onnx.loader import OnnxCudaLoader

    return OnnxCudaLoader()


def _counter() -> Counter:
    from micronet_verify_onnx.counter import OnnxCounter

    return OnnxCounter()


def _version() -> Mapping[str, str | None]:
    return package_versions("onnx", "onnxruntime")
