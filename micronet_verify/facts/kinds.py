"""The closed list of node kinds: their operands, their attributes, and what each means.

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
    """One node kind: how many operands, attribute names with their types (``ints``, ``int``, ``str`` …), bodies."""

    operands: tuple[int, int]
    attributes: Mapping[str, str]
    required: frozenset[str]
    bodies: tuple[int, int] = (0, 0)


def _kind(least: int, most: int, attributes: str = "", bodies: tuple[int, int] = (0, 0)) -> Kind:
    names: dict[str, str] = {}
    required = set()
    for item in attributes.split():
        name, kind = item.split(":")
        if not name.endswith("?"):
            required.add(name)
        names[name.rstrip("?")] = kind
    return Kind((least, most), MappingProxyType(names), frozenset(required), bodies)


_MANY = 1 << 20

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        # x, weight, bias?
        "conv": _kind(2, 3, "stride:ints padding:ints dilation:ints groups:int transposed?:bool output_padding?:ints channels_last?:bool"),
        # left, right, bias? (the bias broadcasts against the output)
        "matmul": _kind(2, 3, "left:str right:str out:str"),
        # op: see facts/functions; parameters of the function (alpha, low, high …) are numbers
        "elementwise": _kind(1, 4, "op:str alpha?:float beta?:float low?:float high?:float gamma?:float"),
        # op: sum | mean | max | min | prod | sum_square | l1 | l2 | logsumexp | any | all | var
        "reduce": _kind(1, 1, "op:str axes:ints keepdims:bool"),
        # op: average | max; adaptive gives the output's space and replaces kernel, stride, padding
        "pool": _kind(1, 1, "op:str kernel?:ints stride?:ints padding?:ints dilation?:ints ceil?:bool adaptive?:ints channels_last?:bool"),
        # op: batch_norm (x, mean, variance, scale?, shift?) | layer_norm | rms_norm | group_norm | instance_norm (x, scale?, shift?)
        #     | local_response_norm (x): size, alpha, beta; axes: the normalised axes of layer_norm and rms_norm
        "normalise": _kind(1, 5, "op:str eps:float axes?:ints groups?:int size?:int alpha?:float beta?:float channels_last?:bool"),
        # op: softmax | log_softmax
        "softmax": _kind(1, 1, "op:str axis:int"),
        # table, indices: rows (axis 0) of a table chosen by the data; op: embedding | gather
        "lookup": _kind(2, 2, "op:str axis:int"),
        # op: cumsum | cumprod
        "cumulative": _kind(1, 1, "op:str axis:int"),
        # op: argmax | argmin | topk | sort; k for topk. outputs: values and/or indices, as the framework has them
        "select": _kind(1, 1, "op:str axis:int k?:int keepdims?:bool"),
        # op: identity | cast | reshape (shape) | transpose (perm) | slice (axes, starts, ends, steps) | concat (axis) | expand (shape)
        #     | pad (padding, value) | split (axis, sizes: several outputs) | tile (repeats)
        "move": _kind(
            1,
            _MANY,
            "op:str shape?:ints perm?:ints axes?:ints starts?:ints ends?:ints steps?:ints axis?:int padding?:ints value?:float "
            "sizes?:ints repeats?:ints",
        ),
        # x, constant index: elements along an axis in another order, or a choice of them; op: index | flip (no index operand)
        "permute": _kind(1, 2, "op:str axis:int"),
        # x, indices, updates: op: replace | add
        "scatter": _kind(3, 3, "op:str axis:int"),
        # op: nearest | linear | cubic; shape: of the whole output
        "resize": _kind(1, 1, "op:str shape:ints"),
        # x, scale, zero_point?: axis -1 per tensor, else per slice of that axis; low and high where a clip narrows the range
        "quantize": _kind(2, 3, "axis:int block?:int low?:float high?:float"),
        # q, scale, zero_point?
        "dequantize": _kind(2, 3, "axis:int block?:int"),
        # predicate, operands of both bodies: bodies[0] where the predicate holds; id: the name under which the predictor
        # records which body each example took (0, 1, or -1 where the branch was not reached)
        "branch": _kind(1, _MANY, "id?:str", (2, 2)),
        # carried values: the body runs ``trips`` times
        "loop": _kind(0, _MANY, "trips:int", (1, 1)),
    }
)

_TYPES = {"bool": bool, "int": int, "float": (int, float), "str": str}


def check_attributes(kind: str, operands: int, attributes: Mapping[str, object], bodies: int, where: str) -> None:
    """Raise ``SubmissionFault`` unless ``kind`` is in the list and operands, attributes and bodies fit it."""
    if kind not in KINDS:
        raise SubmissionFault(Problem(f"the node kind {kind!r}", f"be one of {', '.join(KINDS)}", where))
    spec = KINDS[kind]
    problems = []
    if not spec.operands[0] <= operands <= spec.operands[1]:
        problems.append(Problem(f"{operands} operands of {kind}", f"have {spec.operands[0]} to {spec.operands[1]}", where))
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
        elif name == "op" and value not in OPS[kind]:
            problems.append(Problem(f"{kind} {value!r}", f"be one of {', '.join(sorted(OPS[kind]))}", where))
    if problems:
        raise SubmissionFault(problems)


def _fits(wanted: str, value: object) -> bool:
    if wanted == "ints":
        return isinstance(value, tuple) and all(isinstance(item, int) and not isinstance(item, bool) for item in value)
    if wanted != "bool" and isinstance(value, bool):
        return False
    return isinstance(value, _TYPES[wanted])  # type: ignore[arg-type]
