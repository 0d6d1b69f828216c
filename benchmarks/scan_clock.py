"""Tells the scanning of values apart from graph work: a clock around every question that reads a whole tensor."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property, wraps
from typing import Any

from micronet_verify.analysis.rewrites import norms_that_stay as worth
from micronet_verify.analysis.tensors.constants import Constant
from micronet_verify.analysis.tensors.measured import Measured
from micronet_verify.counting import analysed, inventory, storage
from micronet_verify.counting.forms import cheapest

_PROPERTIES = ("nonzeros_per_row", "grids", "exact_half", "distinct", "_integer_bits", "all_zero")
_FORMS = ((storage, "freebie_form"), (storage, "quantized_form"), (cheapest, "quantized_form"))


class ScanClock:
    """While it is entered, ``seconds`` adds up the processor time of the questions about values; ``tensors`` are those asked about.

    Processor time, because a scan is cut into pieces by whatever else runs, and a short copy beside it is not.
    """

    def __init__(self, on: bool = True) -> None:
        self.seconds = 0.0
        self._on = on
        self.tensors: dict[str, Constant] = {}
        self._inside = False
        self._undo: list[Callable[[], None]] = []

    def __enter__(self) -> ScanClock:
        if self._on:
            for name in _PROPERTIES:
                self._replace(_property(name), "func")
            for owner, name in (*_FORMS, (inventory, "without_twins"), *((room, "screen_many") for room in (inventory, analysed, worth))):
                self._replace(owner, name)
        return self

    def __exit__(self, *error: object) -> None:
        while self._undo:
            self._undo.pop()()

    def _replace(self, owner: Any, name: str) -> None:
        original = getattr(owner, name)
        setattr(owner, name, self._timed(original))
        self._undo.append(lambda: setattr(owner, name, original))

    def _timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            if self._inside:
                return function(*args, **kwargs)
            self._inside, start = True, time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += time.thread_time() - start
                self._inside = False
                if isinstance(args[0], Measured):
                    self.tensors.setdefault(args[0].constant.key, args[0].constant)

        return timed


def _property(name: str) -> cached_property[Any]:
    found = Measured.__dict__[name]
    assert isinstance(found, cached_property)
    return found
