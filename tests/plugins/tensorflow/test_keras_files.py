"""``.keras`` and ``.h5`` files: counted as the SavedModel of the same network is, and looked at as data before Keras opens them."""

from __future__ import annotations

import io
import json
import shutil
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from micronet_verify.errors import BenchFault
from tests.plugins.tensorflow.support import Builder, predict, random, refused_by_both, translate

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"


def network(keras: Any) -> Any:
    """A little of everything that a convolutional network has."""
    layers = keras.layers
    keras.utils.set_random_seed(3)
    given = keras.Input((8, 8, 1))
    x = layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False)(given)
    spread = keras.initializers.RandomUniform(0.5, 1.5)
    x = layers.BatchNormalization(moving_variance_initializer=spread, beta_initializer="random_normal")(x)
    x = layers.ReLU(6.0)(x)
    y = layers.SeparableConv2D(6, 3, padding="same", activation="swish")(x)
    x = layers.Dropout(0.5)(layers.Rescaling(2.0)(layers.Add()([x, y])))
    x = layers.GlobalAveragePooling2D()(layers.MaxPooling2D()(x))
    return keras.Model(given, layers.Dense(3, activation="softmax")(x))


def attention(keras: Any) -> Any:
    layers = keras.layers
    keras.utils.set_random_seed(4)
    given = keras.Input((5,), dtype="int32")
    x = layers.Embedding(11, 8)(given)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x))
    return keras.Model(given, layers.Dense(3)(layers.GlobalAveragePooling1D()(layers.Dense(12, activation="gelu")(x))))


@pytest.fixture(scope="module")
def saved(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Any, str], Path]:
    def save(model: Any, suffix: str) -> Path:
        path = tmp_path_factory.mktemp("keras") / f"model{suffix}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.save(path)
        return path

    return save


@pytest.mark.parametrize("make", [network, attention])
def test_one_network_in_three_files_costs_the_same(
    build: Builder, keras: Any, saved: Callable[[Any, str], Path], make: Callable[[Any], Any]
) -> None:
    model = make(keras)
    inputs = random(1, 8, 8, 1) if make is network else np.array([[1, 4, 9, 0, 10]])
    wanted = np.asarray(model(inputs))
    found = []
    # Keras does not read back what it writes of an attention layer into an .h5 file.
    suffixes = (".keras", ".h5") if make is network else (".keras",)
    for path in (build.exported(model), *(saved(model, suffix) for suffix in suffixes)):
        translated = translate(path, batch=True)
        np.testing.assert_allclose(translated.run(inputs)[0], wanted, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(predict(path, inputs)[0].outputs, wanted, rtol=1e-4, atol=1e-5)
        found.append({name: (ledger.storage, ledger.operations) for name, ledger in translated.count().ledgers.items()})
    assert all(count == found[0] for count in found)


def test_dropout_and_noise_are_nothing_at_inference(keras: Any, saved: Callable[[Any, str], Path]) -> None:
    layers = [keras.Input((6,)), keras.layers.Dropout(0.5), keras.layers.GaussianNoise(1.0), keras.layers.ReLU()]
    assert translate(saved(keras.Sequential(layers), ".keras")).work == ["elementwise:relu"]


@pytest.fixture
def plain(keras: Any, saved: Callable[[Any, str], Path], tmp_path: Path) -> Path:
    """A copy of a small ``.keras`` file, to be spoiled."""
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3, name="last")])
    path = tmp_path / "model.keras"
    shutil.copyfile(saved(model, ".keras"), path)
    return path


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def reconfigured(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    files = members(path)
    config = json.loads(files[CONFIG])
    change(config["config"]["layers"][1])
    files[CONFIG] = json.dumps(config).encode()
    write(path, files)


def test_lambda_layers(keras: Any, saved: Callable[[Any, str], Path], canary: Path) -> None:
    model = keras.Sequential([keras.Input((6,)), keras.layers.Lambda(lambda x: x * 2, name="mine")])
    for suffix in (".keras", ".h5"):
        found = refused_by_both(saved(model, suffix))
        assert found[0].startswith("got the class 'Lambda', which holds Python code, but should be a built-in Keras layer that computes [")
        assert "layer 'mine'" in found[0]
        assert len(found) == 1  # and no second sentence for the function inside


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"class_name": "TFSMLayer"}, "got the class 'TFSMLayer', which loads another model from a path, but should be a built-in Keras"),
        ({"class_name": "Mine", "module": "mine"}, "got the class 'Mine' of 'mine' but should be a built-in Keras layer that computes ["),
        ({"class_name": "system", "module": "os"}, "got the class 'system' of 'os' but should be a built-in Keras layer that computes ["),
        ({"module": "keras.src.utils.file_utils"}, "got the class 'Dense' but should be a built-in Keras layer that computes ["),
        ({"registered_name": "Custom>Dense"}, "got the class 'Dense' registered as 'Custom>Dense' but should be one of Keras' own ["),
        ({"class_name": ["Dense"]}, "got a class whose name is not text but should be one of Keras' own ["),
        (
            {"class_name": "function", "module": "builtins", "config": "eval"},
            "got the class 'function' of 'builtins', which names a Python",
        ),
    ],
)
def test_classes_that_are_not_keras_own(plain: Path, canary: Path, change: dict[str, Any], sentence: str) -> None:
    reconfigured(plain, lambda layer: layer.update(change))
    assert refused_by_both(plain)[0].startswith(sentence)


