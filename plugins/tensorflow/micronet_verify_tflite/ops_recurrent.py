"""UNIDIRECTIONAL_SEQUENCE_LSTM and _RNN, lowered by ``framework/translation/recurrent`` like every plugin's.

Each gate has weights of its own. The state tensors are variables of the interpreter; the predictor sets them to zero before
every example, so a layer starts from zeros.
"""

from __future__ import annotations

from dataclasses import dataclass

from micronet_verify.plugin import Function, Operand, Value, numeric_format, recurrent
from micronet_verify_tflite.op import Op
from micronet_verify_tflite.ops_quantize import INT8, bias_of, dynamic_rows, is_hybrid
from micronet_verify_tflite.schema import ACTIVATIONS

# Places of the operands, in the order of the gates i, f, g, o.
_INPUT, _RECURRENT, _PEEPHOLE, _BIAS = (1, 2, 3, 4), (5, 6, 7, 8), (9, 10, 11), (12, 13, 14, 15)
_PROJECTION, _PROJECTION_BIAS, _STATES, _NORMS = 16, 17, (18, 19), (20, 21, 22, 23)
INT16 = numeric_format("int16")


def lstm(op: Op) -> Value:
    """One layer; x [N, T, I], or [T, N, I] where ``time_major``."""
    if any(op.has(index) for index in _NORMS):
        op.refuse("an LSTM with layer norm inside", "be without", "write the cell out")
    if not op.has(_INPUT[0]) or not op.has(_RECURRENT[0]):
        op.refuse("an LSTM whose input and forget gates are coupled", "have four gates")
    if op.has(_PROJECTION_BIAS):
        op.refuse("an LSTM with a projection bias", "be without one")
    if op.number_option("cell_clip") or op.number_option("proj_clip"):
        op.refuse("an LSTM that clips its state", "have cell_clip=0 and proj_clip=0")
    if op.option("diagonal_recurrent_tensors"):
        op.refuse("an LSTM with diagonal recurrent weights", "have matrices")
    peepholes = [op.maybe(index) for index in _PEEPHOLE]
    cell = _integer_cell(op) if op.operand(0).scaling is not None else _float_cell(op)
    y, _, _ = recurrent.lstm(
        op.builder,
        _time_major(op),
        tuple(op.real(index) for index in _INPUT),
        tuple(op.real(index) for index in _RECURRENT),
        tuple(_bias(op, bias, weight) for bias, weight in zip(_BIAS, _INPUT, strict=True)) if op.has(_BIAS[1]) else None,
        h0=cell.h0,
        c0=cell.c0,
        peepholes=None if None in peepholes else (peepholes[0], peepholes[1], peepholes[2]),  # type: ignore[arg-type]
        projection=op.maybe(_PROJECTION),
        functions=cell.functions,
        product=cell.product,
        kept=cell.kept,
    )
    return _batch_major(op, y)


@dataclass(frozen=True, slots=True)
class _Cell:
    """How a cell computes: its functions (gates, candidate, cell), products, what is kept of its states, and where they start."""

    functions: tuple[Function, Function, Function]
    product: recurrent.Product | None
    kept: tuple[Function, Function] | None = None
    h0: Value | None = None
    c0: Value | None = None


def _float_cell(op: Op) -> _Cell:
    function = _function(op)
    return _Cell((lambda x: op.elementwise("sigmoid", x), function, function), _product(op))


