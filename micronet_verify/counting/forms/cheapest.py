"""The form in which a tensor is charged: the cheapest honest one, in each regime (rules S1, S2, S3, S5, S8)."""

from __future__ import annotations

from micronet_verify.analysis.tensors.measured import Measured
from micronet_verify.counting.forms.candidates import codebooks, masked, on_grids, plain, scaled_in_rows, vectors
from micronet_verify.counting.forms.form import Form, as_it_stands
from micronet_verify.track.rules import CountingRules


def freebie_form(measured: Measured, rules: CountingRules) -> Form:
    """The cheaper of dense and masked at 16 bits a value (rule S5); 64-bit values have no part in it, single bits stay so."""
    # Forms depend on two knobs (S3), and are kept for whoever asks under the same.
    return measured.remember(("freebie", rules.representation, rules.mask), lambda: _freebie(measured, rules))


def quantized_form(measured: Measured, rules: CountingRules) -> Form:
    """The cheapest of all forms at measured widths; of equals the first in the order plain, grid, codebook."""
    return measured.remember(("quantized", rules.representation, rules.mask), lambda: _quantized(measured, rules))


class CheapestForms:
    """What the analysis may ask of prices (``analysis/tensors/storing.py``), under the rules as published."""

    _rules = CountingRules()

    def bits(self, measured: Measured) -> int:
        return quantized_form(measured, self._rules).bits

    def is_plain(self, measured: Measured) -> bool:
        return quantized_form(measured, self._rules).kind == "plain"


def _freebie(measured: Measured, rules: CountingRules) -> Form:
    fmt = measured.constant.format
    wide = fmt.bits > 32 and (fmt.family == "float" or measured.width > 16)
    bits = 1 if fmt.family == "bool" else fmt.bits if wide else 16
    dense = as_it_stands(measured.constant.numel, bits)
    sparse = masked(measured, rules, dense, bits)
    return _cheapest([dense, *sparse], rules) if sparse else dense


def _quantized(measured: Measured, rules: CountingRules) -> Form:
    fmt = measured.constant.format
    if measured.remember("ordinary", lambda: _is_ordinary(measured)):
        return as_it_stands(measured.constant.numel, fmt.bits)
    forms = on_grids(measured, rules)
    # Whether fp16 holds every value, and how many different ones there are, is asked only where the answer can matter.
    width = 16 if fmt.family == "float" and fmt.bits > 16 else measured.width
    if not forms or _may_win(plain(measured, rules, width), forms, rules, ties=True):
        width = measured.width
        forms = [*plain(measured, rules, width), *forms]
    if _may_win(codebooks(measured, rules, measured.least_distinct, width), forms, rules):
        forms += codebooks(measured, rules, measured.distinct, measured.width)
    return _cheapest([*forms, *scaled_in_rows(measured, rules), *vectors(measured, rules)], rules)


def _is_ordinary(measured: Measured) -> bool:
    """Whether short looks prove that nothing is smaller than the values as they stand, under any rules."""
    constant = measured.constant
    if constant.codes is not None or constant.format.family != "float" or measured.nonzeros != constant.numel or measured.grids:
        return False
    if measured.exact_half or (constant.row_scale is not None and measured.narrow_unscaled):
        return False
    least, width = measured.least_distinct if constant.numel >= 4 else None, constant.format.bits
    return least is None or constant.numel * (least[0] - 1).bit_length() + least[0] * width >= constant.numel * width


def _may_win(bounds: list[Form], forms: list[Form], rules: CountingRules, ties: bool = False) -> bool:
    """Whether forms that are no smaller than ``bounds`` can be the cheapest beside ``forms``."""
    if not bounds or not forms:
        return bool(bounds)
    best, bound = _cheapest(forms, rules), _cheapest(bounds, rules)
    if rules.representation != "cheapest" and best.masked != bound.masked:
        return True  # one side has none of the forms that the knob prefers
    return bound.bits < best.bits or (ties and bound.bits == best.bits)


def _cheapest(forms: list[Form], rules: CountingRules) -> Form:
    if rules.representation != "cheapest":
        preferred = rules.representation == "masked"
        forms = [form for form in forms if form.masked == preferred] or forms
    return min(forms, key=lambda form: form.bits)
