"""SavedModels that would touch files, or that lie about where their bytes are: one sentence each, and nothing is touched."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from micronet_verify_tensorflow.crc import crc32c, unmasked

from micronet_verify.errors import SubmissionFault
from tests.plugins.tensorflow.support import MODEL, Builder, problems, random, refused_by_both, translate

EXPORT = "(export for inference only: model.export(folder))"


def test_files_read_or_written_by_the_signature(build: Builder, canary: Path) -> None:
    tf = build.tf

    def model(x: Any) -> Any:
        text = tf.io.read_file(str(canary))
        with tf.control_dependencies([tf.io.write_file(str(canary.with_name("written")), text)]):
            return x + tf.cast(tf.strings.length(text), tf.float32)

    found = refused_by_both(build.saved(model, [(None, 6)]))
    assert len(found) == 3
    assert found[0].startswith(
        "got the operator ReadFile (node 'ReadFile'), which reads or writes files, but should be one that only compute"
    )
    assert found[0].endswith(EXPORT)
    assert any(line.startswith("got the operator WriteFile (node 'WriteFile'), which reads or writes files,") for line in found)
    assert any(
        line.startswith("got the operator StringLength (node 'StringLength') but should be one that only computes") for line in found
    )


def test_a_function_that_nothing_calls(build: Builder, canary: Path, tmp_path: Path) -> None:
    tf = build.tf
    module = tf.Module()
    module.call = tf.function(lambda x: 2 * x, input_signature=[tf.TensorSpec((None, 6))])

    @tf.function(input_signature=[], autograph=False)
    def write() -> Any:
        with tf.control_dependencies([tf.io.write_file(str(canary.with_name("written")), "x")]):
            return tf.constant(1.0)

    module.other = write
    tf.saved_model.save(module, str(tmp_path / "model"), signatures={"serving_default": module.call})
    found = refused_by_both(tmp_path / "model" / MODEL)
    assert len(found) == 1
    assert "WriteFile" in found[0]
    assert "[WriteFile in __inference_" in found[0]


def test_python_tables_and_prints(build: Builder, canary: Path, tmp_path: Path) -> None:
    tf = build.tf
    found = refused_by_both(build.saved(lambda x: tf.py_function(lambda y: y, [x], tf.float32), [(None, 6)]))
    assert any("which runs Python code," in line for line in found)
    found = refused_by_both(
        build.saved(lambda x: (tf.print("x", output_stream=f"file://{canary.with_name('written')}"), x)[1] + 1, [(None, 6)])
    )
    assert any("the operator PrintV2" in line and "which writes text," in line for line in found)

    module = tf.Module()
    words = tmp_path / "words"
    words.write_text("one 1\n")
    lines = tf.lookup.TextFileInitializer(str(words), tf.string, 0, tf.int64, 1, delimiter=" ")
    module.table = tf.lookup.StaticHashTable(lines, 0)
    module.call = tf.function(lambda x: x * tf.cast(module.table.size(), tf.float32), input_signature=[tf.TensorSpec((None, 6))])
    tf.saved_model.save(module, str(tmp_path / "model"))
    found = refused_by_both(tmp_path / "model" / MODEL)
    assert any("the operator HashTableV2" in line and "a table" in line for line in found)
    assert any("the operator InitializeTableFromTextFileV2" in line for line in found)


def test_variables_that_change_and_random_numbers(build: Builder) -> None:
    tf = build.tf
    state = tf.Variable(1.0)
    module = tf.Module()
    module.state = state
    module.call = tf.function(lambda x: x * state.assign_add(1.0), input_signature=[tf.TensorSpec((None, 6))], autograph=False)
    folder = build.folder()
    tf.saved_model.save(module, str(folder))
    found = refused_by_both(folder / MODEL)
    assert any("the operator AssignAddVariableOp" in line for line in found)
    (found,) = problems(build.saved(lambda x: x + tf.random.uniform((1, 6)), [(None, 6)]))
    assert found.startswith("got RandomUniform: random numbers but should be an operator that this counter can price [RandomUniform in ")


def test_a_function_that_is_called_like_an_operator(build: Builder, canary: Path) -> None:
    """The operator's name would be counted as the operator, and run as the function, or the other way round."""
    from tensorflow.core.protobuf import saved_model_pb2

    tf = build.tf
    inner = tf.function(lambda x: 2 * x)
    sound = build.saved(lambda x: inner(x) + 1, [(None, 6)])
    for name in ("WriteFile", "Heavy"):
        model = saved_model_pb2.SavedModel.FromString(sound.read_bytes())
        library = model.meta_graphs[0].graph_def.library
        outer = next(function for function in library.function if any(node.op == "AddV2" for node in function.node_def))
        call = next(node for node in outer.node_def if "PartitionedCall" in node.op)
        function = next(function for function in library.function if function.signature.name == call.attr["f"].func.name)
        function.signature.name = call.op = name
        del call.attr["f"]
        path = build.folder() / MODEL
        path.write_bytes(model.SerializeToString())
        assert refused_by_both(path)[0].startswith(f"got the operator {name} (node 'PartitionedCall')")


