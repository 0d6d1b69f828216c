"""A framework for tests of the sandbox: its models are JSON files that name a behaviour.

``conftest.py`` copies this file beside an entry point of its own; it is imported in child processes only.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import sys
from collections.abc import Iterator

import numpy as np

from micronet_verify.errors import BenchFault, Problem, SubmissionFault
from micronet_verify.facts.graph import Graph
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.hookspecs import hookimpl
from micronet_verify.framework.protocols import Answer, Framework, as_batches
from micronet_verify.framework.requests import ExportRequest, PredictRequest, TranslateRequest

MICRONET_INTERFACE = (1, 0)


class FakeLoader:
    device = "cpu"

    def export(self, request: ExportRequest) -> str:
        folder = request.folder
        file, _, name = request.entry_point.partition(":")
        spec = importlib.util.spec_from_file_location("entry_model", request.entry / file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        model = getattr(module, name)
        (folder / "model.fake").write_text(json.dumps(model(folder) if model.__code__.co_argcount else model()))
        return "model.fake"

    def predict(self, request: PredictRequest) -> Iterator[Answer]:
        artifact, threads = request.artifact, request.threads
        behaviour = json.loads(artifact.read_text())["behaviour"]
        done = 0
        for batch in as_batches(request.inputs, request.batch_size):
            sums = batch.reshape(len(batch), -1).sum(1, keepdims=True)
            outputs = np.concatenate([sums, 2 * sums], 1)  # [batch, 2]
            taken = {}
            if behaviour == "segfault":
                ctypes.string_at(0)
            elif behaviour == "defect":
                _ = json.loads(artifact.read_text())["weights"]
            elif behaviour == "memory error":
                np.ones(1 << 45, np.uint8)
            elif behaviour == "grow":
                outputs = outputs[:, : 2 - (done > 0)]
            elif behaviour == "integers":
                outputs = outputs.astype(np.int64)
            elif behaviour == "too few":
                outputs = outputs[:1]
            elif behaviour == "too many":
                outputs = np.repeat(outputs, 2, 0)
            elif behaviour == "large":
                outputs = np.zeros((len(batch), 1 << 20), np.float32)
            elif behaviour == "branches":
                taken = {"early": tuple(int(row % 2) for row in range(done, done + len(batch)))}
                if done > 0:
                    taken["late"] = (1,) * len(batch)
            elif behaviour == "device":
                outputs = np.array([[float(self.device == "fpga"), float("CUDA_VISIBLE_DEVICES" in os.environ)]] * len(batch), np.float32)
            elif behaviour == "environment":
                outputs = np.array([[float(threads), float(os.environ["OMP_NUM_THREADS"])]] * len(batch), np.float32)
            done += len(batch)
            yield Answer(outputs, taken)


class Fpga(FakeLoader):
    """A device that is here."""

    device = "fpga"


class Npu(FakeLoader):
    """A device that this machine lacks."""

    def __init__(self) -> None:
        raise BenchFault(Problem("a machine without an NPU", "have one", "stage predict"))


class FakeCounter:
    def translate(self, request: TranslateRequest, builder: GraphBuilder) -> Graph:
        artifact = request.artifact
        behaviour = json.loads(artifact.read_text())["behaviour"]
        if behaviour == "unknown operators":
            raise SubmissionFault([Problem(f"the operator Op{i}", "be one of the table", f"block{i}") for i in (1, 2)])
        if behaviour == "many":
            raise SubmissionFault([Problem(f"the operator Op{i}", "be one of the table") for i in range(600)])
        builder.at("fake.matmul", "head")
        x = builder.input((1, 4))
        if behaviour == "modules":
            label = "\n".join(sorted(sys.modules))
            return builder.finish([builder.matmul(x, builder.constant(np.ones((4, 2), np.float32), label))])
        if behaviour == "in place":
            return builder.finish([builder.matmul(x, builder.constant_at(artifact.name, 0, (4, 2), x.format))])
        return builder.finish([builder.matmul(x, builder.constant(np.ones((4, 2), np.float32)))])


@hookimpl
def micronet_framework() -> Framework:
    version = {"numpy": np.__version__}
    return Framework("fake", (".fake",), FakeLoader, FakeCounter, lambda: version, devices={"fpga": Fpga, "npu": Npu})


class Incomplete:
    """A second plugin, whose framework is not installed."""

    @staticmethod
    @hookimpl
    def micronet_framework() -> Framework:
        return Framework("incomplete", (".inc",), FakeLoader, FakeCounter, lambda: {"numpy": np.__version__, "missing-package": None})
