"""How TensorFlow is started: on the processor, with the threads it was given, and silent."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from typing import Any

from micronet_verify.plugin import BenchFault, Problem

# Read when TensorFlow is imported. oneDNN's kernels choose an order of summation by the processor; without them, answers are
# the same on every machine of one kind.
SETTINGS = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow"}


def require(*packages: str) -> None:
    """Raises ``BenchFault`` for packages that are not installed: counting a SavedModel needs none of them, everything else does."""
    missing = [name for name in packages if name not in sys.modules and importlib.util.find_spec(name) is None]
    missing += [name for name in packages if name in sys.modules and sys.modules[name] is None]
    if missing:
        got = f"a TensorFlow entry without {', '.join(missing)}"
        raise BenchFault(Problem(got, 'be complete: pip install "micronet-verify-tensorflow[tensorflow]"'))


def tensorflow(threads: int = 1) -> Any:
    """The module ``tensorflow``, imported now. Where it has computed already, its threads stay as they are."""
    require("tensorflow")
    for name, value in SETTINGS.items():
        os.environ[name] = value
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.set_visible_devices([], "GPU")
    # The graph as it is written: Grappler makes x·(1/c) of x/c and folds constants in another order, in other bits, and moves ties
    # of quantizers. It makes no network that was tried faster.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    return tf
