"""The price of a layer from its sizes alone, in the words of COUNTING_RULES: what a network's definition must come to.

Nothing here looks at a graph or a tensor. Sizes are in elements; ``space`` is the number of output positions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Cost:
    """``values`` stored, ``bits`` of masks, operations of both classes, and ``macs``, the products of linear layers as papers count them.

    ``folded`` counts the channels of batch norms that went into a bias: the published numbers of parameters hold their scales, too.
    """

    values: int = 0
    multiplies: int = 0
    adds: int = 0
    macs: int = 0
    bits: int = 0
    folded: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(Cost)))

    def __mul__(self, times: int) -> Cost:
        return Cost(*(getattr(self, field.name) * times for field in fields(Cost)))

    @property
    def freebie_storage(self) -> Fraction:
        """32-bit words at 16 bits a value (S5)."""
        return Fraction(16 * self.values + self.bits, 32)

    @property
    def freebie_operations(self) -> Fraction:
        """32-bit operations, multiply class at 16 bits (O7)."""
        return Fraction(self.multiplies, 2) + self.adds

    @property
    def parameters(self) -> int:
        """As papers count: the values, and a scale for each folded shift."""
        return self.values + self.folded


def total(costs: Iterable[Cost]) -> Cost:
    return sum(costs, Cost())


def conv(kernel: int, inputs: int, outputs: int, space: int, groups: int = 1, bias: bool = True) -> Cost:
    """n = k²·inputs/groups products and n − 1 adds per output, and one add for the bias (O1, O6)."""
    n, made = kernel * kernel * inputs // groups, space * outputs
    return Cost(n * outputs + bias * outputs, made * n, made * (n - 1 + bias), made * n)


def normed(kernel: int, inputs: int, outputs: int, space: int, groups: int = 1) -> Cost:
    """A convolution whose batch norm folds into a bias (S7)."""
    return conv(kernel, inputs, outputs, space, groups) + Cost(folded=outputs)


def linear(inputs: int, outputs: int, bias: bool = True, rows: int = 1) -> Cost:
    return conv(1, inputs, outputs, rows, bias=bias)


def norm(channels: int, space: int) -> Cost:
    """A batch norm with no linear operator before it: a·x + c (S7)."""
    return Cost(2 * channels, channels * space, channels * space)


def relu(elements: int) -> Cost:
    return Cost(multiplies=elements)


def relu6(elements: int) -> Cost:
    return Cost(multiplies=2 * elements)


def sigmoid(elements: int) -> Cost:
    return Cost(multiplies=2 * elements, adds=elements)


def swish(elements: int) -> Cost:
    return Cost(multiplies=3 * elements, adds=elements)


def hard_sigmoid(elements: int) -> Cost:
    return Cost(multiplies=3 * elements, adds=elements)


def hard_swish(elements: int) -> Cost:
    return Cost(multiplies=4 * elements, adds=elements)


def tanh(elements: int) -> Cost:
    return Cost(multiplies=elements)


def multiply(elements: int) -> Cost:
    return Cost(multiplies=elements)


def add(elements: int) -> Cost:
    return Cost(adds=elements)


def average(outputs: int, window: int) -> Cost:
    """m − 1 adds and a multiply (O5)."""
    return Cost(multiplies=outputs, adds=outputs * (window - 1))


def maximum(outputs: int, window: int) -> Cost:
    """m − 1 compares (O5)."""
    return Cost(multiplies=outputs * (window - 1))


def softmax(length: int, rows: int = 1) -> Cost:
    """n exp, n − 1 adds, n divides."""
    return Cost(multiplies=2 * length * rows, adds=(length - 1) * rows)


def log_softmax(length: int) -> Cost:
    """n exp, n − 1 adds, one log, n differences."""
    return Cost(multiplies=length + 1, adds=2 * length - 1)


def layer_norm(width: int) -> Cost:
    """Mean: n − 1 adds, a multiply. Variance: n differences, n squares, n − 1 adds, a multiply. Then + eps, 1/√, and n times a·x + b."""
    return Cost(2 * width, width + 3 + 2 * width, 2 * (width - 1) + width + 1 + width)


def shuffle(channels: int, space: int) -> Cost:
    """A permutation matrix: a multiply per element moved; C ones and a mask of C² bits (O9)."""
    return Cost(multiplies=channels * space, bits=channels + channels * channels)


def squeeze_excite(width: int, squeezed: int, space: int, inner: Cost, gate: Cost) -> Cost:
    """Mean over the space, two products with biases, the activation between, the gate, and its product with the input."""
    return average(width, space) + linear(width, squeezed) + inner + linear(squeezed, width) + gate + multiply(width * space)
