"""Ways to plant a defect in a translation, and the judgement of what comes of it.

``emits``, ``sets`` and ``takes`` change what one operator's rule emits, as a rule with that mistake would have emitted it. ``misreads``
changes what a rule reads from the file, ``replaced`` the rule itself or a function that it calls.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.interpreter.run import constants_of
from micronet_verify.proof.first import First, run_first
from micronet_verify.proof.runs import Given
from micronet_verify.proof.terms import Terms
from tests.executed import predicted
from tests.proof.proved import Proved, prove_graph
from tests.translated import translated

Array = NDArray[Any]
Plant = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Defect:
    """``network``: the one of the plugin's networks that shows it."""

    network: str
    plant: Plant


@dataclass(frozen=True)
class Judged:
    """A model file, the examples of its proof, and what the framework answered to them."""

    framework: str
    path: Path
    given: Given

    def first(self) -> First:
        """Part (a) of the proof: the graph as it is translated now, against the framework."""
        with tempfile.TemporaryDirectory() as folder:
            found = translated(self.framework, self.path, Path(folder))
            return run_first(found.graph, constants_of(found.store), self.given, Terms(), np.random.default_rng(1))

    def proof(self) -> Proved:
        """The whole proof."""
        with tempfile.TemporaryDirectory() as folder:
            found = translated(self.framework, self.path, Path(folder))
            return prove_graph(found.graph, found.store, self.given.rows, self.given.answers)


def judged(framework: str, path: Path, rows: Array) -> Judged:
    """What the plugin's own loader answers to ``rows`` [n, …]."""
    return Judged(framework, path, Given(rows, predicted(framework, path, rows)))


@dataclass
class Emission:
    """A node as a rule is about to emit it. ``builder``: where it goes, for what should stand before it."""

    builder: GraphBuilder
    inputs: list[Any]
    attributes: dict[str, Any]
    fmts: list[Any]

    def turn(self, at: int, perm: tuple[int, ...]) -> None:
        """Transposes an operand."""
        self.inputs[at] = self.builder.transpose(self.inputs[at], perm)

    def flip(self, at: int, axis: int) -> None:
        """Turns an axis of an operand round."""
        self.inputs[at] = self.builder.emit("permute", self.inputs[at], op="flip", axis=axis)


def emits(source: str, kind: str, change: Callable[[Emission], None]) -> Plant:
    """The rule of the operator ``source`` emits its nodes of ``kind`` (or ``kind:op``) as ``change`` leaves them."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        whole, within = GraphBuilder.emit_many, list[Emission]()

        def emit_many(self: GraphBuilder, found: str, inputs: Any, fmts: Sequence[Any], **attributes: Any) -> Any:
            emission = Emission(self, list(inputs), dict(attributes), list(fmts))
            if self._source == source and kind in (found, f"{found}:{attributes.get('op')}") and not within:
                within.append(emission)
                change(emission)
                within.clear()
            return whole(self, found, emission.inputs, emission.fmts, **emission.attributes)

        monkeypatch.setattr(GraphBuilder, "emit_many", emit_many)

    return plant


def sets(source: str, kind: str, only: Mapping[str, Any] | None = None, **attributes: Any) -> Plant:
    """Attributes with other values, or with what a function makes of the right ones; ``None`` leaves one out.

    ``only``: of nodes with these attributes.
    """

    def change(emission: Emission) -> None:
        if any(emission.attributes.get(name) != value for name, value in (only or {}).items()):
            return
        for name, value in attributes.items():
            emission.attributes[name] = value(emission.attributes.get(name)) if callable(value) else value

    return emits(source, kind, change)


def takes(source: str, kind: str, *order: int) -> Plant:
    """Operands in another order; those that are not named are left out."""

    def change(emission: Emission) -> None:
        emission.inputs = [emission.inputs[at] for at in order]

    return emits(source, kind, change)


def misreads(reader: type, operator: str, method: str, name: Any, change: Any) -> Plant:
    """``method`` of the plugin's view of a node gives another answer for the attribute or operand ``name`` of ``operator``."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        whole = getattr(reader, method)

        def read(self: Any, asked: Any, *others: Any, **more: Any) -> Any:
            found = whole(self, asked, *others, **more)
            if asked != name or operator not in (getattr(self, "kind", ""), ".".join(getattr(self, "target", "").split(".")[:2])):
                return found
            return change(found) if callable(change) else change

        monkeypatch.setattr(reader, method, read)

    return plant


def replaced(place: Any, name: str, change: Callable[[Any], Any]) -> Plant:
    """A function of the plugin, or a line of its table, as ``change`` makes it of the right one."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(place, name, change(getattr(place, name)))

    return plant


def ruled(translate: ModuleType, name: Any, rule: Callable[..., Any]) -> Plant:
    """Another rule for the operator ``name`` in the table that a plugin's module ``translate`` reads."""
    return replaced(translate, "TABLE", lambda table: {**table, name: replace(table[name], rule=rule)})


def begins_odd(emission: Emission) -> None:
    """An odd rest of the padding goes to the begin."""
    after, before = emission.attributes["padding"][2:], emission.attributes["padding"][:2]
    emission.attributes["padding"] = (*after, *before)


def backwards(items: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(reversed(items))


def rotated(items: Sequence[Any]) -> tuple[Any, ...]:
    return (*items[1:], *items[:1])


def more(by: float) -> Callable[[Any], Any]:
    """A number that is off by so much; of several, each."""
    return lambda found: tuple(item + by for item in found) if isinstance(found, tuple) else (found or 0) + by


def times(factor: float) -> Callable[[float], float]:
    return lambda found: found * factor


def square(emission: Emission) -> None:
    """The square right factor of a product is transposed."""
    left, right = emission.inputs[1].shape[-2:]
    if left == right:
        emission.attributes["right"] = emission.attributes["right"][:-2] + emission.attributes["right"][:-3:-1]
