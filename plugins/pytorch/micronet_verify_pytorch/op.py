"""A line of the op table: how an operator is charged, and what translates it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from micronet_verify.plugin import Graph, GraphBuilder
from micronet_verify_pytorch.call import Argument, Call, Item, Results
from micronet_verify_pytorch.program import ProgramGraph, Step


class Subgraphs(Protocol):
    """What the rule of an operator with bodies needs of the translator."""

    def inner(self) -> Subgraphs:
        """One for a body, which sees the values around it."""
        ...

    def bind(self, name: str, value: Item | tuple[Item, ...]) -> None: ...

    def run(self, graph: ProgramGraph, builder: GraphBuilder) -> Sequence[Item]: ...

    def finish(self, graph: ProgramGraph, builder: GraphBuilder, own: bool = False) -> Graph | None: ...


Charge = Literal["priced", "moves", "free", "refused"]
BodyTranslate = Callable[[Subgraphs, Step, Sequence[Argument], GraphBuilder], Results]


@dataclass(frozen=True, slots=True)
class Op:
    """``alias``: the result may share memory with the first operand (``part``) or is it (``same``). ``changes``: in place."""

    charge: Charge
    translate: Callable[[Call], Results]
    overloads: frozenset[str]
    note: str = ""
    alias: Literal["", "part", "same"] = ""
    changes: bool = False
    body: BodyTranslate | None = None


def priced(translate: Callable[[Call], Results], overloads: str = "default", note: str = "") -> Op:
    return Op("priced", translate, frozenset(overloads.split()), note)


def moves(translate: Callable[[Call], Results], overloads: str = "default", alias: Literal["", "part", "same"] = "", note: str = "") -> Op:
    return Op("moves", translate, frozenset(overloads.split()), note, alias)


def free(translate: Callable[[Call], Results], overloads: str = "default", note: str = "") -> Op:
    return Op("free", translate, frozenset(overloads.split()), note)


def refused(what: str, should: str, advice: str = "") -> Op:
    """Any overload of an operator that cannot be counted."""

    def translate(call: Call) -> Results:
        call.refuse(what, should, advice)

    return Op("refused", translate, frozenset(), f"{what}: should {should}" + (f" ({advice})" if advice else ""))


def with_bodies(translate: BodyTranslate, charge: Charge, note: str) -> Op:
    return Op(charge, _none, frozenset({""}), note, body=translate)


def random() -> Op:
    return refused("random numbers", "be the same for every run", "export after model.eval(), and store what was drawn as a buffer")


def by_data(what: str) -> Op:
    return refused(what, "have a shape known at export", "the work would depend on the data; use a mask and torch.where")


def unpriced(what: str) -> Op:
    return refused(what, "be written with operators that have a price", "matrix products and element-wise arithmetic have one")


def _none(call: Call) -> Results:
    return ()
