"""Einsum lowered to ``matmul`` nodes, two operands at a time: one lowering for the plugins that have it."""

from __future__ import annotations

import string
from collections.abc import Sequence

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.graph import Value
from micronet_verify.framework.builder import GraphBuilder


def einsum(builder: GraphBuilder, equation: str, operands: Sequence[Value], path: Sequence[int] = ()) -> Value:
    """The contraction that ``equation`` describes; an index leaves as soon as nobody after needs it.

    Left to right, or as ``path`` says: pairs of places, whose product stands last. Raises ``SubmissionFault`` for an equation that does
    not fit the operands, or that takes a diagonal.
    """
    terms, out = _terms(builder, equation, operands)
    left, order = list(zip(operands, terms, strict=True)), list(path)
    while len(left) > 1:
        i, j = (order.pop(0), order.pop(0)) if len(order) > 1 else (0, 1)
        if i == j or not {i, j} <= set(range(len(left))):
            raise SubmissionFault(Problem(f"a contraction of operands {i} and {j}", f"be of two of {len(left)}", builder.where))
        (value, term), (other, right) = left[i], left[j]
        rest = [each for at, each in enumerate(left) if at not in (i, j)]
        later = set(out).union(*(label for _, label in rest))
        other, right = _summed(builder, other, right, later | set(term))
        value, term = _summed(builder, value, term, later | set(right))
        kept = "".join(dict.fromkeys(label for label in term + right if label in later)) if rest else out
        made = builder.emit("matmul", value, other, left=term, right=right, out=kept), kept
        left = [*rest, made] if order else [made, *rest]
    value, term = _summed(builder, *left[0], set(out))
    return builder.transpose(value, [term.index(label) for label in out])


def _terms(builder: GraphBuilder, equation: str, operands: Sequence[Value]) -> tuple[list[str], str]:
    """The index letters of each operand and of the result, with ``...`` written out."""

    def refusal(got: str, should: str, advice: str = "") -> SubmissionFault:
        return SubmissionFault(Problem(got, should, builder.where, advice))

    inputs, arrow, out = equation.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(operands):
        raise refusal(f"the equation {equation!r} for {len(operands)} operands", "have one term each")
    free = [letter for letter in string.ascii_letters if letter not in equation]
    extra = [len(value.shape) - len(term.replace("...", "")) for term, value in zip(terms, operands, strict=True)]
    if max(extra) > len(free):
        raise refusal(f"the equation {equation!r}", "have as many letters as axes")
    dots = "".join(free[: max(0, *extra)])
    for index, (term, value) in enumerate(zip(terms, operands, strict=True)):
        letters = term.replace("...", dots[len(dots) - extra[index] :] if extra[index] > 0 else "")
        if len(letters) != len(value.shape) or len(set(letters)) != len(letters):
            got = f"the term {term!r} for a tensor of shape {value.shape}"
            raise refusal(got, "name each axis once", "diagonals cannot be counted")
        terms[index] = letters
    if not arrow:
        letters = "".join(terms)
        out = ("..." if "..." in inputs else "") + "".join(sorted({c for c in letters if letters.count(c) == 1 and c not in dots}))
    out = out.replace("...", dots)
    if len(set(out)) != len(out) or not set(out) <= set("".join(terms)):
        raise refusal(f"the equation {equation!r}", "have each index of the result once, and in an operand")
    return terms, out


def _summed(builder: GraphBuilder, value: Value, term: str, needed: set[str]) -> tuple[Value, str]:
    """Indices that only this operand has are summed before the product."""
    axes = tuple(axis for axis, label in enumerate(term) if label not in needed)
    if not axes:
        return value, term
    return builder.emit("reduce", value, op="sum", axes=axes, keepdims=False), "".join(label for label in term if label in needed)
