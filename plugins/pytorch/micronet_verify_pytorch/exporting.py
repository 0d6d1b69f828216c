"""Turns a source entry into a ``.pt2``: the one step that runs entrant's code."""

from __future__ import annotations

import importlib.util
import logging
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.framework.protocols import ExportRequest

ARTIFACT = "model.pt2"
_LOG = logging.getLogger("micronet_verify.pytorch")
# Kept of a node's notes: the module it came from. The rest names files and objects of this machine.
_KEPT = frozenset({"val", "nn_module_stack", "tensor_meta", "unbacked_bindings"})


def export(request: ExportRequest, folder: Path) -> str:
    """Import the entry, build the model, load its weights, export it with a free batch (or batch 1) and save it without samples."""
    model = _built(request)
    if request.weights:
        _theirs(request, "loading the weights", lambda: _load(model, request.entry / request.weights, request.weights))
    _theirs(request, "calling eval() of the model", model.eval)
    program = _exported(model, request)
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                node.meta = {key: value for key, value in node.meta.items() if key in _KEPT}
    program._example_inputs = None  # they would be saved as a pickle
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _theirs(request, "saving the exported model", lambda: torch.export.save(program, folder / ARTIFACT))
    return ARTIFACT


def _built(request: ExportRequest) -> nn.Module:
    source, _, attribute = request.entry_point.partition(":")
    file = request.entry / source
    if not file.is_file() or not attribute:
        raise SubmissionFault(Problem(f"the entry point {request.entry_point!r}", "be file.py:callable of the entry"))
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
        raise SubmissionFault(Problem(f"no callable {attribute!r} in {source}", "be there", request.entry_point))
    model = _theirs(request, f"calling {attribute}()", make)
    if not isinstance(model, nn.Module):
        raise SubmissionFault(Problem(f"{type(model).__name__} from {attribute}()", "be a torch.nn.Module", request.entry_point))
    return model


def _theirs(request: ExportRequest, doing: str, action: Callable[[], Any]) -> Any:
    """Run entrant's code; what it raises is theirs to mend, in one sentence with the line of their file."""
    try:
        return action()
    except SubmissionFault:
        raise
    except (Exception, SystemExit) as error:
        raise SubmissionFault(Problem(f"{_last_line(error)} while {doing}", "succeed", _place(request.entry, error))) from None


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


def _load(model: nn.Module, file: Path, name: str) -> None:
    """Weights by name, all of them and no others; a tied weight may be in the file once."""
    try:
        given = load_file(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise SubmissionFault(Problem(f"weights that cannot be read ({_last_line(error)})", "be a safetensors file", name)) from None
    wanted = model.state_dict()
    tied = {(tensor.data_ptr(), tensor.shape) for key, tensor in wanted.items() if key in given}
    missing = sorted(key for key, tensor in wanted.items() if key not in given and (tensor.data_ptr(), tensor.shape) not in tied)
    unexpected = sorted(given.keys() - wanted.keys())
    problems = []
    if missing:
        problems.append(Problem(f"no weights for {', '.join(missing)}", "hold every tensor of the model", name))
    if unexpected:
        problems.append(Problem(f"weights for {', '.join(unexpected)}", "hold tensors of the model only", name))
    for key in sorted(given.keys() & wanted.keys()):
        if given[key].shape != wanted[key].shape:
            problems.append(Problem(f"{key} of shape {tuple(given[key].shape)}", f"be {tuple(wanted[key].shape)} as in the model", name))
    if problems:
        raise SubmissionFault(problems)
    model.load_state_dict(given, strict=False)


def _exported(model: nn.Module, request: ExportRequest) -> torch.export.ExportedProgram:
    """With a free batch if the model allows it, else with batch 1."""
    try:
        return _traced(model, request, 2, ({0: torch.export.Dim("batch")},))
    except (Exception, SystemExit) as error:
        # Any failure: an operator without symbolic shapes, a Python int made of the batch, a check of torch itself.
        _LOG.warning(
            "%s does not export with a free batch (%s): it is exported for one example at a time", request.entry_point, _last_line(error)
        )
    return _theirs(request, "exporting the model for one example", lambda: _traced(model, request, 1, None))


def _traced(model: nn.Module, request: ExportRequest, batch: int, dynamic: Any) -> torch.export.ExportedProgram:
    example = torch.zeros((batch, *request.example_shape), dtype=getattr(torch, request.input_format))
    # The same graph wherever it is exported: where opt_einsum is installed, torch would plan products by it, and fix the batch.
    torch.backends.opt_einsum.enabled = False
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        return torch.export.export(model, (example,), dynamic_shapes=dynamic).run_decompositions({})
