from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from micronet_verify.errors import BenchFault, SubmissionFault
from micronet_verify.quality.metrics import accuracy as metrics
from micronet_verify.quality.metrics.accuracy import Quality, top1


def answers(labels: NDArray[Any], right: int, classes: int = 10) -> NDArray[np.float32]:
    """Outputs of which exactly the first ``right`` are correct."""
    chosen = np.where(np.arange(len(labels)) < right, labels, (labels + 1) % classes)
    return np.eye(classes, dtype=np.float32)[chosen]


LABELS = np.arange(500) % 10


@pytest.mark.parametrize(
    ("right", "met", "margin"),
    [
        (456, False, "19 images short"),
        (474, False, "1 image short"),
        (475, True, "exactly on the target"),
        (476, True, "1 image above"),
        (478, True, "3 images above"),
    ],
)
def test_top1_is_an_exact_ratio(right: int, met: bool, margin: str) -> None:
    quality = top1(answers(LABELS, right), LABELS, 10, target=475)
    assert quality == Quality("top1", right, 500, 475, ties=0)
    assert quality.value == Fraction(right, 500)
    assert (quality.met, quality.margin) == (met, margin)


def test_74_962_percent_is_not_75() -> None:
    quality = Quality("top1", 37_481, 50_000, 37_500)
    assert not quality.met
    assert quality.margin == "19 images short"
    assert Quality("top1", 30_000, 50_000, 37_500).margin == "7,500 images short"


@pytest.mark.parametrize("constant", [0.0, -1.0, 3.5])
def test_constant_outputs_win_nothing(constant: float) -> None:
    quality = top1(np.full((500, 10), constant, np.float32), LABELS, 10, target=1)
    assert (quality.correct, quality.ties) == (0, 500)


def test_a_tie_with_the_label_is_wrong_wherever_it_stands() -> None:
    outputs = np.array([[1, 1, 0], [1, 1, 0], [1, 1, 2], [2, 1, 1]], np.float32)
    # Rows 0 and 1: the label ties with another class; rows 2 and 3: the tie is among others.
    quality = top1(outputs, np.array([0, 1, 2, 0]), 3, target=4)
    assert (quality.correct, quality.ties) == (2, 2)


def test_one_class_is_always_right() -> None:
    assert top1(np.zeros((3, 1), np.float32), np.zeros(3, int), 1, target=3).met


@pytest.mark.parametrize("shape", [(500, 9), (499, 10), (500,), (500, 10, 1)])
def test_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(SubmissionFault) as caught:
        top1(np.zeros(shape, np.float32), LABELS, 10, target=475)
    assert str(caught.value) == f"got outputs of shape {shape} but should be (500, 10) [outputs]"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite(value: float) -> None:
    outputs = answers(LABELS, 500)
    outputs[[17, 17, 203], [4, 5, 0]] = value
    with pytest.raises(SubmissionFault) as caught:
        top1(outputs, LABELS, 10, target=475)
    assert (
        str(caught.value) == "got NaN or infinity in 2 of 500 rows of outputs, first for example 17 but should be finite numbers [outputs]"
    )


@pytest.mark.parametrize("labels", [[], [0, 10], [0, -1]])
def test_labels_that_fit_no_class_are_the_benchs_fault(labels: list[int]) -> None:
    with pytest.raises(BenchFault) as caught:
        top1(np.zeros((len(labels), 10), np.float32), np.array(labels, int), 10, target=1)
    assert str(caught.value) == f"got {len(labels)} labels, not all in 0…9 but should be one class for each example [labels]"


@given(st.integers(1, 40), st.integers(1, 6), st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_blocks_change_nothing_and_agree_with_argmax(examples: int, classes: int, seed: int, block: int) -> None:
    random = np.random.default_rng(seed)
    outputs = random.integers(0, 4, (examples, classes)).astype(np.float64)  # few levels: ties are common
    labels = random.integers(0, classes, examples)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "_BLOCK", block)
        quality = top1(outputs, labels, classes, target=examples)
    best = [{c for c in range(classes) if row[c] == max(row)} for row in outputs.tolist()]
    assert quality.correct == sum(chosen == {label} for chosen, label in zip(best, labels.tolist(), strict=True))
    assert quality.ties == sum(label in chosen and len(chosen) > 1 for chosen, label in zip(best, labels.tolist(), strict=True))
    assert quality.correct <= int((outputs.argmax(1) == labels).sum())
