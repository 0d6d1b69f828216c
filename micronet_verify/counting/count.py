"""Counts a graph in one call: analysed, and priced under one edition of the rules.

Whoever prices a model more than once keeps what ``analyse`` found and asks ``price`` again.
"""

from __future__ import annotations

from micronet_verify.analysis.values.carried_states import Carried
from micronet_verify.counting.analysed import analyse
from micronet_verify.counting.price import Count as Count
from micronet_verify.counting.price import Shares, price
from micronet_verify.facts.graph import Graph
from micronet_verify.facts.tensors import ConstantStore
from micronet_verify.track.rules import CountingRules


def count_graph(
    graph: Graph, store: ConstantStore, rules: CountingRules, shares: Shares | None = None, carried: Carried | None = None
) -> Count:
    """Count a validated graph. Parameters and errors are those of ``analyse`` and of ``price``."""
    return price(analyse(graph, store, carried), rules, shares)