def test_what_the_saver_does_is_not_allowed_elsewhere(build: Builder, canary: Path) -> None:
    tf = build.tf
    options = {"tensor_names": ["a"], "shape_and_slices": [""], "dtypes": [tf.float32]}
    found = refused_by_both(build.saved(lambda x: x + tf.raw_ops.RestoreV2(prefix=str(canary), **options)[0], [(None, 6)]))
    assert any(line.startswith("got the operator RestoreV2") for line in found)


def test_every_unknown_operator_is_named_at_once(build: Builder) -> None:
    tf = build.tf
    found = problems(build.saved(lambda x: tf.math.lgamma(x) + tf.math.digamma(x), [(None, 6)]))
    assert [line.split()[3] for line in found] == ["Lgamma", "Digamma"]


@pytest.fixture
def model(build: Builder, tmp_path: Path) -> Path:
    path = build.saved(lambda x, w: build.tf.matmul(x, w), [(None, 6)], variables=[random(6, 300)])
    shutil.copytree(path.parent, tmp_path / "copy")
    return tmp_path / "copy" / MODEL


def test_the_copy_is_sound(model: Path) -> None:
    assert translate(model).work == ["matmul"]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_file_that_is_cut_off(model: Path, share: float) -> None:
    data = model.read_bytes()
    model.write_bytes(data[: int(len(data) * share)])
    (found,) = refused_by_both(model)
    assert found.startswith("got an empty file" if not share else "got a file that ends inside ")
    assert " but should be a complete " in found


def test_bytes_that_are_no_protobuf(model: Path) -> None:
    model.write_bytes(b"\xff" * 400)
    assert refused_by_both(model) == ["got bytes that are not protobuf in the SavedModel but should be a TensorFlow model"]
    model.write_bytes(b"\x08\x01")
    assert refused_by_both(model)[0].startswith("got a SavedModel of 0 graphs but should have one [saved_model.pb]")


def changed(path: Path, change: Callable[[bytearray], None]) -> None:
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)


def test_flipped_bytes_never_end_in_a_traceback(model: Path) -> None:
    sound, generator = model.read_bytes(), np.random.default_rng(0)
    for place in generator.integers(0, len(sound), 150):
        data = bytearray(sound)
        data[place] ^= 1 << int(generator.integers(0, 8))
        model.write_bytes(data)
        assert all(" but should " in sentence for sentence in said(model))


def said(path: Path) -> list[str]:
    """The sentences of a refusal, if it is one: any other error is a failure of the test."""
    try:
        translate(path)
    except SubmissionFault as fault:
        return [str(problem) for problem in fault.problems]
    return []


def test_weights_with_a_wrong_checksum(model: Path) -> None:
    changed(model.parent / "variables" / "variables.data-00000-of-00001", lambda data: data.__setitem__(100, data[100] ^ 1))
    (found,) = problems(model)
    assert found.startswith("got bytes that do not have the checksum of the index but should be the tensor that was saved [tensor '")


def test_an_index_with_a_wrong_checksum_or_cut_off(model: Path) -> None:
    index = model.parent / "variables" / "variables.index"
    sound = index.read_bytes()
    changed(index, lambda data: data.__setitem__(3, data[3] ^ 1))
    assert problems(model) == [
        "got a block that does not have its checksum but should be the index that was saved [variables/variables.index]"
    ]
    index.write_bytes(sound[:-60])
    assert problems(model)[0].startswith(f"got {len(sound) - 60:,} bytes that do not end as a checkpoint's index does but should be ")
    index.write_bytes(b"")
    assert "got 0 bytes that do not end" in problems(model)[0]


