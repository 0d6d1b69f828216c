"""Writes the files that TensorFlow writes, each in a process of its own: ``python -m …in_tensorflow WHAT FOLDER``.

TensorFlow counts what a process has made and writes the numbers into its files, so only a fresh process gives the same bytes; and
whoever makes the other samples needs no TensorFlow. Arrays come in as ``FOLDER/arrays.npz``, which is deleted here.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sample_submissions.recipes import keras_archive
from sample_submissions.recipes.digits import training_set

Arrays = Mapping[str, NDArray[Any]]
ROOT = Path(__file__).parents[2]
BATCH, EPOCHS = 64, 80
SETTINGS = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow"}


def write(what: str, folder: Path, **arrays: NDArray[Any]) -> None:
    """Make ``what`` in a new process and put its files into ``folder``."""
    with tempfile.TemporaryDirectory(prefix="micronet-samples-") as made:
        np.savez(Path(made) / "arrays.npz", allow_pickle=False, **arrays)
        environment = {**os.environ, **SETTINGS, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
        done = subprocess.run(
            [sys.executable, "-m", __name__, what, made], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"{what} was not made: {done.stderr[-2000:]}")
        for file in sorted(path for path in Path(made).rglob("*") if path.is_file()):
            target = folder / file.relative_to(made)
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(file.read_bytes())


def strided(tf: Any, folder: Path, arrays: Arrays, read_file: bool = False) -> None:
    """``Tiny`` with its batch norms folded, as a SavedModel with variables; weights as PyTorch has them.

    With ``read_file`` every answer waits until a file of the machine is read. ``/dev/null`` is there and empty everywhere.
    """
    module = tf.Module()
    part = {name.replace(".", "_"): tf.Variable(array, name=name.replace(".", "_")) for name, array in _laid_out(arrays)}
    module.parts = part
    around = [[0, 0], [1, 1], [1, 1], [0, 0]]

    def call(images: Any) -> dict[str, Any]:
        x = tf.reshape(images, [-1, 8, 8, 1])
        x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, part["stem_weight"], 2, around, name="stem"), part["stem_bias"]))
        x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, part["body_weight"], 1, around, name="body"), part["body_bias"]))
        x = tf.reshape(tf.nn.max_pool2d(x, 2, 2, "VALID", name="pool"), [-1, part["head_weight"].shape[1]])
        logits = tf.nn.bias_add(tf.matmul(x, part["head_weight"], transpose_b=True, name="head"), part["head_bias"])
        with tf.control_dependencies([tf.io.read_file("/dev/null")] if read_file else []):
            return {"logits": tf.identity(logits)}

    module.call = tf.function(call, input_signature=[tf.TensorSpec([None, 1, 8, 8], tf.float32, "images")], autograph=False)
    tf.saved_model.save(module, str(folder), signatures=module.call)
    (folder / "fingerprint.pb").unlink(missing_ok=True)  # a random number, which nobody reads


def separable(tf: Any, folder: Path, arrays: Arrays) -> None:
    """``Separable`` with its batch norms folded, quantized to int8 after training: weights per output channel, activations per tensor,
    input and output int8; calibrated on the training images."""
    part = {name: tf.constant(array) for name, array in _laid_out(arrays)}

    def layer(x: Any, name: str) -> Any:
        weight = part[f"{name}.weight"]
        y = tf.nn.depthwise_conv2d(x, weight, [1] * 4, "SAME") if name.startswith("depthwise") else tf.nn.conv2d(x, weight, 1, "SAME")
        return tf.nn.relu(tf.nn.bias_add(y, part[f"{name}.bias"]))

    def call(images: Any) -> Any:
        x = layer(layer(layer(tf.reshape(images, [-1, 8, 8, 1]), "stem"), "depthwise1"), "pointwise1")
        x = layer(layer(tf.nn.max_pool2d(x, 2, 2, "VALID"), "depthwise2"), "pointwise2")
        x = tf.reshape(tf.nn.avg_pool2d(x, 2, 2, "VALID"), [-1, part["head.weight"].shape[1]])
        return tf.nn.bias_add(tf.matmul(x, part["head.weight"], transpose_b=True), part["head.bias"])

    module = tf.Module()
    module.call = tf.function(call, input_signature=[tf.TensorSpec([None, 1, 8, 8], tf.float32, "images")], autograph=False)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.call.get_concrete_function()], module)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = _one_by_one
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    (folder / "model.tflite").write_bytes(converter.convert())


def keras_file(tf: Any, folder: Path, arrays: Arrays, doubling: bool = False) -> None:
    """A small depthwise-separable network, defined, trained and saved by Keras; with ``doubling`` untrained, with a Lambda."""
    import keras

    keras.utils.set_random_seed(5)
    tf.config.experimental.enable_op_determinism()
    layers = keras.layers
    stack = [
        keras.Input((1, 8, 8), name="images"),
        layers.Reshape((8, 8, 1), name="channels_last"),
        layers.Conv2D(16, 3, padding="same", use_bias=False, name="stem"),
        layers.BatchNormalization(name="stem_norm"),
        layers.ReLU(name="stem_relu"),
        layers.SeparableConv2D(24, 3, 2, padding="same", use_bias=False, name="block1"),
        layers.BatchNormalization(name="block1_norm"),
        layers.ReLU(name="block1_relu"),
        layers.SeparableConv2D(32, 3, padding="same", use_bias=False, name="block2"),
        layers.BatchNormalization(name="block2_norm"),
        layers.ReLU(name="block2_relu"),
        layers.MaxPooling2D(2, name="pool"),
        layers.Flatten(name="flatten"),
        layers.Dense(10, name="logits"),
    ]
    if doubling:
        # compiled from a text: Keras stores the compiled function, with the name of the file that it stands in
        double = eval(compile("lambda logits: logits * 2.0", "lambda", "eval"))
        keras_archive.save(keras.Sequential([*stack, layers.Lambda(double, output_shape=(10,), name="double")], name="digits"), folder)
        return
    net = keras.Sequential(stack, name="digits")
    images, labels = training_set()
    outside = {"fill_mode": "constant", "fill_value": 0.0}
    moved = [
        layers.RandomRotation(0.03, seed=1, **outside),
        layers.RandomTranslation(0.11, 0.11, seed=2, **outside),
        layers.RandomZoom(0.12, 0.12, seed=3, **outside),
    ]
    trained = keras.Sequential([keras.Input((1, 8, 8)), layers.Permute((2, 3, 1)), *moved, layers.Permute((3, 1, 2)), net])
    steps = len(images) // BATCH
    schedule = keras.optimizers.schedules.CosineDecay(1e-2, EPOCHS * steps)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.05)
    trained.compile(keras.optimizers.AdamW(schedule, weight_decay=1e-4), loss, jit_compile=False)
    wanted, draws = np.eye(10, dtype=np.float32)[labels], np.random.default_rng(5)
    for _ in range(EPOCHS):
        order = draws.permutation(len(images))
        for step in range(steps):
            batch = order[step * BATCH : (step + 1) * BATCH]
            trained.train_on_batch(images[batch], wanted[batch])
    keras_archive.save(net, folder)


def _laid_out(arrays: Arrays) -> Iterator[tuple[str, NDArray[Any]]]:
    """PyTorch's weights as TensorFlow has them: channels last, also in the columns of the head, which reads maps of 2×2."""
    for name, array in arrays.items():
        if name == "head.weight":
            array = array.reshape(10, -1, 2, 2).transpose(0, 2, 3, 1).reshape(10, -1)
        elif array.ndim == 4:
            array = array.transpose(2, 3, 0, 1) if name.startswith("depthwise") else array.transpose(2, 3, 1, 0)
        yield name, np.ascontiguousarray(array)


def _one_by_one() -> Iterator[list[NDArray[np.float32]]]:
    for image in training_set()[0]:
        yield [image[None]]


WHAT: dict[str, Callable[[Any, Path, Arrays], None]] = {
    "strided": strided,
    "reads-a-file": lambda tf, folder, arrays: strided(tf, folder, arrays, read_file=True),
    "separable": separable,
    "keras": keras_file,
    "lambda": lambda tf, folder, arrays: keras_file(tf, folder, arrays, doubling=True),
}


def main() -> None:
    what, folder = sys.argv[1], Path(sys.argv[2])
    with np.load(folder / "arrays.npz") as loaded:
        arrays = {name: loaded[name] for name in loaded.files}
    (folder / "arrays.npz").unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's own deprecations
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        WHAT[what](tf, folder, arrays)
    for empty in [path for path in folder.iterdir() if path.is_dir() and not any(path.iterdir())]:
        empty.rmdir()


if __name__ == "__main__":
    main()
