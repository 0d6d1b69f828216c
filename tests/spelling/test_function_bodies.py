"""B11: operators of ONNX that have a function body, and that body written out, have one price: the pairs of ONNX's own test suite.

Attention is left out: its masks and caches have pairs of their own (``test_onnx_masks``).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import onnx
import pytest
import torch

from micronet_verify.errors import SubmissionFault
from tests.spelling.counted import Plain, onnx_count, prices, pytorch

# Pairs that still differ: what is written out costs more. A mended one leaves the list.
OPEN = {
    "LayerNormalization": "hands out 1/√v beside the quotient by √v: two functions of each row, the operator has one",
    "Softmax": "along the batch, which no model may do",
    "LogSoftmax": "along the batch, which no model may do",
}


def pairs() -> Iterator[tuple[str, onnx.ModelProto, onnx.ModelProto]]:
    """(operator, the model with it, the model with its body), at most four of each operator; only the first input varies."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = {case.name: case.model for case in collect_testcases(None)}
    seen: dict[str, int] = {}
    for name in sorted(cases):
        model = cases[name]
        body = cases.get(f"{name}_expanded", cases.get(f"{name}_expanded_ver18"))
        operator = model.graph.node[0].op_type
        if body is None or operator == "Attention" or len(model.graph.input[0].type.tensor_type.shape.dim) < 2:
            continue
        seen[operator] = seen.get(operator, 0) + 1
        if seen[operator] <= 4:
            yield operator, of_free_batch(model), of_free_batch(body)


def of_free_batch(model: onnx.ModelProto) -> onnx.ModelProto:
    found = onnx.ModelProto.FromString(model.SerializeToString())
    found.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    axes = len(found.graph.input[0].type.tensor_type.shape.dim)
    for value in list(found.graph.input)[1:]:
        kind = value.type.tensor_type
        shape = [size.dim_value for size in kind.shape.dim]
        # A constant with the input's axes has one row for the whole batch.
        array = np.random.default_rng(1).uniform(0.1, 0.9, [1, *shape[1:]] if len(shape) == axes else shape)
        found.graph.initializer.append(
            onnx.numpy_helper.from_array(array.astype(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)), value.name)
        )
        found.graph.input.remove(value)
    for value in found.graph.output:
        value.type.tensor_type.ClearField("shape")
    return found


def test_B11_an_operator_costs_what_its_function_body_costs() -> None:
    same, differ = set[str](), set[str]()
    for operator, model, body in pairs():
        try:
            found = prices(onnx_count(model)), prices(onnx_count(body))
        except SubmissionFault:
            continue  # no price of a single example: opsets to come, shapes that depend on the batch
        (same if found[0] == found[1] else differ).add(operator)
    assert differ <= set(OPEN)
    assert {"Clip", "Elu", "HardSigmoid", "LeakyRelu", "PRelu", "Relu", "Softplus", "Softsign"} <= same


ALPHA, GAMMA, SIZE = 1.6732632, 1.0507009, 24
# gamma·(x > 0 ? x : alpha·(e^x − 1)): two products, a power, a comparison and a difference of each element; two numbers.
SELU = Plain(4 * SIZE, SIZE, scalars=(32, 32))


@pytest.mark.parametrize(
    "spelled",
    [
        torch.nn.functional.selu,
        lambda x: GAMMA * torch.where(x > 0, x, ALPHA * torch.exp(x) - ALPHA),
        lambda x: GAMMA * torch.where(x > 0, x, torch.exp(x) * ALPHA + (-ALPHA)),
        lambda x: torch.where(x < 0, GAMMA * (ALPHA * torch.exp(x) - ALPHA), GAMMA * x),
        lambda x: torch.where(x >= 0, x * GAMMA, ALPHA * torch.expm1(x) * GAMMA),
    ],
)
def test_B11_a_selu_written_out(spelled: Callable[[torch.Tensor], torch.Tensor]) -> None:
    assert prices(pytorch(spelled, (SIZE,))) == SELU.prices


@pytest.mark.parametrize("other", [1.5, ALPHA])
def test_B11_another_factor_on_either_side_is_no_selu(other: float) -> None:
    """x > 0 ? gamma·x : other·(alpha·e^x − alpha): nothing to share, three products, a power, a comparison, a choice, a difference."""
    found = pytorch(lambda x: torch.where(x > 0, GAMMA * x, other * (ALPHA * torch.exp(x) - ALPHA)), (SIZE,))
    assert found.ledgers["quantized"].operations == 6 * SIZE + SIZE


def test_B11_a_threshold_is_the_strict_comparison_only() -> None:
    """x > 0.25 ? x : 0.5 is one function; x ≥ 0.25 and the choice turned round give others at 0.25, and of a NaN: two functions."""
    assert prices(pytorch(lambda x: torch.where(x > 0.25, x, 0.5), (SIZE,))) == Plain(SIZE, 0, scalars=(8, 8)).prices
    for other in (lambda x: torch.where(x >= 0.25, x, 0.5), lambda x: torch.where(x <= 0.25, 0.5, x)):
        assert prices(pytorch(other, (SIZE,))) == Plain(2 * SIZE, 0, scalars=(8, 8)).prices


def test_B11_a_disjunction_of_comparisons_of_other_operands_stays() -> None:
    x_or_half = pytorch(lambda x: torch.where((x > 0.25) | (x == 0.5), x * 3, x), (SIZE,))
    assert x_or_half.ledgers["quantized"].operations == 4 * SIZE + Fraction(SIZE, 32)
    both = pytorch(lambda x: torch.where((x > 0.25) | (x == 0.25), x * 3, x), (SIZE,))
    assert prices(both) == prices(pytorch(lambda x: torch.where(x >= 0.25, x * 3, x), (SIZE,)))
