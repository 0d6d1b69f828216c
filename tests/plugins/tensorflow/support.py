"""Writes SavedModels, translates them without TensorFlow, and compares the neutral graph with what TensorFlow computes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from micronet_verify_tensorflow.counter import TensorFlowCounter
from micronet_verify_tensorflow.loader import TensorFlowLoader
from numpy.typing import NDArray

from micronet_verify.framework.requests import PredictRequest
from tests.difference import CLOSE
from tests.refused import refused
from tests.translated import Translated, translated

Array = NDArray[Any]
MODEL = "saved_model.pb"


def translate(path: Path, batch: bool = False) -> Translated:
    """The file's graph after the JSON of the sandbox wall, validated, and if ``batch`` looked at with a larger batch."""
    sidecar = path.parent / f"graph-{path.stem}"
    sidecar.mkdir(exist_ok=True)
    return translated(TensorFlowCounter(), path, sidecar, batch)


def problems(path: Path) -> list[str]:
    """The sentences with which a model is refused."""
    return refused(translate, path)


def refused_by_both(path: Path) -> list[str]:
    """What the counter says, which the loader says too, before TensorFlow sees the file."""
    found = problems(path)
    assert refused(predict, path, random(1, 6)) == found
    return found


def predict(path: Path, inputs: Array, batch_size: int = 4) -> list[Any]:
    return list(TensorFlowLoader().predict(PredictRequest(path, inputs, batch_size, 1)))


def random(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


class Builder:
    """Writes what TensorFlow writes. ``folder`` holds one folder for each model."""

    def __init__(self, tf: Any, folder: Path) -> None:
        self.tf, self._folder, self._count = tf, folder, 0

    def folder(self) -> Path:
        self._count += 1
        path = self._folder / str(self._count)
        path.mkdir()
        return path

    def saved(
        self,
        function: Callable[..., Any],
        shapes: Sequence[Sequence[int | None]],
        dtypes: Sequence[str] = (),
        variables: Sequence[Array] = (),
        folder: Path | None = None,
        keep: Any = None,
    ) -> Path:
        """``function(inputs…, variables…)`` as a SavedModel; the path of its ``saved_model.pb``.

        ``keep``: a dictionary of the variables that the function makes when it is traced.
        """
        tf, folder = self.tf, folder or self.folder()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = tf.Module()
            module.kept = [tf.Variable(array, name=f"v{at}") for at, array in enumerate(variables)]
            kinds = list(dtypes) or ["float32"] * len(shapes)
            specs = [tf.TensorSpec(shape, kind, name=f"x{at}") for at, (shape, kind) in enumerate(zip(shapes, kinds, strict=True))]
            module.call = tf.function(lambda *x: function(*x, *module.kept), input_signature=specs, autograph=False)
            module.call.get_concrete_function()
            module.more = list(keep.values()) if keep else []
            tf.saved_model.save(module, str(folder))
        return folder / MODEL

    def exported(self, model: Any) -> Path:
        """A Keras model as its ``export`` writes it."""
        folder = self.folder()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.export(str(folder), verbose=False)
        return folder / MODEL

    def compare(
        self,
        function: Callable[..., Any],
        *inputs: Array,
        variables: Sequence[Array] = (),
        most: float = CLOSE,
    ) -> Translated:
        """Translate, and compare shapes and numbers with TensorFlow's answers for an example; ``most`` as in ``check``."""
        path = self.saved(function, [(None, *x.shape[1:]) for x in inputs], [x.dtype.name for x in inputs], variables)
        found = translate(path)
        answer = self.tf.nest.flatten(function(*map(self.tf.constant, inputs), *map(self.tf.constant, variables)))
        assert found.shapes() == [tuple(part.shape) for part in answer]
        found.check(inputs, [np.asarray(part) for part in answer], most)
        return found
