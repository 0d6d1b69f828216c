"""PyTorch for micronet_verify. Importing this imports no torch: the loader does, inside a worker; the counter never does."""

from __future__ import annotations

from collections.abc import Mapping

from micronet_verify.plugin import Counter, Framework, Loader, hookimpl, package_versions

MICRONET_INTERFACE = (1, 0)


@hookimpl
def micronet_framework() -> Framework:
    """The framework ``pytorch``: ``.pt2`` archives, and Python source with safetensors weights."""
    return Framework("pytorch", (".pt2",), _loader, _counter, _version, (".safetensors",), {"cuda": _cuda_loader})


def _loader() -> Loader:
    from micronet_verify_pytorch.loader import PyTorchLoader

    return PyTorchLoader()


def _cuda_loader() -> Loader:
    from micronet_verify_pytorch.loader import PyTorchCudaLoader

    return PyTorchCudaLoader()


def _counter() -> Counter:
    from micronet_verify_pytorch.counter import PyTorchCounter

    return PyTorchCounter()


def _version() -> Mapping[str, str | None]:
    return package_versions("torch", "safetensors")