def test_classes_inside_a_layer_are_seen(plain: Path) -> None:
    reconfigured(plain, lambda layer: layer["config"].update(activation={"class_name": "function", "module": "os", "config": "system"}))
    assert refused_by_both(plain)[0].startswith("got the class 'function' of 'os', which names a Python function,")


def test_how_a_model_was_compiled_does_not_matter(keras: Any, saved: Callable[[Any, str], Path]) -> None:
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    model.compile("adam", "mse")
    assert translate(saved(model, ".keras")).work == ["matmul"]


def test_members(plain: Path, canary: Path) -> None:
    files = members(plain)
    write(plain, {**files, "../written": b"x"})
    assert refused_by_both(plain) == [
        "got a member '../written' but should be metadata.json, config.json or model.weights.h5 [model.keras] "
        "(save it with model.save('model.keras'))"
    ]
    write(plain, {CONFIG: files[CONFIG], METADATA: files[METADATA]})
    assert refused_by_both(plain)[0].startswith("got no member 'model.weights.h5' but should be there [model.keras]")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(plain, "w") as archive:
            for name in (CONFIG, METADATA, WEIGHTS, CONFIG):
                archive.writestr(name, files[name])
    assert refused_by_both(plain) == ["got a second member 'config.json' but should be there once [model.keras]"]


