"""The networks in TFLite: those of TensorFlow, converted, and one of integers."""

from __future__ import annotations

import warnings
from pathlib import Path

from tests.mutants.in_tensorflow import examples, module_of
from tests.mutants.planting import Judged, judged
from tests.plugins.tflite.converted import tensorflow

NETWORKS = ("images", "text", "places", "integers")


def build(name: str, folder: Path) -> Judged:
    tf, path, rows = tensorflow(), folder / "model.tflite", examples(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's own deprecations
        module = module_of(name, tf, lite=True)
        converter = tf.lite.TFLiteConverter.from_concrete_functions([module.call.get_concrete_function()], module)
        if name == "integers":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([row[None] / 2] for row in rows)  # half of what comes: ends are reached
        path.write_bytes(converter.convert())
    return judged("tflite", path, rows)
