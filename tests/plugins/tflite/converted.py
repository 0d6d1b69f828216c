"""Keras networks of the kinds that MLPerf Tiny has, converted by TensorFlow as people convert them. Imported by one worker only."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

Kind = Literal["float", "float16", "dynamic", "int8", "int16"]


def tensorflow() -> Any:
    """TensorFlow, silenced; it writes much to stderr and uses what is deprecated."""
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")
        tf.config.threading.set_intra_op_parallelism_threads(1)
    return tf


def convert(network: str, kind: Kind, folder: Path, batch: int | None = None) -> Path:
    """A network of this module as a .tflite file; ``batch`` ``None`` is a free one. Weights are random and always the same."""
    path = folder / f"{network}-{kind}-{batch or 'free'}.tflite"
    if path.exists():
        return path
    tf = tensorflow()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import keras
        from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

        keras.utils.set_random_seed(1)
        make, shape = NETWORKS[network]
        model = make(keras.layers, keras.Model)
        for seed, variable in enumerate(model.variables):
            # Batch norms that do nothing, and biases of zeros or of equal values, would hide work.
            if variable.name not in ("kernel", "recurrent_kernel"):
                variable.assign(np.random.default_rng(seed).uniform(0.5, 1.5, variable.shape))
        function = tf.function(lambda x: model(x, training=False))
        concrete = convert_variables_to_constants_v2(function.get_concrete_function(tf.TensorSpec((batch, *shape), tf.float32)))
        converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], model)
        _set(tf, converter, kind, shape)
        path.write_bytes(converter.convert())
    return path


def _set(tf: Any, converter: Any, kind: Kind, shape: tuple[int, ...]) -> None:
    if kind == "float":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind in ("int8", "int16"):
        converter.representative_dataset = lambda: _examples(shape)
    if kind == "int8":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    if kind == "int16":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]


def _examples(shape: tuple[int, ...]) -> Iterator[list[Any]]:
    rng = np.random.default_rng(0)
    for _ in range(4):
        yield [rng.standard_normal((1, *shape)).astype(np.float32)]


def _resnet8(layers: Any, model: Any) -> Any:
    """Image classification of MLPerf Tiny: 3×3 convolutions of 16, 32 and 64 channels on 32×32."""

    def conv(x: Any, channels: int, kernel: int, stride: int, relu: bool) -> Any:
        x = layers.BatchNormalization()(layers.Conv2D(channels, kernel, stride, padding="same")(x))
        return layers.ReLU()(x) if relu else x

    given = layers.Input((32, 32, 3))
    x = conv(given, 16, 3, 1, True)
    for channels, stride in ((16, 1), (32, 2), (64, 2)):
        y = conv(conv(x, channels, 3, stride, True), channels, 3, 1, False)
        x = x if stride == 1 else layers.Conv2D(channels, 1, stride, padding="same")(x)
        x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.Flatten()(layers.AveragePooling2D(8)(x))
    return model(given, layers.Dense(10, activation="softmax")(x))


def _ds_cnn(layers: Any, model: Any) -> Any:
    """Keyword spotting: 10×4 convolution, four depthwise separable blocks of 64 channels on 49×10."""
    given = layers.Input((49, 10, 1))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(64, (10, 4), 2, padding="same")(given)))
    for _ in range(4):
        x = layers.ReLU()(layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(x)))
        x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(64, 1)(x)))
    return model(given, layers.Dense(12, activation="softmax")(layers.GlobalAveragePooling2D()(x)))


def _mobilenet(layers: Any, model: Any) -> Any:
    """Visual wake words: MobileNetV1 at width 0.25 on 96×96."""
    given = layers.Input((96, 96, 3))
    x = layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(8, 3, 2, padding="same", use_bias=False)(given)))
    for channels, stride in ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *((128, 1),) * 5, (256, 2), (256, 1)):
        x = layers.ReLU(6.0)(layers.BatchNormalization()(layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False)(x)))
        x = layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(channels, 1, use_bias=False)(x)))
    return model(given, layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling2D()(x)))


def _autoencoder(layers: Any, model: Any) -> Any:
    """Anomaly detection: 640 → 128 ×4 → 8 → 128 ×4 → 640."""
    given = layers.Input((640,))
    x = given
    for units in (128, 128, 128, 128, 8, 128, 128, 128, 128):
        x = layers.ReLU()(layers.BatchNormalization()(layers.Dense(units)(x)))
    return model(given, layers.Dense(640)(x))


def _attention(layers: Any, model: Any) -> Any:
    """A Transformer block of four heads on 16 tokens of 32 numbers."""
    given = layers.Input((16, 32))
    x = layers.LayerNormalization()(given)
    x = layers.Add()([given, layers.MultiHeadAttention(4, 8)(x, x)])
    y = layers.Dense(32)(layers.Dense(64, activation="gelu")(layers.LayerNormalization()(x)))
    x = layers.GlobalAveragePooling1D()(layers.Add()([x, y]))
    return model(given, layers.Dense(10)(x))


def _lstm(layers: Any, model: Any) -> Any:
    given = layers.Input((28, 28))
    return model(given, layers.Dense(10)(layers.LSTM(20)(given)))


def _mobilenet_v2(layers: Any, model: Any) -> Any:
    import keras

    return keras.applications.MobileNetV2(weights=None)


NETWORKS: dict[str, tuple[Callable[[Any, Any], Any], tuple[int, ...]]] = {
    "attention": (_attention, (16, 32)),
    "autoencoder": (_autoencoder, (640,)),
    "ds-cnn": (_ds_cnn, (49, 10, 1)),
    "lstm": (_lstm, (28, 28)),
    "mobilenet": (_mobilenet, (96, 96, 3)),
    "mobilenet-v2": (_mobilenet_v2, (224, 224, 3)),
    "resnet8": (_resnet8, (32, 32, 3)),
}
