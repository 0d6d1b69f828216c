"""Builds a function that runs from a ``Program``: the same records that are counted, and nothing else of the file.

``torch.export.load`` is not used: on a foreign archive it unpickles and evaluates text. Here every operator comes from the op
table, every name is made here, and arguments are numbers, lists, types and a few words.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import torch
import torch.ao.quantization.fx._decomposed  # registers quantized_decomposed.*

from micronet_verify.plugin import CPU, NOT_REACHED, Problem, SubmissionFault, bodies, rule_of
from micronet_verify_pytorch import flow
from micronet_verify_pytorch.aliases import Aliases
from micronet_verify_pytorch.control import AUTOCAST
from micronet_verify_pytorch.formats import SCALAR_TYPES, STRIDED
from micronet_verify_pytorch.op_table import lookup
from micronet_verify_pytorch.ops_shape import nothing
from micronet_verify_pytorch.program import Argument, Body, Dtype, Program, ProgramGraph, Ref, Setting, Step
from micronet_verify_pytorch.reuse import Reusing, overs
from micronet_verify_pytorch.source import Function, Name, Source


def _batch_norm(x: Any, weight: Any, bias: Any, mean: Any, variance: Any, momentum: float, eps: float) -> Any:
    """The first result of the decomposed operator, by the one that modules call: the same numbers by the quicker kernel."""
    return torch.batch_norm(x, weight, bias, mean, variance, False, momentum, eps, False)


DTYPES: dict[int, torch.dtype] = {number: getattr(torch, fmt.name) for number, fmt in SCALAR_TYPES.items()}
# torch._export.serde.schema.MemoryFormat and Layout
_MEMORY = {1: torch.contiguous_format, 2: torch.channels_last, 3: torch.channels_last_3d, 4: torch.preserve_format}
# torch's own entry points to the same operators, with less to do for each call than ``torch.ops``.
_QUICK: dict[str, Any] = {
    "aten.adaptive_avg_pool2d.default": torch._C._nn.adaptive_avg_pool2d,
    "aten.add.Tensor": torch.add,
    "aten.avg_pool2d.default": torch._C._nn.avg_pool2d,
    "aten.batch_norm.default": torch.batch_norm,
    "aten.bmm.default": torch.bmm,
    "aten.cat.default": torch.cat,
    "aten.conv1d.default": torch.conv1d,
    "aten.conv2d.default": torch.conv2d,
    "aten.gelu.default": torch._C._nn.gelu,
    "aten.gru.input": torch.gru,
    "aten.hardsigmoid.default": torch._C._nn.hardsigmoid,
    "aten.hardswish.default": torch._C._nn.hardswish,
    "aten.hardtanh.default": torch._C._nn.hardtanh,
    "aten.layer_norm.default": torch.layer_norm,
    "aten.linear.default": torch._C._nn.linear,
    "aten.lstm.input": torch.lstm,
    "aten.matmul.default": torch.matmul,
    "aten.max_pool2d.default": torch.max_pool2d,
    "aten.mul.Tensor": torch.mul,
    "aten.permute.default": torch.permute,
    "aten.relu.default": torch.relu,
    "aten.select.int": torch.select,
    "aten.sigmoid.default": torch.sigmoid,
    "aten.silu.default": torch._C._nn.silu,
    "aten.softmax.int": torch.softmax,
    "aten.sub.Tensor": torch.sub,
    "aten.tanh.default": torch.tanh,
    "aten.transpose.int": torch.transpose,
    "aten.view.default": torch.Tensor.view,
}
# What computes the first of several results, where no other is read.
_FIRST_ALONE: dict[str, Any] = {"aten._native_batch_norm_legit_no_training.default": _batch_norm}


class Taken:
    """Which body each branch took since the last ``clear``, by the names that the counter gives to branches that the data decides."""

    def __init__(self, names: Collection[str] = ()) -> None:
        self.names = sorted(names)
        self.indices: dict[str, int] = {}

    def note(self, name: str | None, index: int) -> None:
        if name in self.names:
            self.indices[name] = index

    def clear(self) -> list[int]:
        """In the order of ``names``; −1 for a branch that nothing came by."""
        taken, self.indices = self.indices, {}
        return [taken.get(name, NOT_REACHED) for name in self.names]


class Model:
    """``forward`` takes the user's inputs and returns the outputs; ``branches``: whether some ``cond`` is in it.

    Inputs and constants are never written. An output's memory is its own, unless it is a view of an input or a constant.
    """

    def __init__(self, forward: Function, branches: bool, device: str) -> None:
        self.forward, self.branches, self.device = forward, branches, device


def build(program: Program, taken: Taken, device: str = CPU) -> Model:
    """The program with its constants on ``device``. Raises ``SubmissionFault`` with every operator off the table."""
    torch.set_float32_matmul_precision("highest")  # float32 in float32, whatever was set before
    problems: list[Problem] = []
    building = _Building(taken, problems, torch.device(device))
    constants = {**dict.fromkeys(program.constants), **_constants(program, torch.device(device))}
    source, outputs = building.source(program.graph, {**program.literals, **constants}, "")
    if problems:
        raise SubmissionFault(dict.fromkeys(problems))
    # Which tensors share memory may depend on the way that an example went.
    reusing = device == CPU and not building.bodies
    return Model(Reusing(source, outputs) if reusing else source.function(outputs), building.branches, device)


def _constants(program: Program, device: torch.device) -> dict[str, torch.Tensor]:
    """The constants that some step reads; tensors of one storage share memory, as when the model was saved."""
    used = Aliases(program.graph).used
    storages: dict[str, torch.Tensor] = {}
    tensors = {}
    with program.path.open("rb") as handle:
        for name, constant in program.constants.items():
            if not used(name):
                continue
            dtype = getattr(torch, constant.format.name)
            payload = constant.payload
            if payload.name not in storages:
                storage = torch.empty(payload.size // dtype.itemsize, dtype=dtype, device=CPU)
                payload.read_into(handle, storage.view(torch.uint8).numpy().data)
                storages[payload.name] = storage.to(device)
            start = (constant.offset - payload.offset) // dtype.itemsize
            strides = constant.strides if constant.strides is not None else torch.empty(constant.shape, device="meta").stride()
            tensors[name] = torch.as_strided(storages[payload.name], constant.shape, strides, start)
    return tensors


class _Building:
    """Source of a graph and of the bodies in it."""

    def __init__(self, taken: Taken, problems: list[Problem], device: torch.device) -> None:
        self._taken, self._problems, self._device = taken, problems, device
        self.branches = self.bodies = False

    def source(self, graph: ProgramGraph, known: Mapping[str, Any], branches: str | None) -> tuple[Source, list[Any]]:
        """The calls and the outputs. ``known``: inputs that have a value; the others become the function's arguments, in order.

        ``branches``: what the names of branches begin with here, as in the counter; ``None`` in a loop.
        """
        source, env = Source(), dict[str, Any]()
        for name in graph.inputs:
            env[name] = source.input() if name not in known else source.bind(known[name])
        used = Aliases(graph).used
        for step in graph.steps:
            try:
                self._step(step, source, env, used, None if branches is None else f"{branches}{step.label}")
            except SubmissionFault as fault:
                self._problems.extend(fault.problems)
                env.update({name: None for name in step.outputs if name is not None})
        return source, [_value(output, env) for output in graph.outputs]

    def _step(self, step: Step, source: Source, env: dict[str, Any], used: Callable[[str | None], bool], name: str | None) -> None:
        line, base = lookup(step.target)
        rule = rule_of(base, line, f"{base} in {step.scope}" if step.scope else base)
        if rule is nothing:
            return  # an assertion
        if any(isinstance(argument, Body) for argument in step.positional):
            result = self._bodies(step, source, env, name)
        else:
            overload = _function(step)
            args, kwargs = self._placed(*_arguments(step, overload, env))
            alone = _FIRST_ALONE.get(step.target) if not any(map(used, step.outputs[1:])) else None
            over = overs(step.target, args, kwargs) if alone or not step.many else ()
            result = source.call(alone or _QUICK.get(step.target, overload), args, kwargs, over)
            if alone:
                env.update({name: result for name in step.outputs[:1] if name is not None})
                return
        if not step.many:
            env.update({name: result for name in step.outputs if name is not None})
            return
        for place, name in enumerate(step.outputs):
            if name is not None and used(name):
                env[name] = source.item(result, place)

    def _placed(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments that name a device name the one that the model runs on."""
        places = [self._device if isinstance(value, torch.device) else value for value in (*args, *kwargs.values())]
        return tuple(places[: len(args)]), dict(zip(kwargs, places[len(args) :], strict=True))

    def _bodies(self, step: Step, source: Source, env: dict[str, Any], name: str | None) -> Name:
        """``cond`` as a Python ``if`` that notes which body it took, a loop as a loop, a wrapper as its body."""
        graphs = [argument.graph for argument in step.positional if isinstance(argument, Body)]
        given = [_value(argument, env) for argument in step.positional if not isinstance(argument, Body)]
        kind = step.target.removeprefix("higher_order.")
        if len(graphs) != (2 if kind in ("cond", "while_loop") else 1):
            raise SubmissionFault(Problem(f"{len(graphs)} bodies of {step.target}", "be as the operator takes them", step.scope))
        self.bodies = True
        if kind == "cond":
            self.branches = True
            functions = [self._body(graph, bodies.inside(name, side)) for side, graph in enumerate(graphs)]
            return source.call(flow.cond(functions, partial(self._taken.note, name)), given)
        if kind in flow.LOOPS:
            return source.call(flow.LOOPS[kind](*(self._body(graph, None) for graph in graphs)), given)
        function = self._body(graphs[0], None if name is None else f"{name}/")
        return source.call(function, given[AUTOCAST if kind == "wrap_with_autocast" else 1 :])

    def _body(self, graph: ProgramGraph, branches: str | None) -> Function:
        source, outputs = self.source(graph, {}, branches)
        return source.function(outputs)


