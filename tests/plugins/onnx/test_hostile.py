"""Files that lie, are cut off, or are no ONNX: each is refused with a sentence, never counted and never a traceback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from micronet_verify.errors import SubmissionFault
from micronet_verify.framework.files.protobuf import encoded
from tests.plugins.onnx.support import FREE, compare, graph, info, ints, model, node, problems, random, saved, translate, unknown, x_to_y
from tests.quality.published import written
from tests.refused import complaints


def small(**options: Any) -> onnx.ModelProto:
    nodes = [node("Conv", "x w b", "c"), node("Relu", "c", "r"), node("Flatten", "r", "f"), node("Gemm", "f v", transB=1)]
    constants = {"w": random(8, 3, 3, 3), "b": random(8), "v": random(10, 8 * 4 * 4)}
    return model(x_to_y(nodes, (3, 6, 6), constants), **options)


def test_the_file_itself_is_fine() -> None:
    assert translate(saved(small())).work == ["conv", "elementwise:relu", "matmul"]


def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    whole = small().SerializeToString()
    path = tmp_path / "model.onnx"
    sentences = set()
    for end in [*range(200), *range(200, len(whole) - 60, 97), *range(len(whole) - 60, len(whole))]:
        path.write_bytes(whole[:end])
        with pytest.raises(SubmissionFault) as caught:
            translate(path)
        sentences.update(str(problem).partition(" (at byte")[0] for problem in caught.value.problems)
    assert {
        "got a file that ends inside the graph",
        "got a file that ends inside the model",
        "got an empty file but should be a complete ONNX model [model.onnx]",
    } <= sentences


def test_the_sentence_of_a_cut_file(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(small().SerializeToString()[:3000])
    assert problems(path) == ["got a file that ends inside the graph (at byte 3,000) but should be a complete ONNX model"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_changed_bytes_are_refused_or_counted_but_never_crash(tmp_path: Path, data: st.DataObject) -> None:
    raw = bytearray(small().SerializeToString())
    headers = [*range(300), *range(len(raw) - 300, len(raw))]
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.sampled_from(headers))] = data.draw(st.integers(0, 255))
    path = tmp_path / "model.onnx"
    path.write_bytes(bytes(raw))
    assert all(" but should " in line for line in complaints(translate, path))


@pytest.mark.parametrize("content", [b"PK\x03\x04 zip", b"\x00" * 64, b"\xff" * 64, b"<html>" * 50, b"\x08\x08"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    assert all(" but should " in line for line in problems(written(tmp_path / "model.onnx", content)))


def test_no_file_a_folder_and_a_pipe(tmp_path: Path) -> None:
    assert problems(tmp_path / "none.onnx") == [
        "got a model file that cannot be opened (No such file or directory) but should be an ONNX file [none.onnx]"
    ]
    assert problems(tmp_path) == [f"got a model file that cannot be opened (Is a directory) but should be an ONNX file [{tmp_path.name}]"]


def test_declared_shapes_are_never_believed() -> None:
    proto = small()
    for name, shape in (("c", (1, 1, 1, 1)), ("r", (FREE, 8, 1, 1)), ("f", (1, 1))):
        proto.graph.value_info.append(info(name, shape))
    proto.graph.output[0].CopyFrom(info("y", (FREE, 3)))
    found = translate(saved(proto))
    assert found.shapes() == [(1, 10)]
    assert found.graph.values[found.nodes[0].outputs[0]].shape == (1, 8, 4, 4)


def test_node_names_may_be_anything_even_the_same() -> None:
    proto = small()
    for item in proto.graph.node:
        item.name = "conv1\nweights 0\x00" * 40
    found = translate(saved(proto))
    assert found.work == ["conv", "elementwise:relu", "matmul"]
    assert all(len(n.scope) <= 120 and n.scope.isprintable() for n in found.nodes)


@pytest.mark.parametrize(
    ("change", "sentences"),
    [
        ("output again", ["got a second value called 'c' but should be defined once [Relu in the_Relu]"]),
        ("initializer again", ["got a second value called 'w' but should be defined once [initializer 'w']"]),
        ("output like initializer", ["got a second value called 'b' but should be defined once [Relu in the_Relu]"]),
        ("output like input", ["got a second value called 'x' but should be defined once [Relu in the_Relu]"]),
        ("input again", ["got a second value called 'x' but should be defined once [input 'x']"]),
    ],
)
def test_every_name_is_defined_once(change: str, sentences: list[str]) -> None:
    proto = small()
    if change == "initializer again":
        proto.graph.initializer.append(numpy_helper.from_array(random(8, 3, 1, 1), "w"))
    elif change == "input again":
        proto.graph.input.append(info("x", (FREE, 3, 6, 6)))
    else:
        proto.graph.node[1].output[0] = {"output again": "c", "output like initializer": "b", "output like input": "x"}[change]
        proto.graph.node[2].input[0] = "c"
    assert problems(proto) == sentences


def test_shadowing_in_a_body_is_refused() -> None:
    then = graph([node("Neg", "x", "h")], [], [unknown("h")])
    other = graph([node("Abs", "x", "b")], [], [unknown("b")])
    nodes = [node("Relu", "x", "h"), node("If", "c", then_branch=then, else_branch=other)]
    proto = model(x_to_y(nodes, (3,), {"c": np.array(True)}))
    assert problems(proto) == ["got a second value called 'h' but should be defined once [Neg in the_Neg]"]


def test_an_operand_from_nowhere_or_from_later() -> None:
    proto = small()
    proto.graph.node[0].input[0] = "nothing"
    assert problems(proto) == ["got an operand 'nothing' that nothing computes before but should be computed before [Conv in the_Conv]"]
    proto.graph.node[0].input[0] = "r"
    assert problems(proto) == ["got an operand 'r' that nothing computes before but should be computed before [Conv in the_Conv]"]


def test_an_output_from_nowhere() -> None:
    proto = small()
    proto.graph.output[0].name = "z"
    assert problems(proto) == ["got an operand 'z' that nothing computes before but should be computed before [output in z]"]


def test_all_faults_come_together_each_named_and_placed() -> None:
    nodes = [
        node("RandomNormalLike", "x", "a"),
        node("Det", "a", "b"),
        node("Mystery", "x", "c", domain="acme"),
        node("Add", "b c", "d"),
        node("StringConcat", "d d", "e"),
        node("Dropout", "e r t"),
    ]
    body = x_to_y(nodes, (3,), {"r": np.float32(0.5), "t": np.array(True)})
    assert problems(model(body, domains={"acme": 1})) == [
        "got RandomNormalLike: random numbers but should be an operator that this counter can price "
        "[RandomNormalLike in the_RandomNormalLike] (constants must be stored in the file, and answers must repeat)",
        "got Det: an operator whose work has no agreed price but should be an operator that this counter can price [Det in the_Det] "
        "(ask the organizers for a line in the op table)",
        "got the operator Mystery of domain acme but should be an operator that this counter can price [acme.Mystery in the_Mystery] "
        "(a custom operator needs an ONNX function of standard operators)",
        "got StringConcat: text but should be an operator that this counter can price [StringConcat in the_StringConcat] "
        "(tokens must come in as numbers)",
    ]


@pytest.mark.parametrize(
    ("dims", "held", "sentence"),
    [
        ((2**40, 3), 3, "got a tensor of shape (1099511627776, 3) and type float32 with 12 bytes but should have 13,194,139,533,312 bytes"),
        ((-3,), 3, "got a tensor of shape (-3,) but should have sizes of at least 0"),
        ((4,), 3, "got a tensor of shape (4,) and type float32 with 12 bytes but should have 16 bytes"),
        ((2,), 3, "got a tensor of shape (2,) and type float32 with 12 bytes but should have 8 bytes"),
        (
            (3, 2**63 - 1, 2**63 - 1),
            3,
            "got a tensor of shape (3, 9223372036854775807, 9223372036854775807) and type float32 with 12 bytes but should have 1",
        ),
    ],
)
def test_tensors_whose_shape_lies(dims: tuple[int, ...], held: int, sentence: str) -> None:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, raw_data=random(held).tobytes())
    body = x_to_y([node("Add", "x w")], (3,))
    body.initializer.append(tensor)
    (found,) = problems(model(body))
    assert found.startswith(sentence)
    assert "initializer 'w'" in found


@pytest.mark.parametrize("count", [3, 3000])
def test_data_given_twice_or_in_the_wrong_field(count: int) -> None:
    raw = random(count).tobytes()
    twice = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[count], raw_data=raw, float_data=[1.0])
    wrong = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[count], int32_data=[1] * count)
    for tensor, sentence in (
        (twice, "got a tensor with"),
        (wrong, "got a float32 tensor with int32_data but should have raw_data or float_data"),
    ):
        body = x_to_y([node("Add", "x w")], (count,))
        body.initializer.append(tensor)
        assert problems(model(body))[0].startswith(sentence)


def test_integer_data_that_ends_in_the_middle_of_a_number() -> None:
    whole = helper.make_tensor("w", TensorProto.INT64, (3000,), [300] * 3000)
    body = graph([node("Add", "x w")], [info("x", (FREE, 3000), TensorProto.INT64)], [unknown("y", TensorProto.INT64)])
    body.initializer.append(whole)
    raw = bytearray(model(body).SerializeToString())
    last = raw.rfind(b"\xac\x02")
    raw[last + 1] |= 0x80
    path = saved(model(body))
    path.write_bytes(bytes(raw))
    assert problems(path)[0].startswith("got a tensor of shape (3000,) and type int64 with 2,999 elements but should have 3,000 elements")


@pytest.mark.parametrize(
    ("kind", "name"), [(TensorProto.STRING, "string"), (TensorProto.COMPLEX64, "complex64"), (77, "number 77"), (0, "undefined")]
)
def test_types_that_are_no_numbers(kind: int, name: str) -> None:
    body = x_to_y([node("Add", "x w")], (3,))
    body.initializer.append(TensorProto(name="w", data_type=kind, dims=[1]))
    assert problems(model(body)) == [f"got a tensor of data type {name} but should be of a float, integer or bool type [initializer 'w']"]


def test_a_mark_of_left_out_data_cannot_be_forged() -> None:
    for text in ("0", ":0", "x:0", "0" * 32 + ":0"):
        body = x_to_y([node("Add", "x w")], (2000,), {"w": random(2000)})
        body.initializer.append(TensorProto(name="v", data_type=TensorProto.FLOAT, dims=[2000], doc_string=text))
        assert problems(model(body)) == [
            "got a tensor of shape (2000,) and type float32 with 0 bytes but should have 8,000 bytes [initializer 'v']"
        ]


def test_a_graph_in_two_pieces_is_read_as_protobuf_merges_it() -> None:
    first = model(graph([node("Relu", "x", "r")], [info("x", (FREE, 2000))], [], {"w": random(2000)})).SerializeToString()
    second = onnx.ModelProto(graph=onnx.GraphProto(node=[node("Add", "r w")], output=[unknown("y")])).SerializeToString()
    path = saved(small())
    path.write_bytes(first + second)
    assert translate(path).work == ["elementwise:relu", "elementwise:add"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"ir": 14}, "got an ONNX file of IR version 14 but should be at most 13 [model.onnx]"),
        ({"opset": 27}, "got ONNX opset 27 but should be 7 to 26 [model.onnx]"),
        ({"opset": 6}, "got ONNX opset 6 but should be 7 to 26 [model.onnx]"),
    ],
)
def test_versions(options: dict[str, int], sentence: str) -> None:
    assert problems(small(**options)) == [
        f"{sentence} (export with opset_version=7 to 26 and ir_version≤13, or use onnx.version_converter)"
    ]


def test_no_opset_two_opsets_no_graph_training() -> None:
    proto = small()
    del proto.opset_import[:]
    assert problems(proto) == ["got a model that names no opset but should be a complete ONNX model [model.onnx]"]
    proto = small()
    proto.opset_import.append(helper.make_opsetid("ai.onnx", 18))
    assert problems(proto) == ["got two opsets for the domain '' but should have one [model.onnx]"]
    proto = small()
    proto.training_info.append(onnx.TrainingInfoProto())
    assert problems(proto) == ["got a model with training information but should be an inference model [model.onnx]"]
    empty = onnx.ModelProto(ir_version=8, opset_import=[helper.make_opsetid("", 17)])
    assert problems(empty) == ["got a file without a graph but should be a complete ONNX model [model.onnx]"]
    foreign = model(x_to_y([node("Quant", "x s z b", domain="onnx.brevitas")], (3,)))
    assert problems(foreign) == [
        "got the operator Quant of the domain 'onnx.brevitas', which the model does not import, but should be an operator that this "
        "counter can price [onnx.brevitas.Quant in the_Quant] (name the domain and its version in opset_import)"
    ]


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        (
            (8, 3),
            "got a fixed batch of 8 but should be 1 or free (dynamic) [input 'x'] (export with a free batch, or with one example)",
        ),
        (
            (FREE, "width"),
            "got a free axis 1 (width) but should have a fixed size [input 'x'] (export with fixed sizes; only the batch may be free)",
        ),
        (
            (FREE, None),
            "got a free axis 1 (unnamed) but should have a fixed size [input 'x'] (export with fixed sizes; only the batch may be free)",
        ),
        ((FREE, 0), "got size 0 on axis 1 but should be at least 1 [input 'x']"),
        ((FREE, -4), "got size -4 on axis 1 but should be at least 1 [input 'x']"),
        ((), "got an input without a batch axis but should have a shape whose first axis is the batch [input 'x']"),
        (None, "got an input without a batch axis but should have a shape whose first axis is the batch [input 'x']"),
    ],
)
def test_inputs(shape: Any, sentence: str) -> None:
    assert problems(model(graph([node("Relu", "x")], [info("x", shape)], [unknown("y")]))) == [sentence]


def test_sequences_and_models_without_inputs_or_outputs() -> None:
    sequence = helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, None)
    assert problems(model(graph([node("Relu", "x")], [sequence], [unknown("y")]))) == [
        "got an input that is not a tensor but should be a tensor [input 'x']"
    ]
    assert problems(model(graph([node("Relu", "w")], [], [unknown("y")], {"w": random(3)}))) == [
        "got a model without inputs but should have one [model.onnx]"
    ]
    assert problems(model(graph([node("Relu", "x")], [info("x", (FREE, 3))], []))) == [
        "got a model without outputs but should have one [model.onnx]"
    ]


def test_constants_that_are_listed_as_inputs_are_constants() -> None:
    body = graph([node("Add", "x w")], [info("x", (FREE, 3)), info("w", (3,))], [unknown("y")], {"w": random(3)})
    found = translate(saved(model(body, ir=3)))
    assert len(found.graph.inputs) == 1
    assert set(found.constants()) == {"w"}


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        (node("Relu", "x x"), "got 2 operands of Relu but should have 1 [Relu in the_Relu]"),
        (node("Relu", "x", slope=1.0), "got an attribute 'slope' of Relu but should be one of opset 17's [Relu in the_Relu]"),
        (node("Concat", "x x"), "got Concat without its attribute 'axis' but should have one [Concat in the_Concat]"),
        (node("Concat", "x x", axis=9), "got axis 9 of a tensor of 2 axes but should lie between -2 and 1 [Concat in the_Concat]"),
        (
            node("Concat", "x x", axis=1.5),
            "got the attribute 'axis' of Concat of type float but should be of type int [Concat in the_Concat]",
        ),
        (
            node("Transpose", "x", perm=[0, 0]),
            "got the axis order (0, 0) for shape (1, 3) but should name each axis once [Transpose in the_Transpose]",
        ),
    ],
)
def test_nodes_that_depart_from_their_specification(item: onnx.NodeProto, sentence: str) -> None:
    assert problems(model(x_to_y([item], (3,)))) == [sentence]


def test_an_attribute_given_twice_is_refused() -> None:
    item = node("Elu", "x", alpha=1.0)
    item.attribute.append(helper.make_attribute("alpha", 5.0))
    assert problems(model(x_to_y([item], (3,)))) == ["got the attribute 'alpha' of Elu twice but should be given once [Elu in the_Elu]"]


def test_names_that_are_no_text_are_refused() -> None:
    raw = small().SerializeToString().replace(b"the_Relu", b"the_R\xff\xfeu").replace(b"\x01r", b"\x01\xff")
    path = saved(small())
    path.write_bytes(raw)
    assert all(" but should " in line for line in problems(path))


@pytest.mark.parametrize(("levels", "padding"), [(30, 2000), (34, 0)])
def test_graphs_nested_without_end_are_refused(levels: int, padding: int) -> None:
    body = encoded(2, b"g" * (padding + 1))  # the graph's name
    for _ in range(levels):
        attribute = encoded(1, b"then_branch") + encoded(6, body) + b"\xa0\x01\x05"
        body = encoded(1, encoded(4, b"If") + encoded(5, attribute))
    path = saved(small())
    path.write_bytes(encoded(7, body) + small().SerializeToString())
    expected = {
        2000: "got graphs nested more than 60 messages deep but should be nested less [model.onnx]",
        0: "got bytes that are not an ONNX model but should be a complete ONNX model [model.onnx]",
    }
    assert problems(path) == [expected[padding]]


def test_weights_behind_a_zero_size_are_not_used_up() -> None:
    found = compare([node("Concat", "x e", axis=1)], {"x": random(1, 3)}, {"e": np.zeros((1, 0), np.float32)})
    assert found.shapes() == [(1, 3)]
    assert ints().size == 0
