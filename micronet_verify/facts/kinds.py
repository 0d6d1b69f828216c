"""The closed list of node kinds: their operands, their attributes, and what each means.

A node says all that its values depend on, so that a graph can be executed (``interpreter``), not only priced.

An attribute marked ``?`` may be absent. Axes are non-negative. A ``padding`` lists all begins, then all ends. Tensors
of ``conv``, ``pool`` and ``normalise`` are [N, C, *space], or [N, *space, C] where ``channels_last`` is true; weights
of ``conv`` are [C_out, C_in / groups, *kernel], and [C_in, C_out / groups, *kernel] where ``transposed``.

``matmul`` is a contraction of two operands in index notation: ``left="bik", right="kj", out="bij"`` sums over ``k``.
Every spelling of a matrix product (linear, Gemm with transposes, einsum) becomes this one. An index whose extent is 1
in one operand broadcasts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.functions import OPS


@dataclass(frozen=True, slots=True)
class Kind:
    """One node kind: how many operands, attribute names with their types (``ints``, ``int``, ``str`` …), bodies.

    ``named``: the operands in their order, ``?`` where one may be absent. ``says``: what the attributes mean, for the reference.
    """

    operands: tuple[int, int]
    attributes: Mapping[str, str]
    required: frozenset[str]
    bodies: tuple[int, int]
    named: str
    says: str


def _kind(least: int, most: int, attributes: str, named: str, says: str = "", bodies: tuple[int, int] = (0, 0)) -> Kind:
    names: dict[str, str] = {}
    required = set()
    for item in attributes.split():
        name, kind = item.split(":")
        if not name.endswith("?"):
            required.add(name)
        names[name.rstrip("?")] = kind
    return Kind((least, most), MappingProxyType(names), frozenset(required), bodies, named, says)


_MANY = 1 << 20

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "conv": _kind(
            2,
            3,
            "stride:ints padding:ints dilation:ints groups:int transposed?:bool output_padding?:ints channels_last?:bool",
            "x, weight, bias?",
        ),
        "matmul": _kind(2, 3, "left:str right:str out:str", "left, right, bias?", "The bias broadcasts against the output."),
        "elementwise": _kind(
            1,
            4,
            "op:str alpha?:float beta?:float low?:float high?:float gamma?:float rounding?:str ties?:str",
            "operands that broadcast",
            "Parameters of the function (alpha, low, high …) are numbers. rounding of mod and of div among integers: floor (the "
            "result has the divisor's sign; Python, numpy) or trunc (the dividend's; C, fmod); absent: floor for mod, trunc for div. "
            "floor_div of floats: of the exact quotient (absent; Python, numpy) or floor: of the quotient as the format holds it. "
            "ties of round: even (absent) or away. Integers wrap around in the width of the result's format. where takes condition, "
            "then, else; prelu takes x, slope.",
        ),
        "reduce": _kind(
            1,
            1,
            "op:str axes:ints keepdims:bool correction?:float",
            "x",
            "correction of var: what is taken off the number of values before dividing (absent: 0).",
        ),
        "pool": _kind(
            1,
            1,
            "op:str kernel?:ints stride?:ints padding?:ints dilation?:ints ceil?:bool adaptive?:ints channels_last?:bool "
            "counts_padding?:bool divisor?:int",
            "x",
            "adaptive gives the output's space and replaces kernel, stride, padding. A window is cut to the padded input (size + "
            "padding); average divides by its positions there if counts_padding, else by those inside the input, or by divisor. "
            "Absent: padding does not count. ceil allows a last, partial window, which lies over the end of the padded input. max: "
            "padded positions never win.",
        ),
        "normalise": _kind(
            1,
            5,
            "op:str eps:float axes?:ints groups?:int size?:int alpha?:float beta?:float bias?:float channels_last?:bool",
            "x, then mean, variance, scale?, shift? of batch_norm; scale?, shift? of the others",
            "group_norm has a scale and a shift for each channel, or for each group. local_response_norm (size, alpha, beta, bias) is "
            "x / (bias + alpha/size · Σ x²)^beta, over ⌊(size−1)/2⌋ channels before and ⌈(size−1)/2⌉ behind (absent bias: 1). axes: "
            "the normalised axes of layer_norm and rms_norm.",
        ),
        "softmax": _kind(
            1,
            1,
            "op:str axis:int safe?:bool",
            "x",
            "safe: of −∞ alone the softmax is 0 (a query that sees no key), where it is NaN otherwise.",
        ),
        "lookup": _kind(
            2,
            2,
            "op:str axis:int batch?:int",
            "table, indices",
            "embedding, gather: slices of axis. elements: indices of the table's rank, the result has their shape, and each names a "
            "place on axis beside its own places on the other axes. nd: tuples (the last axis of indices) of places on the axes "
            "behind the first batch. batch (absent: 0): so many leading axes of table and indices run side by side. Negative indices "
            "count from the end.",
        ),
        "cumulative": _kind(
            1,
            1,
            "op:str axis:int exclusive?:bool reverse?:bool",
            "x",
            "exclusive: each result leaves its own value out. reverse: from the end.",
        ),
        "select": _kind(
            1,
            1,
            "op:str axis:int k?:int keepdims?:bool smallest?:bool descending?:bool last?:bool",
            "x",
            'argmax, argmin: the places. topk, sort: (values, places), either of which may be "" where it is not read. k of topk. '
            "smallest: topk takes the least, sort rises (absent: topk takes the greatest, sort rises). descending: sort falls. last: "
            "of equal values argmax and argmin take the last (absent: the first). Equal values of topk and sort keep their order.",
        ),
        "move": _kind(
            1,
            _MANY,
            "op:str shape?:ints perm?:ints axes?:ints starts?:ints ends?:ints steps?:ints axis?:int padding?:ints value?:float "
            "mode?:str sizes?:ints repeats?:ints saturate?:bool",
            "x, or the parts of concat",
            "identity; cast; reshape (shape); transpose (perm); slice (axes, starts, ends, steps); concat (axis); expand (shape); pad "
            "(padding, value, mode); split (axis, sizes: several outputs); tile (repeats). mode of pad: constant (absent), reflect "
            "(without the edge), symmetric (with it), edge, wrap. A cast from float to integer truncates, and one that narrows an "
            "integer wraps around; saturate: both stop at the ends of the format instead.",
        ),
        "permute": _kind(
            1,
            2,
            "op:str axis:int",
            "x, constant index (none of flip)",
            "Elements along an axis in another order, or a choice of them.",
        ),
        "scatter": _kind(
            3,
            3,
            "op:str axis:int places?:str",
            "x, indices, updates",
            "places: slices (indices of one axis name slices of axis), elements (indices and updates of x's rank; each names a place "
            "on axis), or nd (tuples on the last axis of indices name places on the first axes). Later updates come after earlier "
            "ones.",
        ),
        "resize": _kind(
            1,
            1,
            "op:str shape:ints coordinates?:str nearest?:str cubic_a?:float exclude_outside?:bool scales?:floats single?:bool",
            "x",
            "shape: of the whole output. coordinates (absent: half_pixel): as ONNX defines them. nearest: how the source's place is "
            "rounded (absent: round_prefer_floor). cubic_a (absent: −0.75). exclude_outside: weights of places outside are 0 and the "
            "rest sum to one. scales: output over input of each axis, where it is not the ratio of sizes. single: places are computed "
            "in float32, position · (input / output), as torch does: some lie in front of a whole number that they should reach.",
        ),
        "quantize": _kind(
            2,
            3,
            "axis:int block?:int low?:float high?:float rounding?:str zero_first?:bool reciprocal?:bool",
            "x, scale, zero_point?",
            "axis −1: per tensor, else per slice of that axis. low and high where a clip narrows the range. q = clip(round(x / scale) "
            "+ zero point). rounding: even (absent), away, or up (⌊x + ½⌋). zero_first: round(x / scale + zero point). The quotient "
            "is rounded to the operand's format before it becomes a code. int1 has the codes −1 and 1: 1 where x / scale + zero point "
            "≥ 0. reciprocal: x · (1 / scale), rounded to the operand's format each time, in place of the division.",
        ),
        "dequantize": _kind(2, 3, "axis:int block?:int", "q, scale, zero_point?", "axis −1: per tensor, else per slice of that axis."),
        "branch": _kind(
            1,
            1,
            "id?:str",
            "predicate",
            "bodies[0] where the predicate, a single value, holds. A body has no inputs of its own (no body.input): it reads the values "
            "around it as they are. Both return the same shapes and formats. id: the name under which the predictor records which body "
            "each example took (0, 1, or −1 where the branch was not reached).",
            (2, 2),
        ),
        "loop": _kind(
            0,
            _MANY,
            "trips:int turn?:bool scanned?:int backward?:ints collected_backward?:ints",
            "carried values, then scanned tensors",
            "The body runs trips times. Its inputs are the turn's number (int64 of no axes; only if turn), the carried values, and "
            "slice t of axis 0 of each scanned tensor, without that axis; its outputs are the carried values again and what is "
            "collected. The node's outputs are the carried values after the last turn, then the collected ones stacked on a new axis "
            "0. scanned: how many operands are scanned (absent: 0). backward: of the scanned tensors, those that are read from the "
            "end; collected_backward: of the collected ones, those that are stacked from the end.",
            (1, 1),
        ),
    }
)

_TYPES = {"bool": bool, "int": int, "float": (int, float), "str": str}
CHOICES: Mapping[tuple[str, str], frozenset[str]] = MappingProxyType(
    {
        ("elementwise", "rounding"): frozenset({"floor", "trunc"}),
        ("elementwise", "ties"): frozenset({"even", "away"}),
        ("move", "mode"): frozenset({"constant", "reflect", "symmetric", "edge", "wrap"}),
        ("scatter", "places"): frozenset({"slices", "elements", "nd"}),
        ("resize", "coordinates"): frozenset({"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"}),
        ("resize", "nearest"): frozenset({"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}),
        ("quantize", "rounding"): frozenset({"even", "away", "up"}),
    }
)
"""Words that an attribute may be, by kind and name; ``op`` has its own list (``facts/functions.py``)."""


def _counted(least: int, most: int) -> str:
    if least == most:
        return str(least)
    return f"{least} or more" if most == _MANY else f"{least} to {most}"


def check_attributes(kind: str, operands: int, attributes: Mapping[str, object], bodies: int, where: str) -> None:
    """Raise ``SubmissionFault`` unless ``kind`` is in the list and operands, attributes and bodies fit it."""
    if problems := attribute_problems(kind, operands, attributes, bodies, where):
        raise SubmissionFault(problems)


def attribute_problems(kind: str, operands: int, attributes: Mapping[str, object], bodies: int, where: str) -> list[Problem]:
    """Everything in which a node does not fit its kind, or is of none."""
    if kind not in KINDS:
        return [Problem(f"the node kind {kind!r}", f"be one of {', '.join(KINDS)}", where)]
    spec = KINDS[kind]
    problems = []
    if not spec.operands[0] <= operands <= spec.operands[1]:
        problems.append(Problem(f"{operands} operands of {kind}", f"have {_counted(*spec.operands)}", where))
    if not spec.bodies[0] <= bodies <= spec.bodies[1]:
        problems.append(Problem(f"{bodies} bodies of {kind}", f"have {spec.bodies[0]}", where))
    for name in sorted(spec.required - attributes.keys()):
        problems.append(Problem(f"{kind} without {name}", "state it", where))
    for name, value in attributes.items():
        wanted = spec.attributes.get(name)
        if wanted is None:
            problems.append(Problem(f"the attribute {name!r} of {kind}", f"be one of {', '.join(spec.attributes)}", where))
        elif not _fits(wanted, value):
            problems.append(Problem(f"{name}={value!r} of {kind}", f"be {wanted}", where))
        elif (kind, name) in CHOICES and value not in CHOICES[kind, name]:
            problems.append(Problem(f"{name}={value!r} of {kind}", f"be one of {', '.join(sorted(CHOICES[kind, name]))}", where))
        elif name == "op" and value not in OPS[kind]:
            problems.append(Problem(f"{kind} {value!r}", f"be one of {', '.join(sorted(OPS[kind]))}", where))
    return problems


def _fits(wanted: str, value: object) -> bool:
    if wanted in ("ints", "floats"):
        types = int if wanted == "ints" else (int, float)
        return isinstance(value, tuple) and all(isinstance(item, types) and not isinstance(item, bool) for item in value)
    if wanted != "bool" and isinstance(value, bool):
        return False
    return isinstance(value, _TYPES[wanted])  # type: ignore[arg-type]
