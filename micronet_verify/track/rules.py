"""Counting rules: the named knobs of the price list, each with a closed set of values.

A track names an edition; an edition is one file in ``track_specs/rules`` that spells every knob. ``CountingRules()``
without arguments is the edition ``micronet-2019``, the published text; ``micronet-2026`` takes the hardened reading of
every knob. A knob is where the challenge's text is silent or was read in more
than one way; everything else is not a knob but a rule, and lives in ``counting``. Ids in brackets (S3, O9 …) name the rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Literal, get_args, get_type_hints

Representation = Literal["cheapest", "dense", "masked"]
Mask = Literal["element_or_block", "element", "absent"]
BatchNorm = Literal["folded", "shift_only", "charged"]
Permutation = Literal["sparse_matmul", "free"]
Accumulator = Literal["full", "proved", "tree"]
Regimes = Literal["both", "freebie", "quantized"]
DotAdds = Literal["n_minus_1", "n"]
ActivationBits = Literal["measured", 16, 32]
AttentionMask = Literal["skipped", "counted"]
Saturation = Literal["free", "charged"]
Structure = Literal["free", "charged"]


@dataclass(frozen=True, slots=True)
class CountingRules:
    """One edition of the price list.

    ``edition``
        Its name, printed on every ledger.
    ``representation`` (S3)
        Form in which a tensor is stored: ``cheapest`` of dense and masked, per tensor; always ``dense``; always
        ``masked`` (non-zeros plus mask), even where that is dearer.
    ``mask`` (S3)
        What a masked tensor pays for its mask: one bit per element or, where the zeros really are block-structured,
        per block (``element_or_block``); always one bit per ``element``; nothing (``absent``, a known misreading).
    ``batch_norm`` (S7)
        ``folded`` into the linear operator beside it, and charged where there is none; ``shift_only``: every batch norm
        costs one shift per channel and its add, wherever it stands; ``charged``: C scales, C shifts, one multiply and
        one add per element, never folded.
    ``permutation`` (O9)
        A permutation of elements along an axis is a product with a sparse permutation matrix (``sparse_matmul``), or
        moves data for nothing (``free``).
    ``accumulator`` (O12)
        Width of the adds in a dot product: 32 bits (``full``); narrower where it is ``proved`` from the weights' values
        and the activation range that nothing overflows; an adder ``tree`` that grows by one bit per level.
    ``regimes`` (S5, O7)
        Which regimes an entry may be priced in: ``both`` (the cheaper one that it qualifies for), or
        ``freebie`` or ``quantized`` alone.
    ``dot_adds`` (O1)
        Adds of a dot product of n non-zero weights: ``n_minus_1`` (0 for n = 0), or ``n``.
    ``activation_bits`` (O2)
        Width of activations: ``measured`` from quantize/dequantize nodes, or 16 or 32 bits for every activation.
    ``attention_mask`` (O15)
        Scores that a constant mask hides from a softmax, the terms of the softmax and of the products behind it that are 0
        in any case: ``skipped``, with the mask stored, or ``counted`` in full, with one selection per score.
    ``saturation`` (O19)
        What a quantizer cuts off at the ends of its range: ``free``, as conversions are, and then so is a clip in front of it
        that cuts off no more; ``charged`` as the clip that it is, one compare for each end that values can reach.
    ``structure`` (S9)
        How the graph is wired beside its constants (``analysis/structure.py``): ``free``, or ``charged`` bit by bit.
    """

    edition: str = "micronet-2019"
    representation: Representation = "cheapest"
    mask: Mask = "element_or_block"
    batch_norm: BatchNorm = "folded"
    permutation: Permutation = "sparse_matmul"
    accumulator: Accumulator = "full"
    regimes: Regimes = "both"
    dot_adds: DotAdds = "n_minus_1"
    activation_bits: ActivationBits = "measured"
    attention_mask: AttentionMask = "skipped"
    saturation: Saturation = "free"
    structure: Structure = "free"


def _knobs() -> Mapping[str, tuple[str | int, ...]]:
    hints = get_type_hints(CountingRules)
    return MappingProxyType({field.name: get_args(hints[field.name]) for field in fields(CountingRules) if field.name != "edition"})


KNOBS: Mapping[str, tuple[str | int, ...]] = _knobs()
"""Every knob with its values, the 2019 edition's value first: the alternative readings that ``explain`` prices."""
