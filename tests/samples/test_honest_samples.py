"""The committed honest entries are what the samples' README says they are."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest
import torch
import yaml
from onnx import TensorProto, numpy_helper
from safetensors.numpy import load_file

from sample_submissions.networks import Baseline
from sample_submissions.recipes import export_onnx
from sample_submissions.recipes.answers import model_bytes
from sample_submissions.recipes.digits import THRESHOLD, correct, smallest_gap
from sample_submissions.recipes.honest import DIGITS, HONEST, dense_network
from tests.samples.conftest import SAMPLES, documented_honest, grouped

INT8 = 9  # of the schema's TensorType
WHOLE_STEPS = {"int8-tflite": 4}  # answers with so many images within one step of a tie


def test_readme_lists_every_honest_entry() -> None:
    assert documented_honest().keys() == HONEST.keys() == {entry.name for entry in DIGITS.iterdir()}


@pytest.mark.parametrize("name", grouped(HONEST))
def test_honest_entry_is_as_good_as_documented(name, answers_of, labels) -> None:
    right, size = documented_honest()[name]
    outputs = answers_of(f"digits/{name}")
    assert outputs.shape == (500, 10)
    assert correct(outputs, labels) == right
    assert right >= THRESHOLD
    if name in WHOLE_STEPS:
        assert right - close_to_a_tie(outputs) == right - WHOLE_STEPS[name] >= THRESHOLD
    else:
        assert smallest_gap(outputs) > 1e-3, "another machine's rounding could change an answer"
    assert model_bytes(DIGITS / name) == size


def close_to_a_tie(outputs: np.ndarray) -> int:
    """How many rows of answers in whole steps have their two largest at most one step apart."""
    levels = np.unique(outputs)
    steps = np.rint(np.sort(outputs, axis=1) / np.diff(levels).min())
    return int((steps[:, -1] - steps[:, -2] <= 1).sum())


def test_baseline_by_hand() -> None:
    """9,930 values with batch norms folded, and the shapes behind the README's 623,104 operations."""
    net = Baseline().eval()
    weights = sum(p.numel() for name, p in net.named_parameters() if ".norm." not in name)
    biases_for_norms = net.stem.norm.num_features + net.body.norm.num_features
    assert weights + biases_for_norms == (1 * 9 * 16 + 16) + (16 * 9 * 32 + 32) + (32 * 4 * 4 * 10 + 10) == 9930
    images = torch.zeros(1, 1, 8, 8)
    stem = net.stem(images)
    body = net.body(stem)
    assert (stem.shape, body.shape, net.pool(body).shape) == ((1, 16, 8, 8), (1, 32, 8, 8), (1, 32, 4, 4))
    multiplies = 16 * 64 * 9 + 16 * 64 + 32 * 64 * 16 * 9 + 32 * 64 + 32 * 16 * 3 + 10 * 512
    adds = 16 * 64 * (8 + 1) + 32 * 64 * (16 * 9 - 1 + 1) + 10 * (511 + 1)
    assert (multiplies, adds, multiplies + adds) == (313_856, 309_248, 623_104)
    assert "**623,104 operations**" in (SAMPLES / "README.md").read_text()


def test_dense_onnx_carries_the_weights_of_dense_pytorch_bit_for_bit(answers_of) -> None:
    carried = initializers("dense-onnx")
    net = dense_network()
    for name, tensor in net.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            np.testing.assert_array_equal(carried.pop(name), tensor.numpy(), strict=True)
    assert not carried
    np.testing.assert_allclose(answers_of("digits/dense-onnx"), answers_of("digits/dense-pytorch"), atol=1e-4)


def test_pruned_source_has_zeros_and_no_mask() -> None:
    weights = load_file(DIGITS / "pruned-source-pytorch" / "model.safetensors")
    for name in ("body.conv.weight", "head.weight"):
        zeros = weights[name].size - np.count_nonzero(weights[name])
        assert zeros >= int(0.85 * weights[name].size)
    assert weights.keys() == Baseline().state_dict().keys()


def test_pruned_pt2_is_narrow_and_not_sparse() -> None:
    weights = torch.export.load(DIGITS / "pruned-pt2" / "model.pt2").state_dict
    shapes = {
        name: tuple(weights[f"{name}.conv.weight"].shape) for name in ("stem", "depthwise1", "pointwise1", "depthwise2", "pointwise2")
    }
    assert shapes == {
        "stem": (12, 1, 3, 3),
        "depthwise1": (12, 1, 3, 3),
        "pointwise1": (20, 12, 1, 1),
        "depthwise2": (20, 1, 3, 3),
        "pointwise2": (32, 20, 1, 1),
    }
    assert all(torch.count_nonzero(tensor) == tensor.numel() for name, tensor in weights.items() if name.endswith("conv.weight"))


def test_pruned_onnx_has_zeros_without_a_sign() -> None:
    weights = initializers("pruned-onnx")
    for name, share in (("stem.weight", 0.3), ("body.weight", 0.6), ("head.weight", 0.6)):
        zero = weights[name] == 0
        assert zero.sum() >= int(share * zero.size)
        assert not np.signbit(weights[name][zero]).any()


