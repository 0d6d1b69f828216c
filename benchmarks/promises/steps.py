"""A small LSTM language model fed 245,569 tokens one at a time, beside the loop that one would write by hand, on one thread.

The loop carries the states from call to call and adds up the log-probability of the token that came; for PyTorch it calls the
module itself, which is quicker than an exported program. Ours also checks that every distribution sums to one, keeps every
token's log-likelihood, and reads the beginning again in a fresh session. Both sides load the model.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.figures import Limit, Row, seconds_row
from benchmarks.harness import THREADS, Contender, Program, Task, interleaved
from benchmarks.settings import Settings

# At least 85 % of the loop's speed.
LIMIT = Limit("ratio", 1 / 0.85)
TOKENS, WORDS, WIDTH, HIDDEN = 245_569, 1_000, 64, 128
TOLERANCE = 1e-4


def rows(settings: Settings) -> Iterator[Row]:
    count = 600 if settings.tiny else TOKENS
    with tempfile.TemporaryDirectory(dir=settings.work) as scratch:
        folder = Path(scratch)
        _write(folder, count)
        for suffix in ("onnx",) if settings.tiny else ("onnx", "pt2"):
            arguments = {"folder": str(folder), "suffix": suffix}
            contenders: dict[str, Contender] = {
                "reading": Task("benchmarks.promises.steps:reading", arguments),
                "bare": Task("benchmarks.promises.steps:bare", arguments),
                "step": Task("benchmarks.promises.steps:stepping", arguments),
                "program": Program((sys.executable, "-W", "ignore", "-m", "benchmarks.promises.steps", str(folder), suffix)),
            }
            found = interleaved(contenders, settings.repeats)
            sums = [found[name].figure("sum") for name in ("reading", "bare", "step")]
            agree = any(total is None for total in sums) or max(sums) - min(sums) <= 1e-6 * abs(sums[0])
            subject, note = f"{count:,} tokens through an LSTM .{suffix}", "" if agree else "the sums differ"
            yield seconds_row("steps", subject, found["reading"], "bare loop", found["bare"], LIMIT, note)
            yield seconds_row("steps", f"{subject}, the whole step", found["step"], "bare program", found["program"], LIMIT)


def network() -> Any:
    import torch
    from torch import nn

    class Lstm(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.cell, self.head = nn.Embedding(WORDS, WIDTH), nn.LSTMCell(WIDTH, HIDDEN), nn.Linear(HIDDEN, WORDS)

        def forward(self, token: Any, h: Any, c: Any) -> tuple[Any, Any, Any]:
            h, c = self.cell(self.embed(token), (h, c))
            return torch.log_softmax(self.head(h), -1), h, c

    return Lstm().eval()


def _write(folder: Path, count: int) -> None:
    """``step.onnx``, ``step.pt2``, ``step.weights`` and ``text.npy``."""
    import warnings

    import numpy as np
    import torch

    torch.manual_seed(0)
    model = network()
    torch.save(model.state_dict(), folder / "step.weights")
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        states = torch.zeros(1, HIDDEN), torch.zeros(1, HIDDEN)
        torch.export.save(torch.export.export(model, (torch.zeros(1, dtype=torch.int64), *states)), folder / "step.pt2")
    _write_onnx(folder / "step.onnx", {name: tensor.numpy() for name, tensor in model.state_dict().items()})
    np.save(folder / "text.npy", np.random.default_rng(0).integers(0, WORDS, (count + 1, 1)))


def _write_onnx(path: Path, weights: dict[str, Any]) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    node = helper.make_node
    nodes = [
        node("Gather", ["embed.weight", "token"], ["x"]),
        node("Gemm", ["x", "cell.weight_ih", "cell.bias_ih"], ["a"], transB=1),
        node("Gemm", ["h", "cell.weight_hh", "cell.bias_hh"], ["b"], transB=1),
        node("Add", ["a", "b"], ["gates"]),
        node("Split", ["gates"], ["i0", "f0", "g0", "o0"], axis=1, num_outputs=4),
        *(node("Sigmoid", [f"{gate}0"], [gate]) for gate in "ifo"),
        node("Tanh", ["g0"], ["g"]),
        node("Mul", ["f", "c"], ["fc"]),
        node("Mul", ["i", "g"], ["ig"]),
        node("Add", ["fc", "ig"], ["c_out"]),
        node("Tanh", ["c_out"], ["tc"]),
        node("Mul", ["o", "tc"], ["h_out"]),
        node("Gemm", ["h_out", "head.weight", "head.bias"], ["scores"], transB=1),
        node("LogSoftmax", ["scores"], ["answer"], axis=-1),
    ]
    states = [[helper.make_tensor_value_info(name + end, TensorProto.FLOAT, [1, HIDDEN]) for name in "hc"] for end in ("", "_out")]
    inputs = [helper.make_tensor_value_info("token", TensorProto.INT64, [1]), *states[0]]
    outputs = [helper.make_tensor_value_info("answer", TensorProto.FLOAT, [1, WORDS]), *states[1]]
    tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "lstm", inputs, outputs, tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)


def _job(folder: str, suffix: str, out: str) -> Any:
    import numpy as np

    from micronet_verify.sandbox.jobs import StepJob

    here, tokens = Path(folder), len(np.load(Path(folder, "text.npy"), mmap_mode="r")) - 1
    framework = {"onnx": "onnx", "pt2": "pytorch"}[suffix]
    return StepJob(
        framework=framework,
        root=here,
        primary=f"step.{suffix}",
        text=here / "text.npy",
        out=Path(out),
        tokens=tokens,
        words=WORDS,
        tolerance=TOLERANCE,
        seed="seed",
        threads=THREADS,
    )


def reading(folder: str, suffix: str) -> Callable[[], dict[str, Any]]:
    """The predict step without its process."""
    import numpy as np

    from micronet_verify.framework.guarded import loader_on
    from micronet_verify.framework.protocols import CPU
    from micronet_verify.framework.registry import framework_named
    from micronet_verify.sandbox.language.evaluate import read_text

    loader = loader_on(framework_named(_job(folder, suffix, "").framework), CPU)
    if suffix == "onnx":
        import onnxruntime  # noqa: F401  the loader imports it when it is called; imports are not measured

    def work() -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="micronet-bench-") as out:
            result = read_text(_job(folder, suffix, out), loader)
            return {"sum": float(np.load(Path(out, result.outputs)).sum())}

    return work


def stepping(folder: str, suffix: str) -> Callable[[], dict[str, Any]]:
    """The predict step in its sandbox, from the judge's side."""
    import numpy as np

    from micronet_verify.sandbox.launcher import ProcessLauncher

    def work() -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="micronet-bench-") as scratch:
            out = Path(scratch, "out")
            result = ProcessLauncher().run(_job(folder, suffix, str(out)))
            return {"sum": float(np.load(out / result.outputs).sum())}

    return work


