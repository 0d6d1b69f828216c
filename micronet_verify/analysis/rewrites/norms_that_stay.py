"""Which batch normalisations had better stay (rule S7): those whose scale would take a weight out of its narrow form.

Folding spares a norm its scale and a multiply for each value. Grids, codebooks and fp16 have room for a scale of each output
channel; codes whose scales lie along another axis have not, and folding costs them their form. Both sides are weighed in
words: an operation counts as one word divided by ``per_word``, the operations that a baseline has for each of its words. Under
the freebie a weight is as wide folded as not, so there every norm folds.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np

from micronet_verify.analysis.rewrites.fold_batch_norm_back import Folded, Scaled
from micronet_verify.analysis.tensors.constants import Constant
from micronet_verify.analysis.tensors.measurements import Measurements
from micronet_verify.analysis.tensors.scan import flattened
from micronet_verify.analysis.tensors.screen_many import screen_many
from micronet_verify.analysis.tensors.storing import StorageCost
from micronet_verify.facts.graph import Graph

# Values of a weight that are looked at for equal ones.
_LOOK = 1024


def dear(graph: Graph, norms: Iterable[Folded], measured: Measurements, cost: StorageCost, per_word: Fraction) -> frozenset[str]:
    """The results of the normalisations of ``graph`` that make it dearer by folding, each by itself."""
    norms = [norm for norm in norms if norm.weights]
    screen_many(measured.of(weight.after, weight.axes) for norm in norms for weight in norm.weights)
    found = set()
    for norm in norms:
        if not any(_may_widen(weight, measured, cost) for weight in norm.weights):
            continue
        value = graph.values[norm.node.outputs[0]]
        spared = Fraction(value.numel * value.format.bits, 32) / per_word
        scales = sum(weight.after.shape[weight.after.row_axis] for weight in norm.weights)
        if Fraction(sum(_more(weight, measured, cost) for weight in norm.weights), 32) > spared + scales:
            found.add(norm.node.outputs[0])
    return frozenset(found)


def _may_widen(weight: Scaled, measured: Measurements, cost: StorageCost) -> bool:
    """Whether the weight is on no grid with the scale in it, and may have a codebook or be in fp16 without it."""
    after, before = measured.of(weight.after, weight.axes), measured.of(weight.before, weight.axes)
    if not cost.is_plain(after):
        return False
    return before.exact_half or weight.before.codes is not None or _repeats(weight.before)


def _repeats(constant: Constant) -> bool:
    """Whether some of the values are equal: of a codebook of up to 2^16 values, 1,024 are not all different (but once in 3,000 times)."""
    flat = flattened(constant.load())
    some = flat[:: max(1, flat.size // _LOOK)][:_LOOK]
    return len(np.unique(some)) < len(some)


def _more(weight: Scaled, measured: Measurements, cost: StorageCost) -> int:
    """Bits that the weight takes more with the scale in it."""
    before, after = measured.of(weight.before, weight.axes), measured.of(weight.after, weight.axes)
    return cost.bits(after) - cost.bits(before)
