"""Lines of the op table: how an operator of torch is charged, in which overloads, and what it does to memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

from micronet_verify.plugin import Refusal, plugin

Rule = TypeVar("Rule")
Rule_co = TypeVar("Rule_co", covariant=True)
Alias = Literal["", "part", "same"]


@dataclass(frozen=True, slots=True)
class Line(plugin.Line[Rule_co]):
    """``overloads``: none stands for all. ``alias``: the result may share memory with the first operand (``part``) or is it
    (``same``). ``changes``: in place."""

    overloads: frozenset[str] = frozenset()
    alias: Alias = ""
    changes: bool = False


def priced(rule: Rule, overloads: str = "default", note: str = "") -> Line[Rule]:
    return Line(rule, "priced", note, overloads=frozenset(overloads.split()))


def moves(rule: Rule, overloads: str = "default", alias: Alias = "", note: str = "") -> Line[Rule]:
    return Line(rule, "moves", note, overloads=frozenset(overloads.split()), alias=alias)


def free(rule: Rule, overloads: str = "default", note: str = "") -> Line[Rule]:
    return Line(rule, "free", note, overloads=frozenset(overloads.split()))


def refused(what: str, should: str, advice: str = "") -> Refusal:
    """Any overload of an operator that cannot be counted."""
    return Refusal(what, advice, should)


def by_data(what: str) -> Refusal:
    return refused(what, "have a shape known at export", "the work would depend on the data; use a mask and torch.where")


def unpriced(what: str) -> Refusal:
    return refused(what, "be written with operators that have a price", "matrix products and element-wise arithmetic have one")


RANDOM = refused("random numbers", "be the same for every run", "export after model.eval(), and store what was drawn as a buffer")
