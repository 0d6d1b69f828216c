"""The graph of a ``.pt2`` archive as plain records: what the counter translates and what the loader runs.

Both read these records and nothing else of the file, so what is counted is what is evaluated. The JSON follows
``torch/_export/serde/schema.py``, major version 8; whatever is not on the lists below is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from micronet_verify.plugin import LONGEST, NumericFormat, Problem, SubmissionFault
from micronet_verify_pytorch.archive import AGAIN, Archive, Constant, read_archive
from micronet_verify_pytorch.formats import SCALAR_TYPES

SCHEMA_MAJOR = 8
_STATISTICS = frozenset("running_mean running_var num_batches_tracked".split())
STATELESS = "export after model.eval(), and keep what the model learns or counts out of forward()"


@dataclass(frozen=True, slots=True)
class Ref:
    """An earlier result, or an input, by name."""

    name: str


@dataclass(frozen=True, slots=True)
class Dtype:
    """A number type, by torch.export's number."""

    number: int


@dataclass(frozen=True, slots=True)
class Setting:
    """A ``memory_format``, ``layout`` or ``device``: says where bytes lie, not what is computed."""

    kind: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class Body:
    """A subgraph handed to an operator such as ``cond``."""

    name: str
    graph: ProgramGraph


Atom = None | bool | int | float | str | Ref | Dtype | Setting | Body
Argument = Atom | tuple[Atom, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One call: ``target`` as ``aten.conv2d.default``, arguments by name in the operator's order.

    Arguments of a higher-order operator have no names and stand in ``positional``. ``many``: the operator returns a
    sequence, one name (or ``None``) each. ``label`` is a name of the step that no other of its graph has: the file's, or its number.
    """

    target: str
    arguments: Mapping[str, Argument]
    positional: tuple[Argument, ...]
    outputs: tuple[str | None, ...]
    many: bool
    scope: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Meta:
    """What the archive declares of a tensor; compared with what is inferred, never believed."""

    format: NumericFormat | None
    sizes: tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class ProgramGraph:
    inputs: tuple[str, ...]
    outputs: tuple[Argument, ...]
    steps: tuple[Step, ...]
    metas: Mapping[str, Meta]


@dataclass(frozen=True, slots=True)
class Program:
    """``constants`` and ``literals`` are inputs that have a value; ``inputs`` are those of the user, in order."""

    path: Path
    graph: ProgramGraph
    inputs: tuple[str, ...]
    constants: Mapping[str, Constant]
    literals: Mapping[str, Atom]


def read_program(path: Path) -> Program:
    """Read an archive. Raises ``SubmissionFault`` with everything in it that is not plain data, together."""
    archive = read_archive(path)
    try:
        return _program(archive)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        what = f"a graph that cannot be read ({type(error).__name__}: {str(error)[:80]})"
        raise SubmissionFault(Problem(what, f"follow torch.export's schema {SCHEMA_MAJOR}", path.name, AGAIN)) from None


def _program(archive: Archive) -> Program:
    where = archive.path.name
    major = archive.graph["schema_version"]["major"]
    if major != SCHEMA_MAJOR:
        raise SubmissionFault(Problem(f"torch.export's schema {major}", f"be {SCHEMA_MAJOR}", where, "export with torch 2.9 or later"))
    module = archive.graph["graph_module"]
    graph = _graph(module["graph"])
    problems: list[Problem] = []
    inputs: list[str] = []
    constants: dict[str, Constant] = {}
    literals: dict[str, Atom] = {}
    specs = module["signature"]["input_specs"]
    if len(specs) != len(graph.inputs):
        raise SubmissionFault(Problem(f"{len(specs)} input specifications for {len(graph.inputs)} inputs", "be one each", where))
    for name, spec in zip(graph.inputs, specs, strict=True):
        ((kind, detail),) = spec.items()
        if kind == "user_input" and isinstance(value := _argument(detail["arg"]), Ref):
            inputs.append(_same(value.name, name))
        elif kind == "user_input":
            literals[name] = _atom(detail["arg"])
        elif kind == "constant_input":
            literals[name] = _atom(detail["value"])
        elif kind in _STORED:
            fqn = detail[_STORED[kind]]
            if fqn not in archive.constants:
                problems.append(Problem(f"no values for {fqn!r}", "lie in the archive", where, AGAIN))
            else:
                constants[_same(detail["arg"]["name"], name)] = archive.constants[fqn]
        else:
            problems.append(Problem(f"an input of kind {kind!r} ({name})", "be a tensor", where))
    problems.extend(_mutations(module["signature"]["output_specs"], where))
    if problems:
        raise SubmissionFault(problems)
    return Program(archive.path, graph, tuple(inputs), constants, literals)


_STORED = {"parameter": "parameter_name", "buffer": "buffer_name", "tensor_constant": "tensor_constant_name"}


def _same(a: str, b: str) -> str:
    if a != b:
        raise ValueError(f"the input {b!r} is specified as {a!r}")
    return a


def _mutations(specs: list[dict[str, Any]], where: str) -> list[Problem]:
    changed = [str(detail.get("buffer_name", "")) for spec in specs for kind, detail in spec.items() if kind == "buffer_mutation"]
    if changed and all(name.rpartition(".")[2] in _STATISTICS for name in changed):
        got = f"a model exported in training mode: it changes the statistics of batch norms ({changed[0]!r} …) while it answers"
        return [Problem(got, "be exported after model.eval()", where, "call model.eval() before torch.export.export")]
    problems = []
    for spec in specs:
        ((kind, detail),) = spec.items()
        if kind == "user_output":
            continue
        subject = next((str(detail[key]) for key in detail if key.endswith("_name")), "")
        if kind in ("buffer_mutation", "parameter_mutation", "user_input_mutation"):
            what = kind.removesuffix("_mutation").replace("_", " ")
            problems.append(Problem(f"a model that changes its {what} {subject!r} while it answers", "keep no state", where, STATELESS))
        else:
            problems.append(Problem(f"an output of kind {kind!r}", "be an answer", where, STATELESS))
    return problems


def _graph(data: Any) -> ProgramGraph:
    inputs = []
    for position, item in enumerate(data["inputs"]):
        value = _argument(item)
        inputs.append(value.name if isinstance(value, Ref) else f"literal input {position}")
    if len(set(inputs)) != len(inputs):
        raise ValueError("two inputs of one name")
    declared = data["tensor_values"].items()
    metas = {name: Meta(SCALAR_TYPES.get(meta["dtype"]), tuple(map(_size, meta["sizes"]))) for name, meta in declared}
    labels = _labels(node.get("name") for node in data["nodes"])
    steps = tuple(_step(node, label) for node, label in zip(data["nodes"], labels, strict=True))
    return ProgramGraph(tuple(inputs), tuple(map(_argument, data["outputs"])), steps, metas)


def _labels(names: Iterable[Any]) -> list[str]:
    """A name for each step: the file's, where it is a word and no other step's, else the step's number."""
    labels: dict[str, None] = {}
    for number, name in enumerate(names):
        own = isinstance(name, str) and name.isidentifier() and len(name) <= LONGEST and name not in labels
        labels[name if own else str(number)] = None
    return list(labels)


def _size(data: Any) -> int | str:
    ((kind, value),) = data.items()
    if kind == "as_int" and type(value) is int:
        return value
    if kind == "as_expr" and isinstance(value["expr_str"], str):
        return str(value["expr_str"])
    raise ValueError(f"a size of kind {kind!r}")


def _step(node: Any, label: str) -> Step:
    target = str(node["target"]).removeprefix("torch.ops.")
    arguments: dict[str, Argument] = {}
    positional: list[Argument] = []
    for item in node["inputs"]:
        name, value = item["name"], _argument(item["arg"])
        if name == "":
            positional.append(value)
        elif name in arguments:
            raise ValueError(f"two arguments {name!r} of {target}")
        else:
            arguments[str(name)] = value
    outputs, many = _outputs(node)
    return Step(target, arguments, tuple(positional), outputs, many, scope_of(node.get("metadata") or {}), label)


def _outputs(node: Any) -> tuple[tuple[str | None, ...], bool]:
    values = [_argument(item) for item in node["outputs"]]
    if len(values) == 1 and isinstance(values[0], tuple):
        return tuple(_output_name(item) for item in values[0]), True
    names = tuple(_output_name(value) for value in values)
    return names, len(names) != 1 or node.get("is_hop_single_tensor_return") is False


def _output_name(value: Argument) -> str | None:
    if value is not None and not isinstance(value, Ref):
        raise ValueError(f"an output {value!r}")
    return value.name if value else None


def _argument(data: Any) -> Argument:
    ((kind, value),) = data.items()
    if kind in _LISTS:
        return tuple(_atom({kind.removesuffix("s"): item}) for item in value)
    if kind == "as_optional_tensors":
        return tuple(_atom(item) for item in value)
    return _atom(data)


_LISTS = frozenset("as_ints as_floats as_bools as_strings as_tensors as_sym_ints as_sym_floats".split())
_PLAIN: dict[str, type[int] | type[bool] | type[str]] = {"as_int": int, "as_bool": bool, "as_string": str}
_SETTINGS = {"as_memory_format": "memory_format", "as_layout": "layout"}


def _atom(data: Any) -> Atom:
    ((kind, value),) = data.items()
    if kind == "as_none":
        return None
    if kind == "as_tensor":
        return Ref(_text(value["name"]))
    if kind == "as_optional_tensor":
        return _atom(value)
    if kind in ("as_sym_int", "as_sym_float", "as_sym_bool"):
        ((inner, item),) = value.items()
        return Ref(_text(item)) if inner == "as_name" else _atom({inner: item})
    if kind == "as_float" and (type(value) in (float, int) or value in ("Infinity", "-Infinity", "NaN")):
        return float(value)
    if kind in _PLAIN and type(value) is _PLAIN[kind]:
        plain: int | bool | str = value
        return plain
    if kind == "as_scalar_type" and type(value) is int:
        return Dtype(value)
    if kind in _SETTINGS and type(value) is int:
        return Setting(_SETTINGS[kind], value)
    if kind == "as_device":
        return Setting("device")
    if kind == "as_graph":
        return Body(_text(value["name"]), _graph(value["graph"]))
    raise ValueError(f"an argument of kind {kind!r}")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a name that is {value!r}")
    return value


def scope_of(metadata: Mapping[str, Any]) -> str:
    """The module a step comes from, ``features.3.conv``: the last entry of the serialized ``nn_module_stack``.

    Entries are ``key,path,type`` and separated by ``;``. A module that is called again has ``@1`` after its path.
    """
    stack = metadata.get("nn_module_stack")
    if not isinstance(stack, str) or not stack:
        return ""
    fields = stack.rsplit(";", 1)[-1].split(",")
    path = re.sub(r"@[0-9]+", "", fields[1]) if len(fields) > 2 else ""
    if path.startswith("_empty_nn_module_stack"):
        return ""
    path = re.sub(r"\[['\"]?([^\]'\"]*)['\"]?\]", r".\1", path).removeprefix("L.self").strip(".")
    return "".join(letter if letter.isprintable() else "?" for letter in path[:200])
