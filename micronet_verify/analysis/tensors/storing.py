"""What a pass may ask about the price of a tensor, without knowing forms, rules or prices: whoever counts gives the answers."""

from __future__ import annotations

from typing import Protocol

from micronet_verify.analysis.tensors.measured import Measured


class StorageCost(Protocol):
    """How dear tensors are to store, where their widths are measured."""

    def bits(self, measured: Measured) -> int:
        """Bits of the tensor in its cheapest honest form."""

    def is_plain(self, measured: Measured) -> bool:
        """Whether nothing is cheaper than the values as they stand."""
