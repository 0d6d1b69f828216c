"""Steppers of a language model that go wrong in their own way."""

from __future__ import annotations

from collections.abc import Mapping

from micronet_verify.framework.requests import StepRequest
from micronet_verify.testing.program import Array
from tests.testing.neutral.form import read
from tests.testing.neutral.loader import NeutralLoader, NeutralStepper


class Stepped(NeutralLoader):
    """A loader with another stepper."""

    def __init__(self, stepper: type[NeutralStepper]) -> None:
        super().__init__()
        self._stepper = stepper

    def stepper(self, request: StepRequest) -> NeutralStepper:
        return self._stepper(read(request.artifact))


class Forgetful(NeutralStepper):
    """Begins anew with every text that it is fed."""

    def feed(self, tokens: Array, rows: Array) -> Mapping[str, tuple[int, ...]]:
        self.start()
        return super().feed(tokens, rows)


class Stateless(NeutralStepper):
    """Begins anew with every word."""

    def feed(self, tokens: Array, rows: Array) -> Mapping[str, tuple[int, ...]]:
        for at in range(len(tokens)):
            self.start()
            super().feed(tokens[at : at + 1], rows[at : at + 1])
        return {}


class Unstoppable(NeutralStepper):
    """Goes on with the text before."""

    def start(self, states: object = None) -> None:
        if not hasattr(self, "_states"):
            super().start()


class FromZeros(NeutralStepper):
    """Begins from zeros, whatever it is given."""

    def start(self, states: object = None) -> None:
        super().start()


class Late(NeutralStepper):
    """Its state is the one before the last word."""

    def feed(self, tokens: Array, rows: Array) -> Mapping[str, tuple[int, ...]]:
        super().feed(tokens[:-1], rows[:-1])
        self._kept = super().state()
        return super().feed(tokens[-1:], rows[-1:])

    def state(self) -> tuple[Array, ...]:
        return self._kept
