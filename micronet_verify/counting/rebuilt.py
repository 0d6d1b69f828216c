"""Constants rebuilt from what the ledger charges, and from nothing else (*whatever was charged must be enough to compute the answers*).

``rebuilt(inventory, constants, regime, rules)`` is the door. It gives, for each name in ``constants`` (those of a rewritten graph),
the array that a node of that graph reads: decoded from the one form in which it is stored, brought to the view that this use has of it,
scaled where a batch norm went into its rows, +0 for every zero. Under the freebie: 11 bits of mantissa (``analysis/tensors/mantissa.py``).

    found = rebuilt(analysed.stock(rules, regime), analysed.rewritten(rules, regime).constants, regime, rules)
    found["conv.weight"]                # decoded when asked for, and kept
    found.why("conv.weight")            # "36,864 values × 3 bit, codebook": of what it was rebuilt

Nothing is decoded before it is asked for. ``KeyError``: no such constant. ``Uncharged``: a constant of which no line is charged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micronet_verify.analysis.tensors.constants import Constant
from micronet_verify.analysis.tensors.mantissa import rounded
from micronet_verify.analysis.tensors.measured import Measured
from micronet_verify.counting.forms.encoding import as_seen, encode
from micronet_verify.counting.forms.packing import positive
from micronet_verify.counting.inventory import Inventory
from micronet_verify.counting.ledger import Regime
from micronet_verify.counting.overlaps import Stored
from micronet_verify.counting.scalars import no_offset, offset_of, scalar_of
from micronet_verify.counting.storage import alternatives, form_of
from micronet_verify.track.rules import CountingRules

Array = NDArray[Any]


class Uncharged(LookupError):
    """A constant that is read and not stored."""


class Rebuilt(Mapping[str, Array]):
    """Arrays by the name of the constant; see the module."""

    def __init__(
        self, inventory: Inventory, constants: Mapping[str, Constant], regime: Regime, rules: CountingRules,
        random: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        self._inventory, self._constants, self._regime, self._rules, self._random = inventory, constants, regime, rules, random
        found = inventory.gathered
        self._stored = {stored.measured.constant.key: stored for stored in alternatives(found, regime, rules)}
        self._twins = {twin.stored.measured.constant.key: twin for twin in found.twins}
        self._groups = {_whole_key(group[-1][0]): group for group in found.groups}
        self._kept: dict[str, Array] = {}
        self._decoded: dict[str, Array] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._constants)

    def __len__(self) -> int:
        return len(self._constants)

    def __contains__(self, name: object) -> bool:
        return name in self._constants

    def __getitem__(self, name: str) -> Array:
        if name not in self._kept:
            self._kept[name] = self.value(self._constants[name])
        return self._kept[name]

    def forget(self) -> None:
        """Let go of what was decoded."""
        self._kept.clear()
        self._decoded.clear()

    def value(self, constant: Constant) -> Array:
        """A constant as its use sees it, rebuilt."""
        if constant.parts:
            assert constant.join is not None
            return positive(np.asarray(constant.join([self.value(part) for part in constant.parts])))
        if constant.numel == 0:
            return np.asarray(constant.load())
        if constant.numel == 1 and constant.codes is None:
            return self._scalar(constant)
        if Measured(constant).all_zero and constant.key not in self._inventory.tensors:
            return np.zeros(constant.shape, np.asarray(constant.load()).dtype)
        return self._tensor(constant)

    def why(self, name: str) -> str:
        """Of what a constant was rebuilt, in the words of the ledger."""
        constant = self._constants[name]
        if constant.parts:
            return "; ".join(f"{part.label} ({part.numel:,} values)" for part in constant.parts)
        if constant.numel <= 1:
            return "one number"
        twin = self._twins.get(constant.key)
        stored = self._stored.get(twin.of.measured.constant.key if twin else constant.key)
        if stored is None:
            whole = "" if constant.whole is None else f", a part of {constant.whole.label}"
            return f"{constant.numel:,} values{whole}"
        form = form_of(stored, self._regime, self._rules)
        mask = f", {form.mask_bits:,} mask bits" if form.mask_bits else ""
        return f"{form.values:,} values of {form.value_bits} bits, {form.kind}{mask}"

    def _scalar(self, constant: Constant) -> Array:
        """One number, of the list of numbers; as a zero point of unsigned codes, its signed twin may be there."""
        found = scalar_of(constant)
        offset = offset_of(constant) if constant.format.is_integer and constant.format.bits <= 16 else found
        charged = self._inventory.literals
        if found is not None and offset is not None and found.key not in charged and offset.key not in charged:
            raise Uncharged(f"{constant.label}: {found.shown}")
        value = as_seen(constant)
        whole = value.dtype.kind not in "fV" or (found is not None and found.freebie_bits > 16)
        return value if self._regime != "freebie" or whole else rounded(value, self._random)

    def _tensor(self, constant: Constant) -> Array:
        if constant.key in self._inventory.said or (constant.format.is_integer and no_offset(constant)):
            return np.asarray(constant.load())  # what another line or the operator says, or a zero point that is none
        if constant.row_scale is not None:
            return self._decode(constant)
        stored = self._inventory.tensors.get(constant.key)
        base = self._base(stored.measured.constant if stored is not None else constant)
        if stored is None and constant.whole is None:
            raise Uncharged(f"{constant.label}: {constant.numel:,} values")
        if constant.from_whole is None:
            return base
        return np.ascontiguousarray(constant.from_whole(base))

    def _base(self, constant: Constant) -> Array:
        """The whole tensor of which ``constant`` is a view (elements that nothing stores are zero there)."""
        whole = constant.whole
        key = constant.key if whole is None else whole.key
        if key not in self._decoded:
            if whole is None:
                self._decoded[key] = self._decode(constant)
            else:
                self._decoded[key] = self._from_views(whole)
        return self._decoded[key]

    def _from_views(self, whole: Constant) -> Array:
        """A tensor put together of the views of it that are stored."""
        direct = self._inventory.tensors.get(whole.key)
        if direct is not None and direct.measured.constant.whole is None:
            return self._decode(direct.measured.constant)
        found = np.zeros(whole.shape, np.asarray(whole.load()).dtype)
        for stored in self._views_of(whole.key):
            constant = stored.measured.constant
            values = self._decode(constant)
            if constant.from_whole is None:
                return values
            view = constant.from_whole(found)
            if np.may_share_memory(view, found):
                view[...] = values
            else:
                at = constant.from_whole(np.arange(whole.numel).reshape(whole.shape))
                found.reshape(-1)[at.reshape(-1)] = values.reshape(-1)
        return found

    def _views_of(self, key: str) -> list[Stored]:
        stored = self._stored.values() if key in self._groups else self._inventory.tensors.values()
        return [one for one in stored if _whole_key(one) == key and one.measured.constant.row_scale is None]

    def _decode(self, constant: Constant) -> Array:
        """The values of a stored tensor, or of the twin that is stored in its place."""
        twin = self._twins.get(constant.key)
        if twin is not None:
            values = self._decode(twin.of.measured.constant)
            if values.shape == constant.shape:
                return values
            return values.T if constant.shape == values.shape[::-1] and _is_transpose(constant, values) else values.reshape(constant.shape)
        stored = self._stored.get(constant.key)
        if stored is None:
            raise Uncharged(f"{constant.label}: {constant.numel:,} values")
        if stored.signs:
            unsigned = replace(stored, signs=0)
            zeros = stored.signs == constant.numel
            values = np.zeros(constant.shape, np.asarray(constant.load()).dtype) if zeros else self._unsigned(unsigned)
            return np.where(values == 0, np.copysign(values, constant.load()), values).astype(values.dtype)  # a bit for each zero
        return self._unsigned(stored)

    def _unsigned(self, stored: Stored) -> Array:
        constant = stored.measured.constant
        if self._regime == "freebie":
            values = as_seen(constant)
            return values if constant.format.bits > 32 else rounded(values, self._random)
        form = form_of(stored, self._regime, self._rules)
        whole = form.kind == "plain" and not form.masked and form.value_bits == constant.format.bits
        if whole and constant.row_scale is None and constant.format.name in ("float32", "float64"):
            return as_seen(constant)  # every bit of every value is charged: no copy of them is made
        return encode(stored.measured, form).decode()


def rebuilt(
    inventory: Inventory, constants: Mapping[str, Constant], regime: Regime, rules: CountingRules,
    random: np.random.Generator | None = None,
) -> Rebuilt:  # fmt: skip
    """Every constant as its use sees it, from what ``inventory`` is charged under ``rules`` in ``regime``; see the module.

    ``random``: under the freebie, round to 11 bits of mantissa stochastically and not to nearest.
    """
    return Rebuilt(inventory, constants, regime, rules, random)


def _whole_key(stored: Stored) -> str:
    constant = stored.measured.constant
    return constant.key if constant.whole is None else constant.whole.key


def _is_transpose(constant: Constant, values: Array) -> bool:
    """Which of the two orders in which twins of other shapes agree this is: equal in the order of values, or transposed."""
    return not np.array_equal(values.reshape(-1)[:64], np.asarray(constant.load()).reshape(-1)[:64])
