"""What an entry answers, straight from its framework: the samples' own yardstick, independent of the suite."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

NOT_MODELS = {"submission.yaml", "model.py"}


def answers(entry: Path, images: NDArray[np.float32]) -> NDArray[Any]:
    """The outputs of the entry's model for ``images`` [N, 1, 8, 8], on one thread. Runs the entry's code."""
    if (entry / "model.onnx").exists():
        return _onnx(entry / "model.onnx", images)
    import torch

    torch.set_num_threads(1)
    if (entry / "model.pt2").exists():
        net = torch.export.load(entry / "model.pt2").module()
    else:
        from safetensors.torch import load_file

        from sample_submissions.recipes.honest import load_source

        net = load_source(entry / "model.py")
        net.load_state_dict(load_file(entry / "model.safetensors"))
        net.eval()
    with torch.no_grad():
        outputs: NDArray[Any] = net(torch.from_numpy(images)).numpy()
    return outputs


def model_bytes(entry: Path) -> int:
    """The size of everything but the manifest and the source."""
    return sum(file.stat().st_size for file in entry.iterdir() if file.name not in NOT_MODELS and not file.is_symlink())


def _onnx(path: Path, images: NDArray[np.float32]) -> NDArray[Any]:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    outputs: NDArray[Any] = session.run(None, {"images": images})[0]
    return outputs
