"""How TensorFlow is started: on the processor, with the threads it was given, and silent."""

from __future__ import annotations

import contextlib
import os
from typing import Any

# Read when TensorFlow is imported. oneDNN's kernels choose an order of summation by the processor; without them, answers are
# the same on every machine of one kind.
SETTINGS = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow"}


def tensorflow(threads: int = 1) -> Any:
    """The module ``tensorflow``, imported now. Where it has computed already, its threads stay as they are."""
    for name, value in SETTINGS.items():
        os.environ[name] = value
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.set_visible_devices([], "GPU")
    return tf
