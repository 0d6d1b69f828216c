"""How a plugin calls the builder, told from what an entrant's file makes of it.

A kind that there is not, an attribute of the wrong type, a list for a tuple, an axis counted from the end: no file can bring these
about in a plugin that keeps to the interface, so they are the plugin's defect (``PluginFault``). Operands whose shapes do not fit
are the file's, and stay the entrant's fault.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from micronet_verify.errors import PluginFault, Problem
from micronet_verify.facts.formats import NumericFormat
from micronet_verify.facts.graph import Graph, Value
from micronet_verify.facts.kinds import attribute_problems

# Kinds whose ``axis`` may be −1: one scale for the whole tensor.
_WHOLE = ("quantize", "dequantize")
_AXES = ("axis", "axes", "perm")
_SIZES = ("reshape", "expand", "tile")


def check_call(
    kind: object,
    operands: Sequence[object],
    fmts: Sequence[object],
    attributes: Mapping[str, object],
    bodies: Sequence[object],
    where: str,
) -> None:
    """Raise ``PluginFault`` unless a node is asked for in the types and words that there are."""
    for operand in operands:
        if operand is not None and not isinstance(operand, Value):
            _refuse(f"{_shown(operand)} as an operand of {kind}", "be a Value that the builder gave, or None", where)
    for fmt in fmts:
        if fmt is not None and not isinstance(fmt, NumericFormat):
            _refuse(f"fmt={_shown(fmt)} of {kind}", "be a NumericFormat, or None", where)
    for body in bodies:
        if not isinstance(body, Graph):
            _refuse(f"{_shown(body)} as a body of {kind}", "be the Graph that finish() gave", where)
        elif kind == "branch" and body.inputs:
            _refuse("a body of branch with inputs of its own", "have none: it reads the values around it as they are", where)
    if not isinstance(kind, str):
        raise PluginFault(Problem(f"the kind {_shown(kind)}", "be a word", where))
    if problems := attribute_problems(kind, len(operands), attributes, len(bodies), where):
        raise PluginFault(problems)
    if kind not in _WHOLE and operands and isinstance(operands[0], Value):
        _check_axes(kind, operands[0], attributes, where)


def check_outputs(outputs: object, where: str) -> None:
    """Raise ``PluginFault`` unless ``outputs`` is a sequence of values."""
    if not isinstance(outputs, list | tuple) or not all(isinstance(each, Value) for each in outputs):
        _refuse(f"finish({_shown(outputs)})", "be given the output values in a list", where)


def check_value(shape: object, fmt: object, where: str) -> None:
    """Raise ``PluginFault`` unless a value is asked for with sizes and a number format."""
    if not isinstance(shape, list | tuple) or any(isinstance(size, bool) or not hasattr(size, "__index__") for size in shape):
        _refuse(f"the shape {_shown(shape)}", "be a tuple of whole numbers", where)
    if not isinstance(fmt, NumericFormat):
        _refuse(f"the format {_shown(fmt)}", "be a NumericFormat: numeric_format('float32')", where)


def check_place(path: object, offset: object, strides: object, where: str) -> None:
    """Raise ``PluginFault`` unless a constant is placed by a file's name, a number of bytes, and strides in a tuple."""
    if not isinstance(path, str) or isinstance(offset, bool) or not hasattr(offset, "__index__"):
        _refuse(f"a constant at {_shown(path)}, {_shown(offset)}", "be at a file's name and an offset in bytes", where)
    if strides is not None and not isinstance(strides, tuple):
        _refuse(f"strides={_shown(strides)}", "be a tuple, in elements", where)


def _check_axes(kind: str, first: Value, attributes: Mapping[str, object], where: str) -> None:
    """An axis from the end of a tensor that has it, or a size that is to be worked out: both mean something elsewhere, not here."""
    rank = len(first.shape)
    for name in _AXES:
        given = attributes.get(name, ())
        for axis in given if isinstance(given, tuple) else (given,):
            if isinstance(axis, int) and -rank <= axis < 0:
                _refuse(f"{name}={given!r} of {kind}", f"be counted from the front: {axis % rank} for {axis}", where)
    sizes = attributes.get("shape", ())
    if attributes.get("op") in _SIZES and isinstance(sizes, tuple) and -1 in sizes:
        _refuse(f"shape={sizes!r} of {kind}", "have every size worked out", where)


def _refuse(got: str, should: str, where: str) -> None:
    raise PluginFault(Problem(got, should, where))


def _shown(item: object) -> str:
    text = repr(item)
    return text if len(text) <= 60 and "\n" not in text else f"{type(item).__name__}"
