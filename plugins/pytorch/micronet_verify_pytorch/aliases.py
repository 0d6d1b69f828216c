"""Which names of a graph are one tensor, so that an operator in place (``relu_``) is counted for what it does.

After ``run_decompositions({})`` there are none. In a graph straight from torch.export, ``y = x.relu_()`` changes what
``x`` means from there on; that is followed where it is safe and refused where another view of the tensor is read later.
"""

from __future__ import annotations

from collections.abc import Iterable

from micronet_verify_pytorch.program import Argument, ProgramGraph, Ref


class Aliases:
    """Regions of names that may share memory; within a region, groups of names that are the very same tensor."""

    def __init__(self, graph: ProgramGraph) -> None:
        self.last_use: dict[str, int] = {}
        for index, step in enumerate(graph.steps):
            for name in names_in((*step.arguments.values(), *step.positional)):
                self.last_use[name] = index
        for name in names_in(graph.outputs):
            self.last_use[name] = len(graph.steps)
        self._kept = set(graph.inputs)
        self._region: dict[str, set[str]] = {}
        self._group: dict[str, set[str]] = {}

    def used(self, name: str | None) -> bool:
        return name in self.last_use

    def join(self, new: str, old: str, same: bool) -> None:
        """``new`` may share memory with ``old``; ``same``: it is the same tensor, element for element."""
        for sets, wanted in ((self._region, True), (self._group, same)):
            if wanted:
                members = sets.setdefault(old, {old})
                members.add(new)
                sets[new] = members

    def change(self, name: str, index: int) -> tuple[set[str], str | None]:
        """``name`` is changed in place by step ``index``: the names that mean the result from now on, and why not.

        The second is ``None``, or the name of another view that is read later, or of an input that is kept.
        """
        region, group = self._region.get(name, {name}), self._group.get(name, {name})
        for other in sorted(region):
            if other in self._kept or (other not in group and self.last_use.get(other, -1) > index):
                return group, other
        return group, None


def names_in(arguments: Iterable[Argument]) -> Iterable[str]:
    """Every name that is read; a subgraph reads its own."""
    for argument in arguments:
        if isinstance(argument, Ref):
            yield argument.name
        elif isinstance(argument, tuple):
            yield from names_in(argument)
