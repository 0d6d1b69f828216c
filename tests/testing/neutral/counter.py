"""The counter: programs become neutral graphs, an operator at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from micronet_verify.facts.formats import FLOAT32, INT64, numeric_format
from micronet_verify.facts.graph import Graph, Value
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.requests import TranslateRequest
from micronet_verify.framework.translation.recurrent import lstm
from micronet_verify.testing import Program, Step
from micronet_verify.testing.reference.windows import numbers, sides
from tests.testing.neutral.form import WEIGHTS, Placed, read, told

Change = Callable[[Program], Program]


class NeutralCounter:
    """Translates what ``change`` makes of the program in a file."""

    def __init__(self, change: Change = lambda program: program) -> None:
        self._change = change

    def translate(self, request: TranslateRequest, builder: GraphBuilder) -> Graph:
        artifact = request.artifact
        program = self._change(read(artifact))
        with told(artifact.name):
            one = bool(program.states or program.branches)
            shape = (1,) if program.states else (1 if one else builder.batch, *program.shape)
            values = {"x": builder.input(shape, INT64 if program.words else FLOAT32, "x")}
            values.update((state.name, builder.input((1, *state.shape), label=state.name)) for state in program.states)
            self.steps(program.steps, values, builder)
            return builder.finish([values[name] for name in ("y", *(state.after for state in program.states))])

    def steps(self, steps: tuple[Step, ...], values: dict[str, Value], builder: GraphBuilder) -> Value:
        """Emits the steps and adds what they make to ``values``; the last one's result."""
        for step in steps:
            builder.at(step.op, step.name)
            operands = [values[name] for name in step.inputs]
            if step.op == "branch":
                values[step.name] = self._branch(step, operands[0], values, builder)
            elif step.op == "loop":
                values[step.name] = self._loop(step, operands, values, builder)
            else:
                values[step.name] = RULES[step.op](builder, step, self.arrays(step, builder), *operands)
        return values[steps[-1].name]

    def arrays(self, step: Step, builder: GraphBuilder) -> dict[str, Value]:
        """The constants of a step: by reference where they lie in the file, else (a defect made them) decoded."""
        return {name: self.constant(step, name, builder) for name in step.arrays}

    def constant(self, step: Step, name: str, builder: GraphBuilder) -> Value:
        array = step.arrays[name]
        kind = "int4" if name == "codes" and step.options.get("bits") == 4 else array.dtype.name
        fmt, label = numeric_format(kind), f"{step.name}.{name}"
        if isinstance(step.arrays, Placed):
            value = builder.constant_at(WEIGHTS, step.arrays.offset(name), array.shape, fmt, label)
        else:
            value = builder.constant(array, label, fmt)
        return builder.emit("move", value, op="cast", fmt=FLOAT32) if kind == "float16" else value

    def _branch(self, step: Step, predicate: Value, values: Mapping[str, Value], builder: GraphBuilder) -> Value:
        bodies = []
        for body in step.bodies:
            inner = builder.body()
            bodies.append(inner.finish([self.steps(body, dict(values), inner)]))
        return builder.emit_bodies("branch", [predicate], bodies, id=step.name)[0]

    def _loop(self, step: Step, operands: list[Value], values: Mapping[str, Value], builder: GraphBuilder) -> Value:
        """Scanned and collected tensors have the turns first in the graph, and behind the batch in the notation."""
        inner, seen, state = builder.body(), dict(values), operands[0]
        seen["state"] = inner.input(state.shape)
        scanned = [_time_first(builder, x) for x in operands[1:]]
        if scanned:
            seen["slice"] = inner.input(scanned[0].shape[1:])
        last = self.steps(step.bodies[0], seen, inner)
        collected = bool(step.options.get("collected"))
        body = inner.finish([last, last] if collected else [last])
        results = builder.loop(body, [state], scanned, trips=step.options["trips"])
        return _time_first(builder, results[1]) if collected else results[0]


Arrays = Mapping[str, Value]
Rule = Callable[..., Value]


def _time_first(builder: GraphBuilder, x: Value) -> Value:
    return builder.transpose(x, (1, 0, *range(2, len(x.shape))))


def _quantized_linear(b: GraphBuilder, step: Step, arrays: Arrays, x: Value) -> Value:
    zero = [arrays["zero"]] if "zero" in arrays else []
    return b.linear(x, b.emit("dequantize", arrays["codes"], arrays["scale"], *zero, axis=0), arrays.get("bias"))


def _quantize(b: GraphBuilder, step: Step, arrays: Arrays, x: Value) -> Value:
    zero = [arrays["zero"]] if "zero" in arrays else []
    fmt = zero[0].format if zero else numeric_format("int8")
    return b.emit("dequantize", b.emit("quantize", x, arrays["scale"], *zero, axis=-1, fmt=fmt), arrays["scale"], *zero, axis=-1)


