"""Programs with what they cost, each by arithmetic that stands beside it.

Weights are ``dense``: on no grid, none zero, so that under the freebie each takes 16 bits (rule S5), a multiply 16 and an
add 32 (O7). Numbers of a formula other than 0 and ±1 are stored once each (S2). Nothing is symmetric that need not be: no weight is
its own transpose, strides and kernels differ in height and width, operands that could be swapped are of one shape.
"""

from micronet_verify.testing.cases.case import EXAMPLES, Case, dense
from micronet_verify.testing.cases.control import BRANCHES, LOOPS, RECURRENT, STEPS
from micronet_verify.testing.cases.functions import FUNCTIONS, MOVES
from micronet_verify.testing.cases.layers import LAYERS
from micronet_verify.testing.cases.quantized import QUANTIZED
from micronet_verify.testing.cases.windows import CONVOLUTIONS, POOLS, TRANSPOSED

CASES: tuple[Case, ...] = (
    *LAYERS,
    *CONVOLUTIONS,
    *TRANSPOSED,
    *POOLS,
    *FUNCTIONS,
    *MOVES,
    *QUANTIZED,
    *BRANCHES,
    *LOOPS,
    *RECURRENT,
    *STEPS,
)

__all__ = ["CASES", "EXAMPLES", "Case", "dense"]