def _function(step: Step) -> Any:
    """The operator itself; its name has been found in the op table."""
    space, name, *overload = step.target.split(".")
    if space in ("aten", "quantized_decomposed"):
        found = getattr(getattr(getattr(torch.ops, space), name, None), overload[0], None)
    else:
        found = getattr({"_operator": operator, "math": math, "torch": torch}[space], name, None)
    if found is None:
        raise SubmissionFault(Problem(f"the operator {step.target}", f"exist in torch {torch.__version__}", step.scope))
    return found


def _arguments(step: Step, function: Any, env: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments in the order of the operator's schema; by keyword after the first that is left out."""
    values = {name: _value(argument, env) for name, argument in step.arguments.items()}
    schema = getattr(function, "_schema", None)
    if schema is None:
        return tuple(values.values()), {}
    names = {argument.name for argument in schema.arguments}
    if step.positional or not values.keys() <= names:
        raise SubmissionFault(Problem(f"arguments {sorted(values)} of {step.target}", f"be among {sorted(names)}", step.scope))
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    gap = False
    for argument in schema.arguments:
        if argument.name not in values:
            gap = True
        elif gap or argument.kwarg_only:
            kwargs[argument.name] = values[argument.name]
        else:
            args.append(values[argument.name])
    return tuple(args), kwargs


def _value(argument: Argument, env: dict[str, Any]) -> Any:
    if isinstance(argument, Ref):
        if argument.name not in env:
            raise SubmissionFault(Problem(f"a use of {argument.name!r}", "come after it is computed"))
        return env[argument.name]
    if isinstance(argument, tuple):
        return [_value(item, env) for item in argument]
    if isinstance(argument, Dtype):
        if argument.number not in DTYPES:
            raise SubmissionFault(Problem(f"the number type {argument.number}", "be one of torch's real types"))
        return DTYPES[argument.number]
    if isinstance(argument, Setting):
        return _setting(argument)
    if isinstance(argument, Body):
        raise SubmissionFault(Problem(f"a subgraph {argument.name!r}", "belong to an operator that takes one"))
    return argument


def _setting(setting: Setting) -> Any:
    """Everything runs on dense tensors, and on the processor unless ``_placed`` says otherwise."""
    if setting.kind == "device":
        return torch.device("cpu")
    if setting.kind == "memory_format" and setting.number in _MEMORY:
        return _MEMORY[setting.number]
    if setting.kind == "layout" and setting.number == STRIDED:
        return torch.strided
    raise SubmissionFault(Problem(f"the {setting.kind} {setting.number}", "be a dense one"))
