"""Conv, ConvTranspose, Gemm, MatMul, Einsum: one graph whatever the spelling, the shapes that onnxruntime computes."""

from __future__ import annotations

import pytest

from tests.plugins.onnx.support import compare, graph, info, model, node, problems, random

X = random(1, 4, 9, 7)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"strides": [2, 3], "pads": [0, 1, 2, 1]},
        {"dilations": [2, 1], "group": 2},
        {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
        {"auto_pad": "SAME_LOWER", "strides": [2, 1]},
        {"auto_pad": "VALID", "kernel_shape": [3, 2]},
    ],
)
def test_a_convolution_is_one_node(attributes: dict[str, object]) -> None:
    channels = 4 // int(attributes.get("group", 1))
    found = compare([node("Conv", "x w b", **attributes)], {"x": X}, {"w": random(6, channels, 3, 2), "b": random(6)})
    assert found.kinds == ["conv"]


@pytest.mark.parametrize(("auto_pad", "padding"), [("SAME_UPPER", (0, 0, 1, 1)), ("SAME_LOWER", (1, 1, 0, 0))], ids=["upper", "lower"])
def test_an_odd_rest_of_same_padding_goes_to_its_side(auto_pad: str, padding: tuple[int, ...]) -> None:
    found = compare([node("Conv", "x w", auto_pad=auto_pad)], {"x": X}, {"w": random(6, 4, 2, 2)})
    assert found.nodes[0].attributes["padding"] == padding


def test_convolutions_of_one_and_three_axes() -> None:
    compare([node("Conv", "x w", pads=[1, 1])], {"x": random(1, 3, 8)}, {"w": random(5, 3, 3)})
    compare([node("Conv", "x w")], {"x": random(1, 2, 4, 5, 6)}, {"w": random(3, 2, 2, 2, 2)})


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]},
        {"strides": [2, 2], "output_shape": [18, 14]},
        {"strides": [3, 2], "auto_pad": "SAME_UPPER"},
        {"strides": [3, 2], "auto_pad": "SAME_LOWER"},
        {"dilations": [2, 1], "group": 2},
    ],
)
def test_a_transposed_convolution(attributes: dict[str, object]) -> None:
    group = int(attributes.get("group", 1))
    found = compare([node("ConvTranspose", "x w b", **attributes)], {"x": X}, {"w": random(4, 6 // group, 3, 3), "b": random(6)})
    assert found.kinds == ["conv"]
    assert found.nodes[0].attributes["transposed"] is True


def test_a_kernel_shape_that_contradicts_the_weight_is_refused() -> None:
    proto = model(graph([node("Conv", "x w", kernel_shape=[5, 5])], [info("x", X.shape)], [info("y", None)], {"w": random(6, 4, 3, 2)}))
    assert problems(proto) == ["got kernel_shape (5, 5) with a weight of shape (6, 4, 3, 2) but should agree [Conv in the_Conv]"]


@pytest.mark.parametrize("trans_a", [0, 1])
@pytest.mark.parametrize("trans_b", [0, 1])
@pytest.mark.parametrize("bias", [(5,), (1, 5), ()])
def test_gemm_is_one_matmul(trans_a: int, trans_b: int, bias: tuple[int, ...]) -> None:
    weight = random(5, 4) if trans_b else random(4, 5)
    x, nodes = random(1, 4), [node("Gemm", "x w b", transB=trans_b)]
    if trans_a:
        nodes = [node("Transpose", "x", "t"), node("Gemm", "t w b", transA=1, transB=trans_b)]
    found = compare(nodes, {"x": x}, {"w": weight, "b": random(*bias)})
    assert found.work == ["matmul"]


def test_gemm_factors_are_multiplies_of_what_they_scale() -> None:
    constants = {"w": random(4, 5), "b": random(5)}
    assert compare([node("Gemm", "x w b", alpha=0.5)], {"x": random(1, 4)}, constants).work == [
        "matmul",
        "elementwise:mul",
        "elementwise:add",
    ]
    assert compare([node("Gemm", "x w b", beta=0.0)], {"x": random(1, 4)}, constants).work == ["matmul"]
    both = compare([node("Gemm", "x w b", alpha=2.0, beta=3.0)], {"x": random(1, 4)}, constants)
    assert both.work == ["matmul", "elementwise:mul", "elementwise:mul", "elementwise:add"]


@pytest.mark.parametrize("right", [(4, 5), (2, 4, 5), (3, 1, 4, 5), (4,)])
def test_matmul_broadcasts_like_numpy(right: tuple[int, ...]) -> None:
    assert compare([node("MatMul", "x w")], {"x": random(1, 2, 3, 4)}, {"w": random(*right)}).kinds == ["matmul"]


@pytest.mark.parametrize(
    ("equation", "shapes", "work"),
    [
        ("bij,jk->bik", [(1, 3, 4), (4, 5)], ["matmul"]),
        ("bij,jk", [(1, 3, 4), (4, 5)], ["matmul"]),
        ("...ij,...jk->...ik", [(1, 2, 3, 4), (1, 2, 4, 5)], ["matmul"]),
        ("bhqd,bhkd->bhqk", [(1, 2, 3, 4), (1, 2, 5, 4)], ["matmul"]),
        ("bij,jk,kl->bil", [(1, 3, 4), (4, 5), (5, 6)], ["matmul", "matmul"]),
        ("bij,bij->b", [(1, 3, 4), (1, 3, 4)], ["matmul"]),
        ("bij,kl->bi", [(1, 3, 4), (5, 6)], ["reduce:sum", "reduce:sum", "matmul"]),
        ("bij->bji", [(1, 3, 4)], []),
        ("bij->b", [(1, 3, 4)], ["reduce:sum"]),
    ],
)
def test_einsum(equation: str, shapes: list[tuple[int, ...]], work: list[str]) -> None:
    names = ["x", "w", "v"][: len(shapes)]
    constants = {name: random(*shape, seed=7) for name, shape in zip(names[1:], shapes[1:], strict=True)}
    found = compare([node("Einsum", " ".join(names), equation=equation)], {"x": random(*shapes[0])}, constants)
    assert found.work == work


def test_a_diagonal_of_einsum_is_refused() -> None:
    proto = model(graph([node("Einsum", "x", equation="bii->b")], [info("x", (1, 3, 3))], [info("y", None)]))
    assert problems(proto) == [
        "got the term 'bii' for a tensor of shape (1, 3, 3) but should name each axis once [Einsum in the_Einsum] "
        "(diagonals cannot be counted)"
    ]
