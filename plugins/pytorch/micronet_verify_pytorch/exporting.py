"""Turns a source entry into a ``.pt2``: the one step that runs entrant's code."""

from __future__ import annotations

import contextlib
import difflib
import importlib.util
import logging
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from micronet_verify.plugin import ExportRequest, GraphBuilder, Problem, SubmissionFault, TranslateRequest, check_batch
from micronet_verify_pytorch.counter import PyTorchCounter
from micronet_verify_pytorch.weights import load_weights

ARTIFACT = "model.pt2"
_LOG = logging.getLogger("micronet_verify.pytorch")
# Kept of a node's notes: the module it came from. The rest names files and objects of this machine.
_KEPT = frozenset({"val", "nn_module_stack", "tensor_meta", "unbacked_bindings"})


def export(request: ExportRequest) -> str:
    """Import the entry, build the model, load its weights, export it with a free batch (or batch 1) and save it without samples."""
    model = _built(request)
    if request.weights:
        _theirs(request, "loading the weights", lambda: load_weights(model, request.entry / request.weights, request.weights))
    _theirs(request, "calling eval() of the model", model.eval)
    _exported(model, request, request.folder / ARTIFACT)
    _theirs(request, "answering one example", lambda: model(_example(request, 1)))
    return ARTIFACT


def _built(request: ExportRequest) -> nn.Module:
    source, _, attribute = request.entry_point.partition(":")
    file = request.entry / source
    if not file.is_file() or not attribute:
        raise SubmissionFault(Problem(f"the entry point {request.entry_point!r}", "be file.py:callable of the entry", "source.entry_point"))
    name = f"micronet_entry_{file.stem}"  # not its own: an entry may be called json.py
    sys.path.insert(0, str(file.parent))  # an entry may import its other files
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    load = spec.loader.exec_module
    _theirs(request, f"importing {source}", lambda: load(module))
    make = getattr(module, attribute, None)
    if not callable(make):
        raise SubmissionFault(Problem(f"no callable {attribute!r} in {source}", "be there", "source.entry_point", _near(attribute, module)))
    model = _theirs(request, f"calling {attribute}()", make)
    if not isinstance(model, nn.Module):
        raise SubmissionFault(Problem(f"{type(model).__name__} from {attribute}()", "be a torch.nn.Module", request.entry_point))
    return model


def _near(name: str, module: ModuleType) -> str:
    near = difflib.get_close_matches(name, [other for other, value in vars(module).items() if callable(value)], 1)
    return f"did you mean {near[0]!r}?" if near else ""


def _theirs(request: ExportRequest, doing: str, action: Callable[[], Any]) -> Any:
    """Run entrant's code; what it raises is theirs to mend, in one sentence with the line of their file."""
    try:
        return action()
    except SubmissionFault:
        raise
    except (Exception, SystemExit) as error:
        where = _place(request.entry, error) or request.entry_point
        raise SubmissionFault(Problem(f"{_last_line(error)} while {doing}", "succeed", where, _advice(request, error))) from None


def _advice(request: ExportRequest, error: BaseException) -> str:
    """What to do about the failures that people meet most."""
    text = f"{type(error).__name__}: {error}"
    return next((advice for words, advice in _KNOWN if all(word in text for word in words)), "").format(request.input_format)


# Words of an error, all of them, and what to do.
_KNOWN: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("DataDependent", "guard on data-dependent"),
        "choose between two ways with torch.cond(predicate, one, other, (x,)), or between values with torch.where",
    ),
    (("DataDependent",), "a size that the data decides cannot be counted: keep the size, and select with a mask and torch.where"),
    (("ScriptModule",), "return the nn.Module itself, not what torch.jit makes of it"),
    (("PackedParams",), "packed quantized modules cannot be exported: use the PT2E flow, or torch.fake_quantize_per_tensor_affine"),
    (("missing", "required positional argument"), "the entry point takes no argument: give each a default"),
    *(
        (words, "the track feeds {}: convert inside forward(), x.to(…), so that the conversion is part of what is judged")
        for words in (("should be the same", "type"), ("same dtype",), ("expected m1 and m2",), ("but got", "dtype"), ("Found dtype",))
    ),
)


def _last_line(error: BaseException) -> str:
    """``ValueError: the first line of the message``."""
    message = str(error).strip().splitlines()
    return f"{type(error).__name__}: {message[0][:200]}" if message else type(error).__name__


def _place(entry: Path, error: BaseException) -> str:
    """The deepest line of the traceback that lies in the entry, as ``file.py:12``."""
    root, place = entry.resolve(), ""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).resolve().is_relative_to(root):
        return f"{Path(error.filename).resolve().relative_to(root).as_posix()}:{error.lineno}"
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename).resolve()
        if path.is_relative_to(root):
            place = f"{path.relative_to(root).as_posix()}:{frame.lineno}"
    return place


def _exported(model: nn.Module, request: ExportRequest, path: Path) -> None:
    """With a free batch if the model allows it and keeps examples apart, else with batch 1."""
    why = ""
    try:
        _save(_traced(model, request, 2, ({0: torch.export.Dim("batch")},)), path)
        why = _meeting(path)
    except (Exception, SystemExit) as error:
        # Any failure: an operator without symbolic shapes, a Python int made of the batch, a check of torch itself.
        why = _last_line(error)
    if why:
        _LOG.warning("%s is exported for one example at a time, not with a free batch: %s", request.entry_point, why)
        program = _theirs(request, "exporting the model for one example", lambda: _traced(model, request, 1, None))
        _theirs(request, "saving the exported model", lambda: _save(program, path))


def _meeting(path: Path) -> str:
    """Why a model of free batch would be refused: examples meet in it. What has no price is told by the count."""
    builder, counter = GraphBuilder(None), PyTorchCounter()
    with contextlib.suppress(SubmissionFault):
        graph = counter.translate(TranslateRequest(path), builder)
        try:
            check_batch(counter, path, graph, builder)
        except SubmissionFault as fault:
            return str(fault.problems[0])
    return ""


def _save(program: torch.export.ExportedProgram, path: Path) -> None:
    """Write the archive without samples of inputs, and without names of this machine."""
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                node.meta = {key: value for key, value in node.meta.items() if key in _KEPT}
    program._example_inputs = None  # they would be saved as a pickle
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(program, path)


def _traced(model: nn.Module, request: ExportRequest, batch: int, dynamic: Any) -> torch.export.ExportedProgram:
    # The same graph wherever it is exported: where opt_einsum is installed, torch would plan products by it, and fix the batch.
    torch.backends.opt_einsum.enabled = False
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        return torch.export.export(model, (_example(request, batch),), dynamic_shapes=dynamic).run_decompositions({})


def _example(request: ExportRequest, batch: int) -> torch.Tensor:
    return torch.zeros((batch, *request.example_shape), dtype=getattr(torch, request.input_format))