def _block(records: list[tuple[bytes, bytes]]) -> bytes:
    """A LevelDB block without shared prefixes, with its kind and checksum."""
    body = b"".join(bytes([0, len(key)]) + _number(len(value)) + key + value for key, value in records)
    body += struct.pack("<II", 0, 1) + b"\0"
    crc = crc32c(np.frombuffer(body, np.uint8))
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    assert unmasked(masked) == crc
    return body + struct.pack("<I", masked)


def _number(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def _index(entry: bytes) -> bytes:
    """An index of a header and one tensor."""
    name = b"kept/0/.ATTRIBUTES/VARIABLE_VALUE"
    data = _block([(b"", b"\x08\x01\x1a\x02\x08\x01"), (name, entry)])
    handle = b"\0" + _number(len(data) - 5)
    table = data + _block([(b"z", handle)])
    return (
        table
        + (b"\0\0" + _number(len(data)) + _number(len(table) - len(data) - 5)).ljust(40, b"\0")
        + struct.pack("<Q", 0xDB4775248B80FB57)
    )


def _entry(rows: int = 6, columns: int = 300, offset: int = 0, size: int = 7200, shard: int = 0, kind: int = 1) -> bytes:
    dims = b"".join(b"\x12" + bytes([len(_number(n)) + 1]) + b"\x08" + _number(n) for n in (rows, columns))
    shape = b"\x12" + bytes([len(dims)]) + dims
    return (
        b"\x08" + _number(kind) + shape + b"\x18" + _number(shard) + b"\x20" + _number(offset) + b"\x28" + _number(size) + b"\x35\0\0\0\0"
    )


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (
            _entry(offset=10**9),
            "got a tensor that ends at byte 1,000,007,200 but should end within variables/variables.data-00000-of-00001's",
        ),
        (_entry(offset=2**63 - 1), "got a tensor that ends at byte 9,223,372,036,854,783,007 but should end within "),
        (_entry(size=400), "got 400 bytes but should be 7,200 bytes, as its shape and type say ["),
        (_entry(rows=10**12), "got 7,200 bytes but should be 1,200,000,000,000,000 bytes, as its shape and type say ["),
        (_entry(shard=7), "got shard 7 but should be one of 1 ["),
        (_entry(kind=7), "got a tensor of type string but should be one of float32, "),
        (_entry(), "got bytes that do not have the checksum of the index but should be the tensor that was saved ["),
        (_entry()[:-9], "got a file that ends"),
    ],
)
def test_entries_that_lie(model: Path, entry: bytes, sentence: str) -> None:
    (model.parent / "variables" / "variables.index").write_bytes(_index(entry))
    (found,) = problems(model)
    if sentence == "got a file that ends":
        assert found.startswith(
            ("got lengths that contradict each other", "got bytes that are not protobuf", "got a tensor", "got 0 bytes")
        )
    else:
        assert found.startswith(sentence)


def test_files_that_are_missing_linked_or_have_two_names(model: Path) -> None:
    data = model.parent / "variables" / "variables.data-00000-of-00001"
    other = data.with_name("elsewhere")
    data.rename(other)
    (found,) = problems(model)
    assert found == (
        "got variables/variables.data-00000-of-00001, which cannot be opened (No such file or directory) but should be next to "
        "saved_model.pb [variables/variables.data-00000-of-00001] "
        "(name every file of the folder variables in the manifest, as external_data)"
    )
    data.symlink_to(other)
    assert problems(model)[0].startswith("got variables/variables.data-00000-of-00001, a symbolic link but should be an ordinary file [")
    data.unlink()
    data.hardlink_to(other)
    assert "which is not a regular file with one name but should be one [" in problems(model)[0]


def test_signatures_inputs_and_graphs_that_do_not_fit(build: Builder) -> None:
    tf = build.tf
    (found,) = problems(build.saved(lambda x: x + 1, [(8, 6)]))
    assert found.startswith("got a fixed batch of 8 but should be 1 or free (dynamic) [input 'x0'] (export with a free batch")
    (found,) = problems(build.saved(lambda x: x + 1, [(None, None)]))
    assert found.startswith("got a free axis 1 but should have a fixed size [input 'x0']")
    (found,) = problems(build.saved(lambda x: x + 1, [()]))
    assert found.startswith("got an input without a batch axis but should ")
    module = tf.Module()
    module.value = tf.Variable(1.0)
    folder = build.folder()
    tf.saved_model.save(module, str(folder))
    assert problems(folder / MODEL)[0].startswith("got a SavedModel without a signature but should have one called 'serving_default'")
