"""B11: operators of ONNX that have a function body, and that body written out, have one price: the pairs of ONNX's own test suite.

Attention is left out: its masks and caches have pairs of their own (``test_onnx_masks``).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import onnx

from micronet_verify.errors import SubmissionFault
from tests.spelling.counted import onnx_count, prices

# Pairs that still differ: what is written out costs more. A mended one leaves the list.
OPEN = {
    "GreaterOrEqual": "two comparisons and their disjunction",
    "LessOrEqual": "two comparisons and their disjunction",
    "GroupNormalization": "the norm written out by reshapes",
    "LayerNormalization": "the norm over rows that are reshaped to two axes",
    "RMSNormalization": "the norm written out",
    "MeanVarianceNormalization": "E[x²] − E[x]² in place of the mean of squares of differences",
    "Selu": "gamma·(x < 0 ? alpha·e^x − alpha : x), whose alpha is not factored out",
    "ThresholdedRelu": "x > alpha ? x : 0, a comparison and a choice where the operator has one",
    "PRelu": "a slope that is no constant in the body's comparison",
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
    for value in list(found.graph.input)[1:]:
        kind = value.type.tensor_type
        array = np.random.default_rng(1).uniform(0.1, 0.9, [size.dim_value for size in kind.shape.dim])
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
    assert {"Clip", "Elu", "HardSigmoid", "LeakyRelu", "Relu", "Softplus", "Softsign"} <= same
