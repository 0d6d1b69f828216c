"""Writes the .tflite file that ``promises/tflite`` counts: ``python -m benchmarks.tflite_file FILE [tiny]``, with TensorFlow."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def main(path: str, tiny: bool) -> None:
    import keras
    import numpy as np
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    keras.utils.set_random_seed(1)
    size = 32 if tiny else 224
    model = _small(keras) if tiny else keras.applications.MobileNetV2(weights=None)
    function = tf.function(lambda x: model(x, training=False))
    concrete = convert_variables_to_constants_v2(function.get_concrete_function(tf.TensorSpec((None, size, size, 3), tf.float32)))

    def examples() -> Iterator[list[Any]]:
        yield [np.random.default_rng(0).standard_normal((1, size, size, 3)).astype(np.float32)]

    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = examples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    Path(path).write_bytes(converter.convert())


def _small(keras: Any) -> Any:
    given = keras.layers.Input((32, 32, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(8, 3, activation="relu")(given))
    return keras.Model(given, keras.layers.Dense(10)(x))


if __name__ == "__main__":
    main(sys.argv[1], "tiny" in sys.argv[2:])
