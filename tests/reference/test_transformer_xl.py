"""One step of a Transformer-XL: attention over memory at relative distances, adaptive input and softmax."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.reference.arithmetic import Cost, add, layer_norm, linear, log_softmax, multiply, relu, softmax, total
from tests.reference.counts import Counts, agree
from tests.reference.networks.transformer_xl import CUTOFFS, HEAD, HEADS, INNER, LAYERS, MEMORY, WIDTH, clusters

NAME = "transformer-xl"
SEEN = MEMORY + 1


def dot_products(length: int, times: int) -> Cost:
    """Products of computed values: no weights, so nothing is stored."""
    return Cost(multiplies=length * times, adds=(length - 1) * times, macs=length * times)


def attention() -> Cost:
    inner = HEADS * HEAD
    # Keys, values and distances are projected for every position that is seen; queries and the result for the new one.
    projections = linear(WIDTH, inner, bias=False) + linear(WIDTH, 2 * inner, bias=False, rows=SEEN) + linear(inner, WIDTH, bias=False)
    projections += linear(WIDTH, inner, bias=False, rows=SEEN)
    biases = Cost(values=2 * inner, adds=2 * inner)  # u and v
    scores = dot_products(HEAD, HEADS * SEEN) * 2 + add(HEADS * SEEN) + multiply(HEADS * SEEN)
    return projections + biases + scores + softmax(SEEN, HEADS) + dot_products(SEEN, inner)


def layer() -> Cost:
    feed = linear(WIDTH, INNER) + relu(INNER) + linear(INNER, WIDTH)
    return attention() + feed + (add(WIDTH) + layer_norm(WIDTH)) * 2


def embedding() -> Cost:
    """A word's number is shifted (but for the first cluster) and clipped, its row looked up and projected, then selected."""
    found = Cost()
    for index, (words, width) in enumerate(clusters()):
        found += Cost(values=words * width) + linear(width, WIDTH, bias=False) + Cost(multiplies=2)
        found += Cost(adds=1, multiplies=1 + WIDTH) if index else Cost()
    return found + multiply(WIDTH)


def log_probabilities() -> Cost:
    (first, _), *others = clusters()
    found = linear(WIDTH, first + len(others)) + log_softmax(first + len(others))
    for words, width in others:
        found += linear(WIDTH, width, bias=False) + linear(width, words) + log_softmax(words) + add(words)
    return found


def definition() -> dict[str, Cost]:
    layers = {f"layers.{index}": layer() for index in range(LAYERS)}
    # The distances belong to no layer; they are listed with the first that reads them.
    layers["layers.0"] += Cost(values=SEEN * WIDTH)
    # √410 and 1/√41, the norms' eps, each cluster's last row, and the first word of the second and third cluster.
    numbers = Cost(values=2 + 1 + len(CUTOFFS) + 2)
    return {"embed": embedding(), **layers, "softmax": log_probabilities(), "": numbers}


@pytest.mark.xdist_group(NAME)
def test_one_step(counts: Callable[[str], Counts]) -> None:
    agree(counts(NAME), definition())


@pytest.mark.xdist_group(NAME)
def test_the_body_is_the_published_one() -> None:
    """The paper prints 151 M parameters, with one embedding of 267,735 words and the full width, tied to its softmax."""
    body = layer().values * LAYERS
    assert f"{(body + 267_735 * WIDTH) / 1e6:.0f}" == "151"


@pytest.mark.xdist_group(NAME)
def test_the_work_of_attention() -> None:
    inner = HEADS * HEAD
    assert attention().macs == WIDTH * inner * (1 + 3 * SEEN) + inner * WIDTH + 3 * inner * SEEN
    assert total([layer()]).macs == attention().macs + 2 * WIDTH * INNER
