"""What an entry answers, straight from its framework: the samples' own yardstick, independent of the suite."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sample_submissions.recipes.in_tensorflow import SETTINGS

NOT_MODELS = {"submission.yaml", "model.py"}


def answers(entry: Path, images: NDArray[np.float32]) -> NDArray[Any]:
    """The outputs of the entry's model for ``images`` [N, 1, 8, 8], on one thread. Runs the entry's code."""
    for name, run in _BY_FILE.items():
        if (entry / name).exists():
            return run(entry / name, images)
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
    return sum(file.stat().st_size for file in entry.rglob("*") if file.is_file() and file.name not in NOT_MODELS and not file.is_symlink())


def _onnx(path: Path, images: NDArray[np.float32]) -> NDArray[Any]:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    outputs: NDArray[Any] = session.run(None, {"images": images})[0]
    return outputs


def _saved_model(path: Path, images: NDArray[np.float32]) -> NDArray[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tf = _tensorflow()
        (outputs,) = tf.saved_model.load(str(path.parent)).signatures["serving_default"](images=tf.constant(images)).values()
    found: NDArray[Any] = outputs.numpy()
    return found


def _keras(path: Path, images: NDArray[np.float32]) -> NDArray[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _tensorflow()
        import keras

        outputs: NDArray[Any] = keras.models.load_model(path, compile=False)(images, training=False).numpy()
    return outputs


def _tflite(path: Path, images: NDArray[np.float32]) -> NDArray[Any]:
    """Whole steps of the output's scale; the images go through the input's scale and zero point."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(str(path), num_threads=1)
    given, answer = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    interpreter.resize_tensor_input(given["index"], images.shape)
    interpreter.allocate_tensors()
    scale, zero = given["quantization"]
    interpreter.set_tensor(given["index"], np.clip(np.floor(images / np.float32(scale) + 0.5) + zero, -128, 127).astype(np.int8))
    interpreter.invoke()
    scale, zero = answer["quantization"]
    outputs: NDArray[Any] = (interpreter.get_tensor(answer["index"]).astype(np.int32) - zero) * np.float32(scale)
    return outputs


def _tensorflow() -> Any:
    os.environ.update(SETTINGS)
    import tensorflow as tf

    return tf


_BY_FILE = {"model.onnx": _onnx, "saved_model.pb": _saved_model, "model.keras": _keras, "model.tflite": _tflite}