def bare(folder: str, suffix: str) -> Callable[[], dict[str, Any]]:
    if suffix == "onnx":
        import onnxruntime  # noqa: F401
    else:
        import torch  # noqa: F401
    return lambda: {"sum": (_bare_onnx if suffix == "onnx" else _bare_torch)(Path(folder))}


def _bare_onnx(folder: Path) -> float:
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(str(folder / "step.onnx"), options, providers=["CPUExecutionProvider"])
    text, total = np.load(folder / "text.npy")[:, 0], 0.0
    h = c = np.zeros((1, HIDDEN), np.float32)
    for place in range(len(text) - 1):
        answer, h, c = session.run(None, {"token": text[place : place + 1], "h": h, "c": c})
        total += float(answer[0, text[place + 1]])
    return total


def _bare_torch(folder: Path) -> float:
    import numpy as np
    import torch

    torch.set_num_threads(THREADS)
    model = network()
    model.load_state_dict(torch.load(folder / "step.weights", weights_only=True))
    text, total = torch.from_numpy(np.load(folder / "text.npy")[:, 0]), 0.0
    after = text.tolist()
    h = c = torch.zeros(1, HIDDEN)
    with torch.inference_mode():
        for place in range(len(text) - 1):
            answer, h, c = model(text[place : place + 1], h, c)
            total += float(answer[0, after[place + 1]])
    return total


if __name__ == "__main__":
    print(bare(sys.argv[1], sys.argv[2])())
