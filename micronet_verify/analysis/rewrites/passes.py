"""The passes in their order: what each needs, what holds behind it, and why it stands where it stands.

Each pass gives a graph that computes what the graph before it computed. ``NAMING`` is what no reading of the rules changes, and runs once
for a model and once for each body in it; ``norm_passes`` are run for each reading of batch norms (S7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from micronet_verify.analysis.rewrites.editable import EditableGraph
from micronet_verify.analysis.rewrites.fold_batch_norm_back import Folded, Made, fold_batch_norms
from micronet_verify.analysis.rewrites.fold_batch_norm_forward import fold_batch_norms_forward
from micronet_verify.analysis.rewrites.fold_constants import fold_constants
from micronet_verify.analysis.rewrites.hoist_numbers import hoist_numbers
from micronet_verify.analysis.rewrites.join_addends import join_addends
from micronet_verify.analysis.rewrites.matmul_from_sum import matmul_from_sum
from micronet_verify.analysis.rewrites.norms import name_norms
from micronet_verify.analysis.rewrites.recognize_batch_norms import recognize_batch_norms
from micronet_verify.analysis.rewrites.recognize_choices import recognize_choices
from micronet_verify.analysis.rewrites.recognize_functions import recognize_functions
from micronet_verify.analysis.rewrites.recognize_masks import recognize_masks
from micronet_verify.analysis.rewrites.recognize_scatters import recognize_scatters
from micronet_verify.analysis.rewrites.recognize_selections import recognize_selections
from micronet_verify.analysis.rewrites.recognize_softmaxes import recognize_softmaxes
from micronet_verify.analysis.rewrites.recognize_standardised import recognize_standardised
from micronet_verify.analysis.rewrites.recognize_sums import recognize_sums
from micronet_verify.analysis.rewrites.recognize_variances import recognize_variances
from micronet_verify.analysis.rewrites.remove_redundant import remove_redundant
from micronet_verify.analysis.rewrites.sink_slices import sink_slices
from micronet_verify.analysis.tensors.measurements import Measurements

LIVE = "no node is dead"
"""What holds of every ``EditableGraph``, before the first pass and behind each."""


@dataclass(frozen=True, slots=True)
class Pass:
    """A named pass. ``needs``: what passes before it ``give``; ``why`` it stands here and not elsewhere."""

    name: str
    run: Callable[[EditableGraph], None]
    needs: tuple[str, ...]
    gives: str
    why: str


Watch = Callable[[str, EditableGraph], None]
"""Told the name of each pass that ran, and the graph behind it."""

_CONSTANTS = "what no input can change is a constant"
_PLACED = "elements at constant places are moves"
_FUNCTIONS = "functions have their names"
_ONCE = "nothing is done twice"
_HOISTED = "numbers of parts are tensors"
_PRODUCTS = "sums of products are products"
_ADDENDS = "constants that are only added together are one"
_REDUNDANT = Pass(
    "remove_redundant", remove_redundant, (_CONSTANTS, _FUNCTIONS), _ONCE,
    "norms and softmaxes read the same difference twice, and are seen only where it is one; again behind joined biases, which leave moves",
)  # fmt: skip

NAMING: tuple[Pass, ...] = (
    Pass("fold_constants", fold_constants, (LIVE,), _CONSTANTS, "all others ask which operands are constants"),
    Pass("recognize_scatters", recognize_scatters, (_CONSTANTS,), "no update at constant places is left",
         "a scatter becomes moves and look-ups' own form, before anybody follows moves"),
    Pass("recognize_choices", recognize_choices, (_CONSTANTS,), _PLACED, "beside the scatters: one order has one spelling from here on"),
    Pass("recognize_functions", recognize_functions, (_CONSTANTS,), _FUNCTIONS,
         "first of what looks at arithmetic: the others look for functions by name"),
    Pass("recognize_standardised", recognize_standardised, (_FUNCTIONS,), "norms are (x − mean)·inverse",
         "before what is done twice goes: x − mean may be there already"),
    _REDUNDANT,
    Pass("recognize_variances", recognize_variances, (_FUNCTIONS, _ONCE), "variances are means of squared differences",
         "finds x − mean only where it is computed once"),
    Pass("recognize_softmaxes", recognize_softmaxes, (_FUNCTIONS, _ONCE), "softmaxes have their name",
         "finds e^(x − max x) only where it is computed once"),
    Pass("hoist_numbers", hoist_numbers, (_CONSTANTS, _ONCE), _HOISTED, "before sums: it makes additions of parts for them to read"),
    Pass("recognize_sums", recognize_sums, (_PLACED, _HOISTED), "which parts are added is a matrix",
         "behind everything that brings parts together"),
    Pass("matmul_from_sum", matmul_from_sum, (_FUNCTIONS,), _PRODUCTS, "behind the sums of parts, which have a reduction of their own"),
    Pass("recognize_selections", recognize_selections, (_PRODUCTS,), "products that choose are orders",
         "reads weights of products, written as such or made by the passes before"),
    Pass("recognize_masks", recognize_masks, (_FUNCTIONS, _ONCE), "masks are choices by a constant", "looks for softmaxes by name"),
    Pass("join_addends", join_addends, (_PRODUCTS,), _ADDENDS, "biases of products: all products are there"),
    _REDUNDANT,
    Pass("recognize_batch_norms", recognize_batch_norms, (_ADDENDS, _ONCE), "norms by constants are batch norms",
         "behind joined addends, which make a shift of several"),
    Pass("sink_slices", sink_slices, (_PLACED, _HOISTED), "bodies see of which tensor they read parts",
         "last, so that bodies begin with what is left"),
)  # fmt: skip


def norm_passes(fold: bool, kept: frozenset[str], made: Made, measured: Measurements, folded: list[Folded]) -> tuple[Pass, ...]:
    """The passes of one reading of batch norms. ``fold``: they fold, but for those that make a ``kept`` value; ``folded`` is told which."""

    def back(graph: EditableGraph) -> None:
        folded.extend(fold_batch_norms(graph, kept, made))

    def forward(graph: EditableGraph) -> None:
        folded.extend(fold_batch_norms_forward(graph, measured))

    named = Pass("name_norms", name_norms, (_CONSTANTS,), "batch norms are a scale and a shift", "those that no pass before has folded")
    if not fold:
        return (named,)
    return (
        Pass("fold_batch_norms", back, ("norms by constants are batch norms",), "no norm is left that fits into what is before it",
             "before the other direction: a bias there costs less than one in each reader"),
        Pass("fold_batch_norms_forward", forward, ("no norm is left that fits into what is before it",),
             "no norm is left that fits into what is behind it", "takes what the first leaves"),
        named,
    )  # fmt: skip


def run(graph: EditableGraph, passes: Iterable[Pass], watch: Watch | None = None) -> None:
    """Run the passes in their order. One that comes again is left out where nothing has changed since it ran."""
    seen: dict[str, int] = {}
    for each in passes:
        if seen.get(each.name) != graph.version:
            each.run(graph)
            seen[each.name] = graph.version
            if watch is not None:
                watch(each.name, graph)
