"""Type promotion agrees with torch for every pair of number types, tensors with and without axes, and Python numbers."""

from __future__ import annotations

import itertools

import pytest
import torch
from micronet_verify_pytorch.formats import SCALAR_TYPES, container, integer_format, promote

from micronet_verify.facts.formats import numeric_format
from micronet_verify.facts.graph import Value

NAMES = "bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64".split()


def test_scalar_types_are_those_of_torchs_schema() -> None:
    from torch._export.serde.schema import ScalarType
    from torch._export.serde.serialize import _SERIALIZE_TO_TORCH_DTYPE

    real = {int(number): dtype for number, dtype in _SERIALIZE_TO_TORCH_DTYPE.items() if not dtype.is_complex}
    assert {number: getattr(torch, fmt.name) for number, fmt in SCALAR_TYPES.items()} == real
    assert set(SCALAR_TYPES) < {int(kind) for kind in ScalarType}


@pytest.mark.parametrize(("a", "b"), list(itertools.product(NAMES, NAMES)))
def test_promotion_of_tensors_is_torchs(a: str, b: str) -> None:
    for shape_a, shape_b in itertools.product([(), (2,)], [(), (2,)]):
        wanted = torch.result_type(torch.ones(shape_a, dtype=getattr(torch, a)), torch.ones(shape_b, dtype=getattr(torch, b)))
        got = promote([Value("a", shape_a, numeric_format(a)), Value("b", shape_b, numeric_format(b))])
        assert got.name == str(wanted).removeprefix("torch.")


@pytest.mark.parametrize("number", [True, 3, 2.5])
@pytest.mark.parametrize("name", NAMES)
def test_promotion_with_a_number_is_torchs(name: str, number: float) -> None:
    for shape in [(), (2,)]:
        wanted = torch.result_type(torch.ones(shape, dtype=getattr(torch, name)), number)
        assert promote([Value("a", shape, numeric_format(name)), number]).name == str(wanted).removeprefix("torch.")


@pytest.mark.parametrize(
    ("low", "high", "name"),
    [
        (-8, 7, "int4"),
        (-7, 7, "int4"),
        (-128, 127, "int8"),
        (0, 255, "uint8"),
        (0, 15, "uint4"),
        (0, 1, "uint1"),
        (-1, 1, "int2"),
        (-2, 3, "int3"),
    ],
)
def test_the_narrowest_integer_of_a_range(low: int, high: int, name: str) -> None:
    assert integer_format(low, high).name == name


def test_narrow_integers_lie_in_the_next_wider_type() -> None:
    assert container(numeric_format("int4")).name == "int8"
    assert container(numeric_format("uint9")).name == "uint16"
    assert container(numeric_format("float16")).name == "float16"
