"""Builds a runnable torch module from a ``Program``: the same records that are counted, and nothing else of the file.

``torch.export.load`` is not used: on a foreign archive it unpickles and evaluates text. Here every operator comes from the op
table, every name is made here, and arguments are numbers, lists, types and a few words. The module is a plain
``torch.fx.GraphModule`` and runs as fast as the one that ``torch.export.load(...).module()`` gives.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import torch
import torch.ao.quantization.fx._decomposed  # registers quantized_decomposed.*
from torch import fx, nn

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify_pytorch.aliases import Aliases
from micronet_verify_pytorch.formats import SCALAR_TYPES
from micronet_verify_pytorch.op_table import lookup
from micronet_verify_pytorch.ops_shape import nothing
from micronet_verify_pytorch.program import Argument, Body, Dtype, Program, ProgramGraph, Ref, Setting, Step

DTYPES: dict[int, torch.dtype] = {number: getattr(torch, fmt.name) for number, fmt in SCALAR_TYPES.items()}
# torch._export.serde.schema.MemoryFormat and Layout
_MEMORY = {1: torch.contiguous_format, 2: torch.channels_last, 3: torch.channels_last_3d, 4: torch.preserve_format}
_STRIDED = 7


class Taken:
    """Which body each branch took since the last ``clear``."""

    def __init__(self) -> None:
        self.indices: dict[str, int] = {}

    def clear(self) -> dict[str, int]:
        taken, self.indices = self.indices, {}
        return taken


class Branch(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """``torch.cond`` as a Python ``if`` that notes which body it took."""

    def __init__(self, name: str, bodies: list[fx.GraphModule], taken: Taken) -> None:
        super().__init__()
        self.bodies = nn.ModuleList(bodies)
        self._name, self._taken = name, taken

    def forward(self, predicate: Any, *operands: Any) -> Any:
        index = 0 if bool(predicate) else 1
        self._taken.indices[self._name] = index
        return self.bodies[index](*operands)


def build(program: Program, taken: Taken) -> fx.GraphModule:
    """A module from the user's inputs to a tuple of outputs. Raises ``SubmissionFault`` with every operator off the table."""
    problems: list[Problem] = []
    constants = {**dict.fromkeys(program.constants), **_constants(program)}
    module = _module(program.graph, {**program.literals, **constants}, taken, problems)
    if problems:
        raise SubmissionFault(dict.fromkeys(problems))
    return module


def _constants(program: Program) -> dict[str, torch.Tensor]:
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
                storage = torch.empty(payload.size // dtype.itemsize, dtype=dtype)
                handle.seek(payload.offset)
                handle.readinto(storage.view(torch.uint8).numpy().data)
                storages[payload.name] = storage
            start = (constant.offset - payload.offset) // dtype.itemsize
            strides = constant.strides if constant.strides is not None else torch.empty(constant.shape, device="meta").stride()
            tensors[name] = torch.as_strided(storages[payload.name], constant.shape, strides, start)
    return tensors


def _module(graph: ProgramGraph, known: dict[str, Any], taken: Taken, problems: list[Problem]) -> fx.GraphModule:
    """``known``: inputs that have a value; the others become the module's arguments, in order."""
    root, traced, env = nn.Module(), fx.Graph(), dict[str, Any]()
    for position, name in enumerate(graph.inputs):
        if isinstance(known.get(name), torch.Tensor):
            root.register_buffer(f"c{position}", known[name])
            env[name] = traced.get_attr(f"c{position}")
        else:
            env[name] = known[name] if name in known else traced.placeholder(f"x{position}")
    used = Aliases(graph).used
    for number, step in enumerate(graph.steps):
        try:
            _emit(step, number, root, traced, env, used, taken, problems)
        except SubmissionFault as fault:
            problems.extend(fault.problems)
            env.update({name: None for name in step.outputs if name is not None})
    traced.output(tuple(_value(output, env) for output in graph.outputs))
    return fx.GraphModule(root, traced)


def _emit(
    step: Step,
    number: int,
    root: nn.Module,
    traced: fx.Graph,
    env: dict[str, Any],
    used: Callable[[str | None], bool],
    taken: Taken,
    problems: list[Problem],
) -> None:
    op, base = lookup(step.target)
    if op is None or op.charge == "refused":
        where = f"{base} in {step.scope}" if step.scope else base
        advice = "see the plugin's README for the operators that can be counted"
        raise SubmissionFault(Problem(f"the operator {step.target}", "be one that can be priced", where, op.note if op else advice))
    if op.translate is nothing and op.body is None:
        return  # an assertion
    bodies = [argument for argument in step.positional if isinstance(argument, Body)]
    if bodies:
        modules = [_module(body.graph, {}, taken, problems) for body in bodies]
        wanted = 2 if step.branch is not None else 1
        if len(modules) != wanted:
            raise SubmissionFault(Problem(f"{len(modules)} bodies of {base}", f"be {wanted}", step.scope))
        inner = Branch(step.branch, modules, taken) if step.branch is not None else modules[0]
        root.add_module(f"m{number}", inner)
        operands = [_value(argument, env) for argument in step.positional if not isinstance(argument, Body)]
        arguments = (operands[0], *operands[1]) if step.branch is not None else tuple(operands[1:])
        result = traced.call_module(f"m{number}", arguments)
    else:
        result = traced.call_function(_function(step), *_arguments(step, env))
    if not step.many:
        env.update({name: result for name in step.outputs if name is not None})
        return
    for place, name in enumerate(step.outputs):
        if name is not None and used(name):
            env[name] = traced.call_function(operator.getitem, (result, place))


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


def _arguments(step: Step, env: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments in the order of the operator's schema; by keyword after the first that is left out."""
    values = {name: _value(argument, env) for name, argument in step.arguments.items()}
    schema = getattr(_function(step), "_schema", None)
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
    """Everything runs on the processor, on dense tensors."""
    if setting.kind == "device":
        return torch.device("cpu")
    if setting.kind == "memory_format" and setting.number in _MEMORY:
        return _MEMORY[setting.number]
    if setting.kind == "layout" and setting.number == _STRIDED:
        return torch.strided
    raise SubmissionFault(Problem(f"the {setting.kind} {setting.number}", "be a dense one"))
