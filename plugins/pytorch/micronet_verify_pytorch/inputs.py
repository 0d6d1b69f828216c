"""Declared sizes as numbers: the symbol of the batch is bound, and no other may be free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from micronet_verify.plugin import Problem, Shape, SubmissionFault, input_shape, inputs
from micronet_verify_pytorch.expressions import UnknownSymbol, evaluate, symbol_name
from micronet_verify_pytorch.program import Program

BATCH = "torch.export with dynamic_shapes={0: torch.export.Dim('batch')}, or with an example of batch 1"


def bind_batch(program: Program, batch: int = 1, chunk: bool = False) -> dict[str, int]:
    """The batch symbol, bound to ``batch``; nothing where it is fixed at 1. Raises ``SubmissionFault`` for another fixed batch.

    ``chunk``: tokens come first, and may be fixed in any number.
    """
    if not program.inputs:
        raise SubmissionFault(Problem("a model without inputs", "have one", program.path.name))
    name = program.inputs[0]
    sizes, where = program.graph.metas[name].sizes if name in program.graph.metas else (), f"input {name!r}"
    input_shape([None if isinstance(size, str) else 1 if chunk else size for size in sizes[:1]], where, batch, BATCH)
    first = sizes[-1 if chunk else 0]
    if isinstance(first, int):
        return {}
    symbol = symbol_name(first)
    if symbol is None:
        raise SubmissionFault(Problem(f"a batch of {first[:80]}", "be 1 or free (dynamic)", where, BATCH))
    return {symbol: batch}


def shape_of(sizes: Sequence[int | str], symbols: Mapping[str, int], where: str) -> Shape:
    """Declared sizes at this batch. Raises ``SubmissionFault``."""
    shape = []
    for axis, size in enumerate(sizes):
        try:
            shape.append(size if isinstance(size, int) else evaluate(size, symbols))
        except UnknownSymbol as symbol:
            raise SubmissionFault(Problem(f"a free axis {axis} ({symbol})", "have a fixed size", where, inputs.FIXED)) from None
        except ValueError as error:
            raise SubmissionFault(Problem(str(error), "be an integer expression", where)) from None
    return tuple(shape)