def _integer_cell(op: Op) -> _Cell:
    """8-bit products, functions from and to 16 bits, states kept with the scales of their tensors (TFLite's 8x8_16 kernel)."""
    states = [op.state(index) for index in _STATES]
    if any(state is None or state.scaling is None for state in states) or _function_name(op) != "TANH":
        op.refuse("an integer LSTM whose states have no scale, or whose activation is not TANH", "have both")
    if op.has(_PEEPHOLE[1]) or op.has(_PROJECTION):
        op.refuse("an integer LSTM with peepholes or a projection", "be without", "convert it with dynamic-range quantization")

    def fixed(x: Value, power: int) -> Value:
        unit = op.builder.scalar(2.0**power)
        return op.emit("dequantize", op.emit("quantize", x, unit, fmt=INT16, axis=-1), unit, axis=-1)

    def function(name: str, before: bool) -> Function:
        return lambda x: fixed(op.elementwise(name, fixed(x, -12) if before else x), -15)

    def keeping(state: Operand | None) -> Function:
        assert state is not None
        assert state.scaling is not None
        scaling = state.scaling

        def keep(x: Value) -> Value:
            codes = op.emit("quantize", x, scaling.scale(), *scaling.zero(), fmt=scaling.format, axis=-1)
            return op.emit("dequantize", codes, scaling.scale(), *scaling.zero(), axis=-1)

        return keep

    kept = keeping(states[0]), keeping(states[1])
    zeros = [op.emit("move", op.builder.scalar(0.0), op="expand", shape=state.shape) for state in states if state is not None]
    functions = function("sigmoid", True), function("tanh", True), function("tanh", False)
    return _Cell(functions, None, kept, kept[0](zeros[0]), kept[1](zeros[1]))


def rnn(op: Op) -> Value:
    """One layer: x, weight [H, I], recurrent weight [H, H], bias [H], state."""
    _float_states(op)
    y, _ = recurrent.rnn(op.builder, _time_major(op), op.real(1), op.real(2), op.x(3), function=_function(op), product=_product(op))
    return _batch_major(op, y)


def _float_states(op: Op) -> None:
    if op.operand(0).scaling is not None:
        op.refuse(f"a quantized {op.kind}", "have float activations", "convert it with dynamic-range quantization, or write the cell out")


def _bias(op: Op, index: int, weight: int) -> Value:
    bias = bias_of(op, index, 0, weight)
    if bias is None:
        op.refuse("an LSTM with biases for some gates", "have all or none")
    return bias


def _function_name(op: Op) -> str:
    return op.choice("fused_activation_function", ACTIVATIONS)


def _function(op: Op) -> Function:
    name = _function_name(op)
    if name not in ("TANH", "RELU", "NONE"):
        op.refuse(f"the activation {name}", "be TANH, RELU or NONE")
    return (lambda x: x) if name == "NONE" else (lambda x: op.elementwise(name.lower(), x))


def _time_major(op: Op) -> Value:
    x = op.real(0)
    if len(x.shape) != 3:
        op.refuse(f"a sequence of shape {x.shape}", "have 3 axes")
    return x if op.option("time_major") else op.builder.transpose(x, (1, 0, 2))


def _batch_major(op: Op, y: Value) -> Value:
    return y if op.option("time_major") else op.builder.transpose(y, (1, 0, 2))


def _product(op: Op) -> recurrent.Product | None:
    """Products with integer weights quantize their operand first, each row by its own range, once for all gates.

    The operands come in the order input, first state, later states; the first state is zeros, which have no range.
    """
    if not is_hybrid(op, 0, 2):
        return None
    asymmetric = bool(op.option("asymmetric_quantize_inputs"))
    quantized: dict[str, tuple[Value, Value | None]] = {}

    def product(x: Value, weight: Value, bias: Value | None) -> Value:
        if x.id not in quantized and len(quantized) == 1:
            one = op.builder.scalar(1.0)
            quantized[x.id] = (op.emit("dequantize", op.emit("quantize", x, one, fmt=INT8, axis=-1), one, axis=-1), None)
        elif x.id not in quantized:
            rows = op.builder.reshape(x, (x.numel // x.shape[-1], x.shape[-1]))
            found = dynamic_rows(op, rows, 0 if x.shape[0] > 1 else x.shape[1], asymmetric)
            scale = None if found.scale is None else op.builder.reshape(found.scale, (*x.shape[:-1], 1))
            quantized[x.id] = (op.builder.reshape(found.value, x.shape), scale)
        value, scale = quantized[x.id]
        if scale is None:
            return op.builder.linear(value, weight, bias)
        y = op.elementwise("mul", op.builder.linear(value, weight), scale)
        return y if bias is None else op.elementwise("add", y, bias)

    return product
