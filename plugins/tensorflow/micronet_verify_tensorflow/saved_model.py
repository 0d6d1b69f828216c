"""Reads a SavedModel's ``saved_model.pb`` and finds the value of every variable in its checkpoint, as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from micronet_verify.plugin import BYTES, DEEPEST
from micronet_verify_tensorflow.allowed import check_operators
from micronet_verify_tensorflow.bundle import Bundle, read_only
from micronet_verify_tensorflow.messages import Body, NodeDef, Reader, Signature, Span, bad
from micronet_verify_tensorflow.program import CALLS, Program, Variable, base

PREFIX = "variables/variables"
SERVING = "serving_default"
_EXPORT = "hand in what model.export(folder) or tf.saved_model.save(model, folder) writes"


def read_saved_model(path: Path) -> Program:
    """The program of ``path``, every operator of every function looked at. Raises ``SubmissionFault``, all operators together."""
    data = read_only(path.parent, path.name)
    if not len(data):
        raise bad("an empty file", "be a complete SavedModel", path.name)
    reader = Reader(data, path.name, filed=True)
    graphs = [(field.start, field.end) for field in reader.fields((0, len(data)), "the SavedModel") if field.number == 2]
    if len(graphs) != 1:
        raise bad(f"a SavedModel of {len(graphs)} graphs", "have one", path.name, _EXPORT)
    found = reader.single(graphs[0], "the MetaGraph", {2: BYTES, 3: BYTES})
    if 2 not in found:
        raise bad("a SavedModel without a graph", "have one", path.name, _EXPORT)
    main, functions = reader.graph((found[2].start, found[2].end))
    signature = _signature(reader, graphs[0], path.name)
    saver = _saver(reader, (found[3].start, found[3].end)) if 3 in found else ("", "", "")
    keys: dict[str, str] = {}
    program = Program(path.name, reader, main, functions, signature, lambda node: variable(node))
    check_operators(program, saver)

    @cache
    def bundle() -> Bundle:
        keys.update(_restored(program, saver[2]))
        return Bundle(path.parent, PREFIX)

    @cache
    def value(name: str) -> Variable:
        checkpoint = bundle()
        if name not in keys:
            raise bad(f"the variable {name!r}, which the model never restores", "have a value", path.name, _EXPORT)
        return Variable(name, checkpoint.tensor(keys[name]))

    def variable(node: NodeDef) -> Variable | None:
        return value(_shared_name(program, node)) if node.op == "VarHandleOp" else None

    return program


def _signature(reader: Reader, graph: Span, name: str) -> Signature:
    """``serving_default``, or the only signature that has inputs."""
    found: dict[str, Signature] = {}
    for field in reader.fields(graph, "the MetaGraph"):
        if field.number == 5:
            reader.mapping(field, "the signatures", lambda value: reader.signature((value.start, value.end)), found)
    usable = {key: signature for key, signature in found.items() if signature.inputs and signature.outputs}
    if SERVING in usable:
        return usable[SERVING]
    if len(usable) != 1:
        got = f"signatures {', '.join(map(repr, sorted(usable)))}" if usable else "a SavedModel without a signature"
        raise bad(got, f"have one called {SERVING!r}, or one only", name, _EXPORT)
    return next(iter(usable.values()))


def _saver(reader: Reader, span: Span) -> tuple[str, str, str]:
    found = reader.single(span, "the saver", {1: BYTES, 2: BYTES, 3: BYTES})
    filename, save, restore = (reader.text(found[at], "the saver") if at in found else "" for at in (1, 2, 3))
    return filename, save, restore


def _shared_name(program: Program, node: NodeDef) -> str:
    """What TensorFlow knows a variable by: two handles of one name are one variable."""
    span = node.attributes.get("shared_name")
    name = program.attributes.text(span, f"node {node.name!r}") if span else ""
    return name or node.name


def _restored(program: Program, restore: str) -> dict[str, str]:
    """The checkpoint's tensor for every variable, as the function that restores them says."""
    found: dict[str, str] = {}
    node = program.main.nodes.get(base(restore))
    if node is None:
        return found
    handles = {name: _shared_name(program, item) for name, item in program.main.nodes.items() if item.op == "VarHandleOp"}
    if node.op in CALLS:
        (function,) = program.called(node)[:1]
        pairs = _assigned(program, program.functions[function], [handles.get(base(ref), "") for ref in node.inputs], 0)
    else:
        pairs = _pairs(program, program.main, handles, 0)
    for variable, key in pairs:
        if variable in found and found[variable] != key:
            raise bad(f"the variable {variable!r} restored from two tensors", "be restored from one", program.name)
        found[variable] = key
    return found


def _assigned(program: Program, body: Body, arguments: list[str], depth: int) -> Iterator[tuple[str, str]]:
    names = dict(zip((name for name, _ in body.arguments), arguments, strict=False))
    yield from _pairs(program, body, names, depth)


def _pairs(program: Program, body: Body, names: Mapping[str, str], depth: int) -> Iterator[tuple[str, str]]:
    """(variable, tensor of the checkpoint) for every assignment of something that was restored."""
    if depth > DEEPEST:
        raise bad("functions that call each other without end", "end", program.name)
    restored: dict[str, list[str]] = {}
    for node in body.nodes.values():
        if node.op in CALLS:
            for function in program.called(node):
                inner = [names.get(base(ref), "") for ref in node.inputs]
                yield from _assigned(program, program.functions[function], inner, depth + 1)
        if node.op == "AssignVariableOp" and len(node.inputs) >= 2:
            variable = names.get(base(node.inputs[0]), "")
            source, ref = body.nodes.get(base(node.inputs[1])), node.inputs[1]
            for _ in range(DEEPEST):
                if source is None or source.op not in ("Identity", "Cast") or not source.inputs:
                    break
                ref = source.inputs[0]
                source = body.nodes.get(base(ref))
            if variable and source is not None and source.op == "RestoreV2" and len(source.inputs) > 1:
                if source.name not in restored:
                    restored[source.name] = _texts(program, body.nodes.get(base(source.inputs[1])))
                keys = restored[source.name]
                index = ref.rpartition(":")[2]
                place = int(index) if ":" in ref and index.isdigit() else 0
                if place >= len(keys):
                    raise bad(f"tensor {place} of a RestoreV2 of {len(keys)}", "be one of them", f"node {source.name!r}")
                yield variable, keys[place]


def _texts(program: Program, node: NodeDef | None) -> list[str]:
    """The strings of a constant."""
    if node is None or node.op != "Const" or "value" not in node.attributes:
        raise bad("a RestoreV2 whose names are not constant", "be as TensorFlow writes it", program.name)
    where = f"node {node.name!r}"
    span = program.attributes.tensor(node.attributes["value"], where)
    return [program.reader.text(field, where) for field in program.reader.fields(span, where) if field.number == 8]
