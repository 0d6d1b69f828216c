"""Loads the safetensors weights of a source entry into its model: every tensor of the model, and no others."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from micronet_verify.plugin import Problem, SubmissionFault, instead

# What wrappers put before the names of a model's tensors.
_WRAPPERS = {"module.": "torch.nn.DataParallel", "_orig_mod.": "torch.compile"}
_MOST_NAMES = 8


def load_weights(model: nn.Module, file: Path, name: str) -> None:
    """Weights by name; a tied weight may be in the file once. Raises ``SubmissionFault`` with everything that does not fit."""
    if not file.is_file():
        raise SubmissionFault(Problem(f"no file {name!r}", "be in the entry", "source.weights"))
    try:
        given = load_file(file)
    except (SafetensorError, OSError, ValueError) as error:
        advice = "save them with safetensors.torch.save_file(model.state_dict(), …)"
        other = instead(file, "a safetensors file")
        got = other.got if other else f"weights that cannot be read ({type(error).__name__}: {str(error).splitlines()[0][:120]})"
        raise SubmissionFault(Problem(got, "be a safetensors file", name, advice)) from None
    wanted = model.state_dict()
    tied = {(tensor.data_ptr(), tensor.shape) for key, tensor in wanted.items() if key in given}
    missing = sorted(key for key, tensor in wanted.items() if key not in given and (tensor.data_ptr(), tensor.shape) not in tied)
    unexpected = sorted(given.keys() - wanted.keys())
    problems = []
    advice = _advice(missing, unexpected)
    if missing:
        problems.append(Problem(f"no weights for {_listed(missing)}", "hold every tensor of the model", name, advice))
    if unexpected:
        problems.append(Problem(f"weights for {_listed(unexpected)}", "hold tensors of the model only", name, "" if missing else advice))
    for key in sorted(given.keys() & wanted.keys()):
        if given[key].shape != wanted[key].shape:
            problems.append(Problem(f"{key} of shape {tuple(given[key].shape)}", f"be {tuple(wanted[key].shape)} as in the model", name))
    if problems:
        raise SubmissionFault(problems)
    model.load_state_dict(given, strict=False)


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more:,} more" if more > 0 else "")


def _advice(missing: Collection[str], unexpected: Collection[str]) -> str:
    """What the names have in common: a wrapper's prefix too many or too few, else the nearest name."""
    if not missing or not unexpected:
        return ""
    for one, other, what in ((unexpected, missing, "leave out"), (missing, unexpected, "put")):
        prefix = _common(one, other)
        if prefix:
            origin = f" of {_WRAPPERS[prefix]}" if prefix in _WRAPPERS else ""
            return f"{what} {prefix!r}{origin} before every name"
    first = next(iter(unexpected))
    near = difflib.get_close_matches(first, list(missing), 1)
    return f"did you mean {near[0]!r} by {first!r}?" if near else ""


def _common(longer: Collection[str], shorter: Collection[str]) -> str:
    """The prefix, of whole words, by which every name of ``longer`` is a name of ``shorter``; ``""`` where there is none."""
    first, known = min(longer), set(shorter)
    prefixes = [first[: place + 1] for place, letter in enumerate(first) if letter == "."]
    for prefix in prefixes:
        if all(name.startswith(prefix) and name[len(prefix) :] in known for name in longer):
            return prefix
    return ""