def test_members_whose_compressed_bytes_are_damaged(plain: Path) -> None:
    """F3: broken deflate ended in a traceback."""
    write(plain, members(plain), zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(plain) as archive:
        found = archive.getinfo(WEIGHTS)
    data = bytearray(plain.read_bytes())
    start = found.header_offset + 30 + len(WEIGHTS)
    data[start : start + found.compress_size // 2] = b"\xff" * (found.compress_size // 2)
    plain.write_bytes(data)
    (problem,) = refused_by_both(plain)
    assert problem.startswith("got a member whose compressed bytes are damaged (")
    assert problem.endswith("but should be as Keras writes it [model.keras] (save it with model.save('model.keras'))")


def test_zip_bombs(plain: Path) -> None:
    files = members(plain)
    write(plain, {**files, WEIGHTS: b"\0" * (1 << 26)}, zipfile.ZIP_DEFLATED)
    (found,) = refused_by_both(plain)
    assert found.startswith("got model.weights.h5 that swells (67,108,864 bytes from ")
    assert found.endswith("but should be compressed at most 100 times [model.keras]")
    write(plain, {**files, CONFIG: b" " * ((1 << 25) + 1)}, zipfile.ZIP_DEFLATED)
    assert refused_by_both(plain)[0].startswith("got config.json of 33,554,433 bytes but should be smaller [model.keras]")


def test_files_that_are_no_zip_or_cut_off(plain: Path) -> None:
    data = plain.read_bytes()
    for broken in (b"", b"PK", data[: len(data) // 2], data[:-30]):
        plain.write_bytes(broken)
        (found,) = refused_by_both(plain)
        assert found.startswith("got a file that is not a zip archive (")
        assert found.endswith("but should be a .keras file [model.keras] (save it with model.save('model.keras'))")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"{", "got text that is not JSON ("),
        (b'{"class_name": 1, "class_name": 2}', "got text that is not JSON (a key given twice) but should be as Keras writes it ["),
        (b"[" * 100_000, "got text that is not JSON ("),
        (b"[]", "got a configuration without a model but should be as Keras writes it [config.json of model.keras]"),
    ],
)
def test_configurations_that_are_none(plain: Path, text: bytes, sentence: str) -> None:
    write(plain, {**members(plain), CONFIG: text})
    assert refused_by_both(plain)[0].startswith(sentence)


def rewritten(path: Path, change: Callable[[Any], None]) -> None:
    """The weights after ``change`` of the open HDF5 file."""
    import h5py

    files = members(path)
    buffer = io.BytesIO(files[WEIGHTS])
    with h5py.File(buffer, "r+") as file:
        change(file)
    write(path, {**files, WEIGHTS: buffer.getvalue()})


def replaced(**options: Any) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        group = file["layers/dense/vars"]
        del group["0"]
        group.create_dataset("0", **options)

    return change


def test_tensors_in_other_files(plain: Path, canary: Path) -> None:
    rewritten(plain, replaced(shape=(6, 3), dtype="f4", external=[(str(canary), 0, 72)]))
    assert refused_by_both(plain) == [
        "got the tensor '/layers/dense/vars/0' in another file but should lie inside the file [model.weights.h5 of model.keras]"
    ]


def test_links_out_of_the_file(keras: Any, plain: Path, canary: Path) -> None:
    import h5py

    def link(file: Any) -> None:
        del file["layers/dense/vars/0"]
        file["layers/dense/vars/0"] = h5py.ExternalLink(str(canary), "/x")

    rewritten(plain, link)
    assert refused_by_both(plain) == [
        "got a link '/layers/dense/vars/0' to somewhere else but should be a tensor inside the file [model.weights.h5 of model.keras]"
    ]


def test_tensors_that_are_not_there(plain: Path) -> None:
    rewritten(plain, replaced(shape=(10**6, 10**6), dtype="f4", chunks=(100, 100)))
    found = refused_by_both(plain)
    assert "of 4,000,000,000,000 bytes, of which 0 are there but should be stored in full" in found[0]


def test_weights_that_are_no_hdf5(plain: Path) -> None:
    write(plain, {**members(plain), WEIGHTS: b"no weights at all"})
    assert refused_by_both(plain)[0].startswith("got weights that are not an HDF5 file (")


def test_weights_alone_are_no_model(keras: Any, tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    path = tmp_path / "model.weights.h5"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save_weights(path)
    assert refused_by_both(path) == [
        "got an .h5 file without a model but should hold a whole model, not weights alone [model.weights.h5] "
        "(save it with model.save('model.keras'))"
    ]


def test_without_tensorflow_the_operator_is_told_what_to_install(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(BenchFault) as caught:
        translate(plain)
    assert str(caught.value) == (
        'got a TensorFlow entry without tensorflow but should be complete: pip install "micronet-verify-tensorflow[tensorflow]"'
    )


def test_weights_of_another_shape(plain: Path) -> None:
    rewritten(plain, replaced(data=np.zeros((7, 3), np.float32)))
    (found,) = refused_by_both(plain)
    assert found.startswith("got a model that Keras does not load (")
    assert found.endswith(") but should load [model.keras]")
