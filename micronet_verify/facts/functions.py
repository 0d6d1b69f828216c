"""Names of the ``op`` attribute of ``elementwise``, ``reduce`` and the others: the closed list that is priced.

Each name stands for its usual formula; ``counting`` has one documented line for each. Parameters of a function are
numbers on the node: ``low``/``high`` of clip (either may be absent), ``alpha`` of leaky_relu, elu, celu, hard_sigmoid,
selu, ``beta`` of hard_sigmoid, ``gamma`` of selu.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

BINARY = frozenset("add sub mul div pow mod floor_div atan2 max min".split())
COMPARE = frozenset("equal not_equal less less_equal greater greater_equal and or xor".split())
UNARY = frozenset(
    "neg abs sign floor ceil round trunc square cube sqrt rsqrt reciprocal exp expm1 exp2 log log1p log2 sin cos tan asin acos atan "
    "sinh cosh asinh acosh atanh tanh erf not isnan isinf "
    "relu clip sigmoid silu hard_sigmoid hard_swish gelu gelu_tanh elu celu selu leaky_relu softplus softsign mish log_sigmoid "
    "hard_shrink soft_shrink tanh_shrink threshold".split()
)
# where: condition, then, else; prelu: x, slope
OTHER = frozenset({"where", "prelu"})

OPS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "elementwise": BINARY | COMPARE | UNARY | OTHER,
        "reduce": frozenset("sum mean max min prod sum_square l1 l2 logsumexp any all var".split()),
        "pool": frozenset({"average", "max"}),
        "normalise": frozenset({"batch_norm", "layer_norm", "rms_norm", "group_norm", "instance_norm", "local_response_norm"}),
        "softmax": frozenset({"softmax", "log_softmax"}),
        "lookup": frozenset({"embedding", "gather", "elements", "nd"}),
        "cumulative": frozenset({"cumsum", "cumprod"}),
        "select": frozenset({"argmax", "argmin", "topk", "sort"}),
        "permute": frozenset({"index", "flip"}),
        "scatter": frozenset({"replace", "add", "mul", "max", "min"}),
        "resize": frozenset({"nearest", "linear", "cubic"}),
        "move": frozenset("identity cast reshape transpose slice concat expand pad split tile".split()),
    }
)

DEFAULTS: Mapping[tuple[str, str], float] = MappingProxyType(
    {
        ("hard_sigmoid", "alpha"): 1 / 6,
        ("hard_sigmoid", "beta"): 0.5,
        ("elu", "alpha"): 1.0,
        ("celu", "alpha"): 1.0,
        ("selu", "alpha"): 1.6732632423543772,
        ("selu", "gamma"): 1.0507009873554805,
        ("leaky_relu", "alpha"): 0.01,
        ("threshold", "beta"): 0.0,
    }
)
"""Values of parameters that a node leaves out."""