def _conv(b: GraphBuilder, step: Step, arrays: Arrays, x: Value) -> Value:
    transposed = step.op == "conv_transposed"
    more = {"transposed": True, "output_padding": numbers(step, "output_padding")} if transposed else {}
    operands = [arrays["weight"], *(arrays[name] for name in ("bias",) if name in arrays)]
    stride, dilation, groups = numbers(step, "stride"), numbers(step, "dilation"), step.options.get("groups", 1)
    return b.emit("conv", x, *operands, stride=stride, padding=sides(step), dilation=dilation, groups=groups, **more)


def _pool(b: GraphBuilder, step: Step, arrays: Arrays, x: Value) -> Value:
    op, counts = step.op.removesuffix("_pool"), step.options.get("counts_padding")
    kernel, stride, padding = (numbers(step, name) for name in ("kernel", "stride", "padding"))
    return b.emit("pool", x, op=op, kernel=kernel, stride=stride, padding=padding * 2, counts_padding=True if counts else None)


def _norm(b: GraphBuilder, step: Step, arrays: Arrays, x: Value) -> Value:
    eps, named = step.options["eps"], [arrays[name] for name in ("mean", "variance", "scale", "shift") if name in arrays]
    return b.emit("normalise", x, *named, op=step.op, eps=eps, axes=(len(x.shape) - 1,) if step.op == "layer_norm" else None)


def _pad(b: GraphBuilder, step: Step, arrays: Arrays, x: Value) -> Value:
    sides = (0, 0, *numbers(step, "padding"))
    return b.emit("move", x, op="pad", padding=sides * 2)


def _slice(b: GraphBuilder, step: Step, arrays: Arrays, x: Value) -> Value:
    axis, start, end = (step.options[name] for name in ("axis", "start", "end"))
    return b.emit("move", x, op="slice", axes=(axis,), starts=(start,), ends=(end,), steps=(step.options.get("step", 1),))


def _resize(b: GraphBuilder, step: Step, arrays: Arrays, x: Value) -> Value:
    shape = (*x.shape[:2], *(size * by for size, by in zip(x.shape[2:], numbers(step, "scale"), strict=True)))
    return b.emit("resize", x, op="nearest", shape=shape, coordinates="asymmetric", nearest="floor")


def _above(b: GraphBuilder, step: Step, arrays: Arrays, x: Value) -> Value:
    total = b.emit("reduce", x, op="sum", axes=tuple(range(len(x.shape))), keepdims=False)
    return b.elementwise("greater", total, b.scalar(step.options["than"]))


def _lstm(b: GraphBuilder, step: Step, arrays: Arrays, x: Value) -> Value:
    return _time_first(b, lstm(b, _time_first(b, x), arrays["w_ih"], arrays["w_hh"], arrays["bias"])[0])


def _plain(op: str, **more: float) -> Rule:
    return lambda b, step, arrays, *operands: b.elementwise(op, *operands, **more)


RULES: Mapping[str, Rule] = {
    "linear": lambda b, step, arrays, x: b.linear(x, arrays["weight"], arrays.get("bias")),
    "quantized_linear": _quantized_linear,
    "quantize": _quantize,
    "conv": _conv,
    "conv_transposed": _conv,
    "batch_norm": _norm,
    "layer_norm": _norm,
    **{op: _plain(op) for op in "relu sigmoid tanh hard_swish add sub mul div".split()},
    "relu6": _plain("clip", low=0.0, high=6.0),
    "softmax": lambda b, step, arrays, x: b.emit("softmax", x, op="softmax", axis=step.options.get("axis", len(x.shape) - 1)),
    "log_softmax": lambda b, step, arrays, x: b.emit("softmax", x, op="log_softmax", axis=len(x.shape) - 1),
    "matmul": lambda b, step, arrays, x, y: b.matmul(x, y),
    "max_pool": _pool,
    "average_pool": _pool,
    "global_average": lambda b, step, arrays, x: b.emit("reduce", x, op="mean", axes=(2, 3), keepdims=False),
    "mean": lambda b, step, arrays, x: b.emit("reduce", x, op="mean", axes=(step.options["axis"],), keepdims=False),
    "reshape": lambda b, step, arrays, x: b.reshape(x, (x.shape[0], *step.options["shape"])),
    "transpose": lambda b, step, arrays, x: b.transpose(x, step.options["perm"]),
    "concat": lambda b, step, arrays, *parts: b.emit("move", *parts, op="concat", axis=step.options["axis"]),
    "pad": _pad,
    "slice": _slice,
    "embedding": lambda b, step, arrays, x: b.emit("lookup", arrays["table"], x, op="embedding", axis=0),
    "resize_nearest": _resize,
    "above": _above,
    "lstm": _lstm,
}
