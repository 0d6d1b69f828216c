"""Reading a large file costs no copy of its weights: the counter runs in a process that may not take the memory for one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.plugins.onnx.support import FREE, graph, info, model, node, unknown, x_to_y

# RLIMIT_DATA bounds private memory; pages of a mapped file are not part of it.
TRANSLATE = """
import json, resource, sys
from pathlib import Path
from micronet_verify.counting.count import count_graph
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.requests import TranslateRequest
from micronet_verify.track.rules import CountingRules
from micronet_verify_onnx.counter import OnnxCounter

path, folder = Path(sys.argv[1]), Path(sys.argv[2])
taken = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (taken + int(sys.argv[3]), resource.RLIM_INFINITY))
graph = OnnxCounter().translate(TranslateRequest(path), GraphBuilder(folder))
"""
MEASURE = TRANSLATE + 'print(json.dumps({"nodes": len(graph.nodes), "loaded": "onnxruntime" in sys.modules}))'
COUNT = (
    TRANSLATE
    + """
ledger = count_graph(graph, ConstantStore(path.parent, folder), CountingRules()).ledgers["freebie"]
print(json.dumps({"bits": int(32 * ledger.storage), "multiplies": int(ledger.quantity("operations", "multiply"))}))
"""
)
MB = 1 << 20


def measure(path: Path, sidecar: Path, allowed: int, script: str = MEASURE) -> dict[str, int]:
    """Run ``script``, by default translate, in a process that may take ``allowed`` more bytes than it has after its imports."""
    command = [sys.executable, "-c", script, str(path), str(sidecar), str(allowed)]
    answer = subprocess.run(command, check=False, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def stacked(folder: Path, raw: bool) -> Path:
    """A chain of twelve matrices of 1 MiB each, 12 MiB in all, one of them in a Constant node."""
    side, nodes, tensors = 512, [], []
    weights = np.random.default_rng(0).standard_normal((side, side)).astype(np.float32)
    for index in range(12):
        nodes.append(node("MatMul", f"h{index} w{index}", f"h{index + 1}"))
        tensor = TensorProto(name=f"w{index}", data_type=TensorProto.FLOAT, dims=[side, side])
        if raw:
            tensor.raw_data = weights.tobytes()
        else:
            tensor.float_data.extend(weights.reshape(-1).tolist())
        tensors.append(tensor)
    constant = helper.make_node("Constant", [], ["w11"], value=tensors.pop())
    body = graph([constant, *nodes], [info("h0", (FREE, side))], [unknown("h12")])
    body.initializer.extend(tensors)
    path = folder / "model.onnx"
    path.write_bytes(model(body).SerializeToString())
    return path


@pytest.mark.parametrize("raw", [True, False], ids=["raw_data", "float_data"])
def test_embedded_weights_are_not_copied(tmp_path: Path, raw: bool) -> None:
    path = stacked(tmp_path, raw)
    assert path.stat().st_size > 12 * MB
    # One copy of the weights would be 12 MiB.
    assert measure(path, tmp_path, 8 * MB)["nodes"] == 12


def test_the_limit_of_this_test_is_one_that_bites(tmp_path: Path) -> None:
    """Packed weights must be unpacked, so this file does not pass within the same limit."""
    tensor = TensorProto(name="w", data_type=TensorProto.UINT4, dims=[4096, 4096], raw_data=bytes(4096 * 2048))
    nodes = [node("DequantizeLinear", "w s", "v"), node("MatMul", "x v")]
    body = x_to_y(nodes, (4096,), {"s": np.float32(0.1)})
    body.initializer.append(tensor)
    path = tmp_path / "model.onnx"
    path.write_bytes(model(body, 21, 10).SerializeToString())
    with pytest.raises(AssertionError, match="MemoryError"):
        measure(path, tmp_path, 8 * MB)


def gigabyte(folder: Path, rows: int) -> Path:
    """A product with 16,384² float32 in another file, 1 GiB, of which the first ``rows`` rows are not zero."""
    side = 16384
    weights = np.random.default_rng(0).uniform(1, 2, (rows, side)).astype(np.float32)
    with (folder / "weights.bin").open("wb") as handle:
        handle.write(weights.tobytes())
        handle.truncate(side * side * 4)
    tensor = onnx.TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[side, side], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="weights.bin")
    body = x_to_y([node("MatMul", "x w")], (side,))
    body.initializer.append(tensor)
    path = folder / "model.onnx"
    path.write_bytes(model(body).SerializeToString())
    return path


def test_a_gigabyte_of_external_data_is_not_held(tmp_path: Path) -> None:
    assert measure(gigabyte(tmp_path, 0), tmp_path, 8 * MB)["nodes"] == 1


def test_a_gigabyte_of_external_data_is_counted_without_being_held(tmp_path: Path) -> None:
    """All that a count asks, blocks of zeros included, within a third of the one tensor that the file has."""
    found = measure(gigabyte(tmp_path, 64), tmp_path, 320 * MB, COUNT)
    assert found == {"bits": 64 * 16384 * 16 + 16384 // 64, "multiplies": 64 * 16384}


def test_the_counter_needs_no_onnxruntime(tmp_path: Path) -> None:
    body = x_to_y([node("Relu", "x")], (3,))
    path = tmp_path / "model.onnx"
    path.write_bytes(model(body).SerializeToString())
    assert not measure(path, tmp_path, 8 * MB)["loaded"]


def test_the_plugin_itself_imports_no_framework() -> None:
    code = "import sys, micronet_verify_onnx as p; p.micronet_framework(); print({'onnx', 'onnxruntime'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert answer.stdout.strip() == "set()"
