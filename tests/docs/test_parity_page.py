"""The page of parities says what the plugins give: computed again for the small networks, and consistent for all."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from fractions import Fraction
from itertools import groupby
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.parity import FRAMEWORKS, PAGE, TEXT, Row, bound, differ, main, networks
from micronet_verify.wording.numbers import figure

TITLES = [network.title for network in networks().values()]
SMALL = ("digits-tiny", "lstm")
ROOT = Path(__file__).parents[2]


def table(text: str) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")][2:]


def test_the_page_compares_every_network_in_three_frameworks_at_one_price_and_with_one_answer() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.startswith(TEXT)
    found = {title: list(lines) for title, lines in groupby(table(text), lambda cells: cells[0])}
    assert list(found) == TITLES
    for lines in found.values():
        assert [cells[1] for cells in lines] == list(FRAMEWORKS.values())
        assert len({tuple(cells[2:7]) for cells in lines}) == 1
        assert {cells[7] for cells in lines[1:]} <= {"< 10^-5", "< 10^-4"}
        for cells in lines[1:]:
            agreed, classes = cells[8].split(", ")
            assert agreed == "yes"
            assert int(classes.removesuffix(" classes")) > 1, "a network that answers the same to everything compares nothing"


@pytest.mark.xdist_group("tensorflow")
@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="TensorFlow is not installed")
def test_the_numbers_of_small_networks_are_what_the_plugins_give_now(tmp_path: Path) -> None:
    """In a process of its own, as people start it."""
    out = tmp_path / "parity.md"
    argv = [sys.executable, "-m", "benchmarks.parity", *SMALL, "--out", str(out)]
    done = subprocess.run(argv, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2 networks, each at one price: ")
    made = table(out.read_text(encoding="utf-8"))
    titles = {networks()[name].title for name in SMALL}
    written = [cells for cells in table(PAGE.read_text(encoding="utf-8")) if cells[0] in titles]
    assert [cells[:7] for cells in made] == [cells[:7] for cells in written]


def test_a_table_of_what_does_not_agree_is_no_success() -> None:
    first = Row("net", "PyTorch", *map(Fraction, (10, 9, 5, 14, 10)))
    dearer = Row("net", "ONNX", *map(Fraction, (11, 9, 5, 15, 10)), Fraction(0), True, 2)
    other = Row("net", "TensorFlow", *map(Fraction, (10, 9, 5, 14, 10)), Fraction(1, 9_999), True, 2)
    astray = Row("net", "TensorFlow", *map(Fraction, (10, 9, 5, 14, 10)), Fraction(0), False, 2)
    assert differ([first, other]) == ["net: TensorFlow gives another answer than PyTorch"]
    assert differ([first, astray]) == ["net: TensorFlow gives another answer than PyTorch"]
    assert differ([first, dearer]) == ["net: ONNX costs another price than PyTorch"]
    assert astray.cells()[-1] == "no, 2 classes"


def test_unknown_networks_are_named() -> None:
    result = CliRunner().invoke(main, ["resnet-5"])
    assert result.exit_code == 2
    assert "got resnet-5 but should be some of digits-baseline, " in result.output


@pytest.mark.parametrize(
    ("difference", "text"), [("0", "< 10^-5"), ("1/200000", "< 10^-5"), ("1/100000", "< 10^-4"), ("1/1000", "< 10^-2"), ("1", "< 10^1")]
)
def test_differences_are_rounded_up_to_a_power_of_ten(difference: str, text: str) -> None:
    assert bound(Fraction(difference)) == text


def test_the_digits_networks_by_hand() -> None:
    """The baseline of the samples' README."""
    (line, *_) = [cells for cells in table(PAGE.read_text(encoding="utf-8")) if cells[0] == "digits: baseline"]
    multiplies, adds, values = 313_856, 309_248, 9_930
    assert line[2:7] == [figure(Fraction(n)) for n in (multiplies, adds, Fraction(values, 2), Fraction(multiplies, 2) + adds, values)]
