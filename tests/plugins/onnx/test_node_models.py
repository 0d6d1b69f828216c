"""ONNX's own node models: what the plugin translates, run as the neutral graph, gives onnxruntime's answers.

The cases come with the onnx package (``onnx.backend.test.case.node``), some 1,800 small models with their inputs. Each is tried as
it is, and with every input but the first as a constant: axes, sizes and scales must be constants to be counted.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from micronet_verify_onnx import checks, translate
from numpy.typing import NDArray
from onnx import numpy_helper

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.interpreter.run import Missing
from tests.difference import CLOSE, difference
from tests.translated import translated

Array = NDArray[Any]
Case = tuple[str, onnx.ModelProto, dict[str, Array]]

# Beginnings of names, and why these models may differ.
DIFFERENT: Mapping[str, str] = {
    "test_attention_4d_with_past_and_present_qk_matmul_bias_3d_mask_causal": "onnxruntime hands out the least float for −∞",
    "test_attention_4d_with_past_and_present_qk_matmul_bias_4d_mask_causal": "onnxruntime hands out the least float for −∞",
    "test_attention_causal_boolmask_nan_robustness": "a query that may look at no key: 0 / 0 here, 0 there",
    "test_attention_23_boolmask_fullymasked_row_nan_robustness": "a query that may look at no key",
    "test_attention_23_fullymasked_qk_matmul_output_mode3_zero": "a query that may look at no key",
    "test_attention_24_fullymasked_qk_matmul_output_mode3_zero": "a query that may look at no key",
    "test_attention_24_qk_matmul_output_mode3_softmax_precision": "a query that may look at no key",
    "test_attention_local_window_gqa_rank4_mask": "a query that may look at no key",
    "test_onehot_negative_indices": "class numbers below 0 as the model's own input: tokens count from 0",
    "test_onehot_out_of_range_indices": "class numbers below 0 as the model's own input: tokens count from 0",
}
# Translated less often than this, the sweep has lost its cases.
LEAST = 1900


def _cases() -> list[onnx.backend.test.case.test_case.TestCase]:
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        return list(collect_testcases(None))  # type: ignore[arg-type]


def _variants(case: Any) -> Iterator[Case]:
    """The model as it is, and with all inputs but the first as constants; newer opsets are read as the newest that can be."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    names = [info.name for info in model.graph.input]
    if not names or any(entry.domain not in ("", "ai.onnx") for entry in model.opset_import):
        return
    for entry in model.opset_import:
        entry.version = min(entry.version, checks.NEWEST_OPSET)
    model.ir_version = min(model.ir_version, checks.NEWEST_IR)
    inputs = case.data_sets[0][0]
    if any(not isinstance(array, np.ndarray | np.generic) for array in inputs):
        return
    given = {name: np.asarray(array) for name, array in zip(names, inputs, strict=False)}
    yield f"{case.name}", model, given
    if len(names) > 1:
        fixed = onnx.ModelProto()
        fixed.CopyFrom(model)
        fixed.graph.initializer.extend(numpy_helper.from_array(given[name], name) for name in names[1:] if name in given)
        del fixed.graph.input[1:]
        yield f"{case.name}, constants", fixed, {names[0]: given[names[0]]}


def _any_shape(info: onnx.ValueInfoProto, *_: object) -> tuple[int, ...]:
    """The models have batches of any size; a count has one example, and says so elsewhere."""
    if not info.type.HasField("tensor_type"):
        raise SubmissionFault(Problem("an input that is not a tensor", "be a tensor", info.name))
    return tuple(dim.dim_value for dim in info.type.tensor_type.shape.dim)


def _answers(model: onnx.ModelProto, inputs: Mapping[str, Array]) -> list[Array] | None:
    """onnxruntime's, ``None`` where it lacks the operator or the type."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return list(session.run(None, dict(inputs)))
    except Exception:  # onnxruntime's exceptions share no base class
        return None


def _apart(model: onnx.ModelProto, inputs: Mapping[str, Array], folder: Path) -> str | None:
    """How the graph's answers differ from onnxruntime's; ``""``: not at all, ``None``: one of the two does not run."""
    answers = _answers(model, inputs)
    if answers is None:
        return None
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    try:
        found = translated("onnx", path, folder)
        single, double = found.twice(*inputs.values())
    except SubmissionFault:
        return None
    except Missing as missing:
        return f"the interpreter does not have {missing}"
    for theirs, mine, exact in zip(answers, single, double, strict=True):
        if not isinstance(theirs, np.ndarray) or theirs.shape != mine.shape:
            return f"{theirs!r:.60} and shape {mine.shape}"
        if mine.dtype.name.startswith("float8"):
            theirs = theirs.view(mine.dtype)
        # Codes at a tie may be those of either precision.
        same = theirs.dtype.kind in "iub" and np.array_equal(theirs, mine)
        ratio = 0.0 if same else difference(theirs[None], [mine], [exact], nan=True).ratio
        if ratio > _allowed(theirs):
            return f"{ratio:.3g} times what rounding explains"
    return ""


def _allowed(answer: Array) -> float:
    # A sum of thousands of values is rounded in another order.
    return CLOSE if answer.size > 1 else 4 * CLOSE


@pytest.mark.filterwarnings("ignore")
def test_every_node_model_that_is_translated_gives_onnxruntimes_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translate, "input_shape", _any_shape)
    monkeypatch.setattr(translate, "state_shape", _any_shape)
    agree, differ, excused = 0, {}, set()
    for case in _cases():
        for name, model, inputs in _variants(case):
            with tempfile.TemporaryDirectory() as folder:
                apart = _apart(model, inputs, Path(folder))
            if apart:
                known = name.partition(",")[0] in DIFFERENT
                excused.update([name.partition(",")[0]] if known else [])
                differ.update({} if known else {name: apart})
            agree += apart == ""
    assert differ == {}
    assert excused == set(DIFFERENT), "a reason that no model needs any more"
    assert agree >= LEAST
