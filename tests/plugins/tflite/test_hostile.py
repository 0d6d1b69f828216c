"""Files that lie, are cut off, or are no TFLite: each is refused with a sentence, never counted and never a traceback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from micronet_verify_tflite import flat

from micronet_verify.errors import SubmissionFault
from tests.plugins.tflite.support import compare, ints, problems, random, saved, translate
from tests.plugins.tflite.writer import File, Sub
from tests.quality.published import written
from tests.refused import complaints

CONV = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1, "padding": 1}


def small() -> tuple[File, Sub]:
    file, sub = File.new()
    x = sub.input((-1, 6, 6, 3))
    weight, shift = sub.constant(random(4, 3, 3, 3), name="w"), sub.constant(random(4), name="b")
    (c,) = sub.op("CONV_2D", [x, weight, shift], [sub.tensor((-1, 4, 4, 4), name="model/conv/Conv;model/conv/Bias")], "Conv2D", **CONV)
    (f,) = sub.op("RESHAPE", [c, sub.constant(ints(-1, 64))], [sub.tensor((-1, 64), name="model/flat")])
    sub.outputs = sub.op("FULLY_CONNECTED", [f, sub.constant(random(10, 64)), -1], [sub.tensor((-1, 10), name="y")], "FullyConnected")
    return file, sub


def test_the_file_itself_is_fine() -> None:
    found = compare(small()[0], random(1, 6, 6, 3))
    assert found.work == ["conv", "matmul"]
    assert [node.scope for node in found.nodes] == ["model.conv", "model", "y", "y"][: len(found.nodes)]


def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    whole = small()[0].data()
    path = tmp_path / "model.tflite"
    for end in [*range(300), *range(300, len(whole), 61)]:
        path.write_bytes(whole[:end])
        with pytest.raises(SubmissionFault):
            translate(path)


def test_the_sentence_of_a_cut_file(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(small()[0].data()[:500])
    (sentence,) = problems(path)
    assert sentence.startswith("got an offset to byte ")
    assert sentence.endswith("but should lie within the file's 500 bytes [model.tflite] (the file is cut off or damaged)")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_changed_bytes_are_refused_or_counted_but_never_crash(tmp_path: Path, data: st.DataObject) -> None:
    raw = bytearray(small()[0].data())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(raw) - 4))
        raw[place : place + 4] = data.draw(
            st.sampled_from([b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\xff\xff\xff\x7f", b"\x01\x00\x00\x00"])
        )
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "model.tflite"
    path.write_bytes(bytes(raw))
    assert all(" but should " in line for line in complaints(translate, path))


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04 zip file", b"\x00" * 64, b"\xff" * 64, b"<html>" * 50, b"\xff\xff\xff\xffTFL3", b"\x08\x00\x00\x00TFL3"]
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    assert all(" but should " in line for line in problems(written(tmp_path / "model.tflite", content)))


def test_no_file_a_folder_and_an_empty_file(tmp_path: Path) -> None:
    assert problems(tmp_path / "none.tflite") == [
        "got a model file that cannot be opened (No such file or directory) but should be a complete .tflite file [none.tflite]"
    ]
    assert " but should be a complete .tflite file" in problems(tmp_path)[0]
    (tmp_path / "empty.tflite").write_bytes(b"")
    assert problems(tmp_path / "empty.tflite") == ["got a file of 0 bytes but should be a complete .tflite file [empty.tflite]"]


def test_another_version_of_the_schema() -> None:
    assert problems(saved(small()[0].data(version=2))) == ["got a TFLite schema of version 2 but should be version 3 [model.tflite]"]


def test_a_declared_shape_that_differs_is_a_fault() -> None:
    file, sub = small()
    sub.tensors[3].shape = [1, 1, 1, 4]
    sub.tensors[3].shapeSignature = [-1, 1, 1, 4]
    assert problems(file)[0] == (
        "got a tensor 'model/conv/Conv;model/conv/Bias' that is declared as (-1, 1, 1, 4) but should be (1, 4, 4, 4), as computed "
        "[CONV_2D in model.conv]"
    )


def test_a_declared_type_that_differs_is_a_fault() -> None:
    file, sub = small()
    sub.tensors[3].type = schema.TensorType.INT32
    assert problems(file) == ["got a result of type float32 but should be declared as that, not as int32 [CONV_2D in model.conv]"]


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        (
            (8, 3),
            "got a fixed batch of 8 but should be 1 or free (dynamic) [input 'x'] (export with a free batch, or with one example)",
        ),
        (
            (-1, -1),
            "got a free axis 1 but should have a fixed size [input 'x'] (export with fixed sizes; only the batch may be free)",
        ),
        ((1, 0), "got size 0 on axis 1 but should be at least 1 [input 'x']"),
        ((), "got an input without a batch axis but should have a shape whose first axis is the batch [input 'x']"),
    ],
)
def test_inputs(shape: tuple[int, ...], sentence: str) -> None:
    file, sub = File.new()
    x = sub.input(shape)
    sub.outputs = sub.op("RELU", [x], [sub.tensor(shape)])
    assert problems(file)[0] == sentence


def test_no_input_and_no_output() -> None:
    file, sub = File.new()
    sub.outputs = sub.op("RELU", [sub.constant(random(3))], [sub.tensor((3,))])
    assert problems(file) == ["got a model without inputs but should have one [model.tflite]"]
    file, sub = File.new()
    sub.op("RELU", [sub.input((1, 3))], [sub.tensor((1, 3))])
    assert problems(file) == ["got a model without outputs but should have one [model.tflite]"]


def test_all_faults_come_together_each_named_and_placed() -> None:
    file, sub = File.new()
    x = sub.input((1, 4))
    (a,) = sub.op("RANDOM_UNIFORM", [sub.constant(ints(1, 4))], [sub.tensor((), name="net/noise/Uniform")])
    (b,) = sub.op("CUSTOM", [x], [sub.tensor((), name="net/erf/Erf")], custom="FlexErf")
    (c,) = sub.op("CUSTOM", [x], [sub.tensor((), name="net/mine/Op")], custom="Mine")
    (d,) = sub.op("READ_VARIABLE", [x], [sub.tensor((), name="net/state/Read")])
    (e,) = sub.op("WHERE", [x], [sub.tensor((), "int64", name="net/pick/Where")])
    (f,) = sub.op("STABLEHLO_CBRT", [x], [sub.tensor((), name="net/root/Cbrt")])
    sub.outputs = sub.op("ADD_N", [a, b, c, d, f], [sub.tensor(())])
    assert e not in sub.outputs
    assert problems(file) == [
        "got RANDOM_UNIFORM: random numbers but should be an operator that this counter can price [RANDOM_UNIFORM in net.noise] "
        "(constants must be stored in the file, and answers must repeat)",
        "got the custom operator FlexErf but should be an operator that this counter can price [FlexErf in net.erf] "
        "(convert with the TFLITE_BUILTINS operators alone)",
        "got the custom operator Mine but should be an operator that this counter can price [Mine in net.mine] (use builtin operators)",
        "got READ_VARIABLE: a variable that lives between examples but should be an operator that this counter can price "
        "[READ_VARIABLE in net.state] (give a state that the model writes as inputs and outputs (or use UNIDIRECTIONAL_SEQUENCE_LSTM); one "
        "that it only reads is frozen by from_keras_model and from_saved_model)",
        "got WHERE: a result whose size the data decides but should be an operator that this counter can price [WHERE in net.pick] "
        "(fixed shapes are counted: mask instead of selecting)",
        "got the operator STABLEHLO_CBRT but should be an operator that this counter can price [STABLEHLO_CBRT in net.root] "
        "(see the plugin's README for the operators that can be counted)",
    ]


def test_an_operator_that_there_is_not_yet() -> None:
    file, sub = File.new()
    x = sub.input((1, 4))
    sub.outputs = sub.op("RELU", [x], [sub.tensor((1, 4))])
    file.codes[0].builtinCode = 999
    assert problems(file)[0].startswith("got the operator operator number 999 but should be")


def test_a_custom_operator_cannot_take_a_builtin_name() -> None:
    file, sub = File.new()
    x = sub.input((1, 4))
    sub.outputs = sub.op("CUSTOM", [x], [sub.tensor((1, 4))], custom="RELU")
    assert problems(file)[0].startswith("got the custom operator RELU but should be")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("operand", "got a tensor number outside of 8 tensors but should be one of them [model.tflite]"),
        ("buffer", "got buffer 99 but should be one of 5 [tensor 'w']"),
        ("code", "got operator code 99 but should be one of 3 [model.tflite]"),
        ("options", "got options of kind 11 of CONV_2D but should be of kind 1 [model.tflite]"),
        ("later", "got an operand 'model/flat' that nothing computes before but should be computed before [CONV_2D in model.conv]"),
        (
            "twice",
            "got a second value called 'model/conv/Conv;model/conv/Bias' but should be defined once [RESHAPE in model.conv]",
        ),
        ("constant", "got a second value called 'w' but should be defined once [RESHAPE in w]"),
        ("string", "got a tensor of type string but should be of a float, integer or bool type [tensor 'w']"),
        ("long", "got a tensor of shape (4, 3, 3, 300) and type float32 with 432 bytes but should have 43,200 bytes [tensor 'w']"),
        ("negative", "got a constant of shape (4, 3, -3, 3) but should have sizes of at least 0 [tensor 'w']"),
        ("external", "got a constant in an external file but should lie in the .tflite file [tensor 'w']"),
    ],
)
def test_parts_that_contradict_each_other(change: str, sentence: str) -> None:
    file, sub = small()
    weight, conv = sub.tensors[1], sub.operators[0]
    if change == "operand":
        conv.inputs[1] = 50
    elif change == "buffer":
        weight.buffer = 99
    elif change == "code":
        conv.opcodeIndex = 99
    elif change == "options":
        conv.builtinOptionsType, conv.builtinOptions = schema.BuiltinOptions.AddOptions, schema.AddOptionsT()
    elif change == "later":
        conv.inputs[0] = 5
    elif change == "twice":
        sub.operators[1].outputs = [3]
    elif change == "constant":
        sub.operators[1].outputs = [1]
    elif change == "string":
        weight.type = schema.TensorType.STRING
    elif change == "long":
        weight.shape = [4, 3, 3, 300]
    elif change == "negative":
        weight.shape = [4, 3, -3, 3]
    else:
        weight.externalBuffer = 7
    assert problems(file)[0] == sentence


def test_bytes_behind_the_flatbuffer() -> None:
    """Buffers beyond 2 GB are named by offset and size instead of standing inside."""
    file, sub = small()
    weight, far = random(4, 3, 3, 3), 0x0102030405060708
    placed = file.buffers[sub.tensors[1].buffer]
    placed.data, placed.offset, placed.size = None, far, weight.nbytes
    inside = file.data()
    start = -(-len(inside) // 64) * 64
    raw = inside.replace(far.to_bytes(8, "little"), start.to_bytes(8, "little"))
    found = translate(saved(raw.ljust(start, b"\0") + weight.tobytes()))
    value = found.graph.values[found.nodes[0].inputs[1]]
    assert value.constant is not None
    assert value.constant.offset == start
    assert np.array_equal(found.store.open(value.constant, value.shape, value.format), weight.transpose(0, 3, 1, 2))
    assert problems(saved(inside))[0].startswith(f"got an offset to byte {far + weight.nbytes:,} but should lie within the file's ")


def test_names_may_be_anything_even_the_same() -> None:
    file, sub = small()
    for tensor in sub.tensors:
        tensor.name = b"conv1\nweights 0\x00\xff\xfe" * 40
    found = translate(file)
    assert found.work == ["conv", "matmul"]
    assert all(len(n.scope) <= 120 and n.scope.isprintable() for n in found.nodes)


def test_a_file_does_not_unfold_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offsets may point to the same table again and again, so what they may come to is bounded."""
    monkeypatch.setattr(flat, "MOST_TABLES", 20)
    assert problems(small()[0]) == ["got more than 20 tables, or as many lists but should be fewer [model.tflite]"]


@pytest.mark.parametrize("kind", ["IF", "WHILE"])
def test_subgraphs_that_call_themselves(kind: str) -> None:
    file, sub = File.new()
    x = sub.input((1, 3))
    truth = sub.constant(np.array([True]))
    fields: dict[str, Any] = (
        {"thenSubgraphIndex": 0, "elseSubgraphIndex": 0} if kind == "IF" else {"condSubgraphIndex": 0, "bodySubgraphIndex": 0}
    )
    sub.outputs = sub.op(kind, [truth, x] if kind == "IF" else [x], [sub.tensor(())], kind.capitalize(), **fields)
    assert problems(file)[0].startswith("got a recursive subgraph 0 but should not call itself, directly or through others [")


def test_splitting_nothing_into_very_many() -> None:
    file, sub = File.new()
    x = sub.input((1, 4))
    none = sub.constant(np.zeros((0,), np.int32))
    sub.op("SPLIT", [sub.constant(np.int32(0)), none], [sub.tensor((), "int32")], "Split", numSplits=2**31 - 1)
    sub.outputs = sub.op("SPLIT", [sub.constant(np.int32(1)), x], [sub.tensor(())], "Split", numSplits=2**30)
    assert all(" but should " in line for line in problems(file))