@pytest.mark.parametrize(("name", "kind", "limit"), [("int8-qdq-onnx", TensorProto.INT8, 127), ("int4-weights-onnx", TensorProto.INT4, 7)])
def test_quantized_weights_are_integers_with_one_scale_per_output_channel(name, kind, limit) -> None:
    weights = initializers(name)
    types = {tensor.name: tensor.data_type for tensor in onnx.load(DIGITS / name / "model.onnx").graph.initializer}
    for layer, shape in (("stem", (16, 1, 3, 3)), ("body", (32, 16, 3, 3)), ("head", (10, 512))):
        steps = weights[f"{layer}.weight_q"].astype(np.int32)
        assert types[f"{layer}.weight_q"] == kind
        assert steps.shape == shape
        assert np.abs(steps).max(axis=tuple(range(1, steps.ndim))).tolist() == [limit] * shape[0]
        assert weights[f"{layer}.weight_scale"].shape == (shape[0],)
        assert types[f"{layer}.bias_q"] == TensorProto.INT32
    activations = [weights[f"{tensor}.scale"] for tensor in ("images", "stem", "body")]
    assert [scale.shape for scale in activations] == [(), (), ()]
    assert activations[0] == 1 / 16


def test_int8_answers_are_not_the_float_ones(answers_of) -> None:
    """The quantization is real: logits move, by little."""
    moved = np.abs(answers_of("digits/int8-qdq-onnx") - answers_of("digits/dense-onnx")).max()
    assert 1e-3 < moved < 0.5


def test_binary_weights_are_plus_minus_one_constant_per_output_channel() -> None:
    weights = torch.export.load(DIGITS / "binary-weights-pytorch" / "model.pt2").state_dict
    for name in ("body.conv.weight", "head.weight"):
        for channel in weights[name]:
            assert channel.abs().unique().numel() == 1
            assert channel.unique().numel() == 2


def test_binary_weights_stay_binary_when_batch_norm_is_folded() -> None:
    net = Baseline()
    net.load_state_dict(torch.export.load(DIGITS / "binary-weights-pytorch" / "model.pt2").state_dict)
    folded = export_onnx.folded("body", net.body).weight
    assert all(np.unique(np.abs(channel)).size == 1 for channel in folded)


def test_shared_weights_are_fifteen_values_and_zero() -> None:
    """The variables are read as the plugin's reader finds them: TensorFlow need not be there."""
    bundle = pytest.importorskip("micronet_verify_tensorflow.bundle")
    stored = bundle.Bundle(DIGITS / "deep-compression-savedmodel", "variables/variables")
    pruned = initializers("pruned-onnx")
    for layer, shape in (("stem", (3, 3, 1, 12)), ("body", (3, 3, 12, 20)), ("head", (10, 80))):
        weight = stored.tensor(f"parts/{layer}_weight/.ATTRIBUTES/VARIABLE_VALUE").load()
        assert weight.shape == shape
        assert np.count_nonzero(weight) == np.count_nonzero(pruned[f"{layer}.weight"])
        assert np.unique(weight[weight != 0]).size <= 15


def test_int8_tflite_holds_integers_with_one_scale_per_output_channel() -> None:
    model = pytest.importorskip("micronet_verify_tflite.model")
    main = model.Model(DIGITS / "int8-tflite" / "model.tflite").subgraph(0)
    kinds = [operator.kind for operator in main.operators]
    layers = [operator for operator in main.operators if operator.kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")]
    assert not {"QUANTIZE", "DEQUANTIZE"} & set(kinds)
    assert [main.tensors[layer.inputs[1]].shape for layer in layers] == [
        (12, 3, 3, 1),
        (1, 3, 3, 12),
        (20, 1, 1, 12),
        (1, 3, 3, 20),
        (32, 1, 1, 20),
        (10, 128),
    ]
    for layer, channels in zip(layers, (12, 12, 20, 20, 32, 10), strict=True):
        weight = main.tensors[layer.inputs[1]]
        assert weight.type == INT8
        assert weight.quantization.scale.shape == (channels,)
    assert {main.tensors[index].type for index in (*main.inputs, *main.outputs)} == {INT8}


def test_int8_tflite_is_pruned_pt2_moved_by_little(answers_of) -> None:
    pytest.importorskip("ai_edge_litert")
    moved = np.abs(answers_of("digits/int8-tflite") - answers_of("digits/pruned-pt2")).max()
    assert 1e-3 < moved < 1


def test_nobody_has_more_than_three_entries() -> None:
    people = Counter(
        member["id"] for file in DIGITS.glob("*/submission.yaml") for member in yaml.safe_load(file.read_text(encoding="utf-8"))["members"]
    )
    assert max(people.values()) == 3


def test_samples_are_small_and_name_no_machine() -> None:
    files = [file for file in SAMPLES.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    assert sum(file.stat().st_size for file in files if not file.is_symlink()) < 2_000_000
    for file in files:
        assert not any(text in file.read_bytes() for text in (b"site-packages", b"/home/", b"/root/")), file


def initializers(name: str) -> dict[str, np.ndarray]:
    """Every initializer of an ONNX entry as an array; external data is read."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(DIGITS / name / "model.onnx").graph.initializer}
