"""The file of an entry, read as data: a safetensors file whose metadata says what the layers are.

A safetensors file is eight bytes (the length of the header, little-endian), a JSON header, and the tensors' bytes. The
metadata has ``shape``, one example's, and ``layers``: a JSON list of ``{"weight": …, "bias": …, "activation": …}``, in
which weight and bias name tensors ([in, out] and [out], as scikit-learn has them; the bias may be absent).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from micronet_verify.plugin import Problem, SubmissionFault

FORMATS: Mapping[str, tuple[str, int]] = {"F16": ("float16", 2), "F32": ("float32", 4), "F64": ("float64", 8)}
ACTIVATIONS: Mapping[str, str] = {"relu": "relu", "logistic": "sigmoid", "tanh": "tanh", "softmax": "softmax", "identity": ""}
LARGEST_HEADER = 1 << 20


@dataclass(frozen=True, slots=True)
class Tensor:
    """Where a tensor lies: ``offset`` in bytes from the start of the file; ``format`` as numpy names it."""

    shape: tuple[int, ...]
    format: str
    offset: int


@dataclass(frozen=True, slots=True)
class Layer:
    weight: str
    bias: str
    activation: str


@dataclass(frozen=True, slots=True)
class Perceptron:
    """What the file says; nothing of it is believed that was not checked against the bytes."""

    shape: tuple[int, ...]
    layers: tuple[Layer, ...]
    tensors: Mapping[str, Tensor]


def read(path: Path) -> Perceptron:
    """The perceptron in ``path``. Raises ``SubmissionFault`` with everything that is wrong with the file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(LARGEST_HEADER, size - 8):
            raise _fault(path, f"a header of {length:,} bytes in a file of {size:,}", "be a safetensors file")
        text = file.read(length)
    try:
        header = json.loads(text)
        metadata = header.pop("__metadata__")
        shape = tuple(int(number) for number in json.loads(metadata["shape"]))
        layers = tuple(
            Layer(str(item["weight"]), str(item.get("bias", "")), str(item["activation"])) for item in json.loads(metadata["layers"])
        )
        tensors = {str(name): _tensor(record, 8 + length) for name, record in header.items()}
        found = Perceptron(shape, layers, tensors)
        problems = list(_problems(found, size, path.name))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        raise _fault(path, f"a header that cannot be read ({reason})", "have shape and layers in its metadata") from None
    if problems:
        raise SubmissionFault(problems)
    return found


def _layer(item: Mapping[str, Any]) -> Layer:
    return Layer(str(item["weight"]), str(item.get("bias", "")), str(item["activation"]))


def _tensor(record: Mapping[str, Any], start: int) -> Tensor:
    begin, end = (int(number) for number in record["data_offsets"])
    shape = tuple(int(number) for number in record["shape"])
    name, width = FORMATS.get(record["dtype"], (str(record["dtype"]), 0))
    if width and end - begin != prod(shape) * width:
        raise ValueError(f"{end - begin} bytes for a tensor of shape {shape}")
    return Tensor(shape, name, start + begin)


def _problems(found: Perceptron, size: int, where: str) -> list[Problem]:
    problems = []
    known = {name for name, _ in FORMATS.values()}
    for name, tensor in found.tensors.items():
        if tensor.format not in known:
            problems.append(Problem(f"{name} of type {tensor.format}", f"be one of {', '.join(sorted(known))}", where))
        elif min(tensor.shape, default=1) < 1 or tensor.offset < 8 or tensor.offset + prod(tensor.shape) > size:
            problems.append(Problem(f"{name} of shape {tensor.shape} outside of the file", "lie in it", where))
    for number, layer in enumerate(found.layers):
        place = f"{where}, layer {number}"
        if layer.activation not in ACTIVATIONS:
            problems.append(Problem(f"the activation {layer.activation!r}", f"be one of {', '.join(ACTIVATIONS)}", place))
        for name, axes in ((layer.weight, 2), (layer.bias, 1)):
            if name and (name not in found.tensors or len(found.tensors[name].shape) != axes):
                problems.append(Problem(f"the tensor {name!r}", f"be in the file, with {axes} axes", place))
    if not found.layers or min(found.shape, default=0) < 1:
        problems.append(Problem(f"{len(found.layers)} layers on inputs of shape {found.shape}", "be at least one, on an input", where))
    return problems


def _fault(path: Path, got: str, should: str) -> SubmissionFault:
    return SubmissionFault(Problem(got, should, path.name))
