"""What the plugins' hooks hand over: each called once, everything that it gives looked at, and what two claim given to neither.

A hook that fails, or gives something else than it should, costs its plugin what that hook would have brought. Where two plugins
claim one name, the plugin of this project keeps it; where neither is of this project, neither has it, so that what an entry is
judged by never depends on the order of an installation.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from micronet_verify.errors import Problem
from micronet_verify.framework.guard import contained, sentence
from micronet_verify.framework.installed import Broken, installed
from micronet_verify.framework.origin import Origin

T = TypeVar("T")

OURS = frozenset({"micronet-verify", "micronet-verify-onnx", "micronet-verify-pytorch", "micronet-verify-tensorflow"})
"""The distributions of this project, whose names nobody else can claim."""


@dataclass(frozen=True, slots=True)
class Offer(Generic[T]):
    """One thing that a hook handed over, and the plugin that did."""

    origin: Origin
    item: T


@dataclass(frozen=True, slots=True)
class Offers(Generic[T]):
    """What can be used, by name, and what cannot."""

    usable: Mapping[str, Offer[T]]
    broken: tuple[Broken, ...]

    def lost(self, *names: str) -> tuple[Problem, ...]:
        """Why what is called by one of ``names`` is missing: of the broken plugins that were to bring it."""
        return tuple(each.problem for each in self.broken if not {*each.names, each.origin.entry}.isdisjoint(names))

    def unknown(self) -> tuple[Problem, ...]:
        """Of the broken plugins that may have brought anything."""
        return tuple(each.problem for each in self.broken if not each.names)


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """What a hook should hand over: ``wrong`` says of an item what it is and what it should be; ``claims`` are the names that it takes.

    The first claim is its name. ``taken``: names that the judge itself has.
    """

    hook: str
    what: str
    wrong: Callable[[Any], tuple[str, str] | None]
    claims: Callable[[T], tuple[str, ...]]
    taken: Collection[str] = ()


def collect(kind: Kind[T]) -> Offers[T]:
    """Call the hook of every plugin."""
    given = list[Offer[T]]()
    broken = [each for each in installed().broken if each.hook in ("", kind.hook)]
    for plugin in installed().plugins:
        if kind.hook in plugin.hooks:
            items, problem = _called(plugin.origin, plugin.hooks[kind.hook], kind)
            given += (Offer(plugin.origin, item) for item in items)
            if problem is not None:
                broken.append(Broken(plugin.origin, problem, kind.hook))
    claimed: dict[str, list[Offer[T]]] = {}
    for offer in given:
        for name in dict.fromkeys(kind.claims(offer.item)):
            claimed.setdefault(name, []).append(offer)
    usable = dict[str, Offer[T]]()
    for offer in given:
        problem = next(filter(None, (_contested(kind, name, offer, claimed[name]) for name in kind.claims(offer.item))), None)
        if problem is None:
            usable[kind.claims(offer.item)[0]] = offer
        else:
            broken.append(Broken(offer.origin, problem, kind.hook, kind.claims(offer.item)))
    return Offers(dict(sorted(usable.items())), tuple(broken))


def _called(origin: Origin, hook: Callable[..., object], kind: Kind[T]) -> tuple[Sequence[T], Problem | None]:
    with contained() as attempt:
        result = hook()
    if attempt.error is not None:
        return (), origin.problem(f"{sentence(attempt.error)} in {kind.hook}", "return without an error")
    with contained() as look:
        items: list[Any] = list(result) if isinstance(result, tuple | list) else [result]
        wrong = next(filter(None, map(kind.wrong, items)), None)
    if look.error is not None:
        return (), origin.problem(f"{sentence(look.error)} in what {kind.hook} returned", f"be {kind.what}, or a tuple of them")
    if wrong is not None:
        return (), origin.problem(f"{wrong[0]} from {kind.hook}", wrong[1])
    return items, None


def _contested(kind: Kind[T], name: str, offer: Offer[T], claimants: Iterable[Offer[T]]) -> Problem | None:
    """Why ``offer`` may not have ``name``."""
    others = [each for each in claimants if each is not offer]
    if name in kind.taken:
        other = "which is the judge's own,"
    elif not others or (offer.origin.distribution in OURS and not any(each.origin.distribution in OURS for each in others)):
        return None
    else:
        ours = next((each for each in others if each.origin.distribution in OURS), others[0])
        other = f"which {ours.origin} has, too," if ours.origin != offer.origin else "which it has twice,"
    advice = f"give it another, or uninstall one of the two: pip uninstall {offer.origin.distribution}"
    return offer.origin.problem(f"the name {name!r} from {kind.hook}, {other}", "be its own", advice)


def told(item: object) -> str:
    """What came in place of what a hook should give, in words."""
    if item is None:
        return "None"
    return f"{_article(type(item).__name__)} in place of an answer"


def _article(word: str) -> str:
    return f"{'an' if word[:1].lower() in 'aeiou' else 'a'} {word}"
