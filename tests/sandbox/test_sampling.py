"""What is sampled follows from a secret seed, an entry's id and its track, and from nothing in the entry (A11)."""

from __future__ import annotations

import pytest

from micronet_verify.sandbox.sampling import draw_seed, entry_seed, is_seed, random_for, sample


def test_seeds_are_drawn() -> None:
    seeds = {draw_seed() for _ in range(20)}
    assert len(seeds) == 20
    assert all(len(seed) == 32 and is_seed(seed) for seed in seeds)


@pytest.mark.parametrize("text", ["", "xyz", "0x1f", "ABCDEF", "a" * 65, "12\n", " 12"])
def test_what_is_no_seed(text: str) -> None:
    assert not is_seed(text)


def test_every_entry_has_its_own() -> None:
    seed = draw_seed()
    assert entry_seed(seed, "a", "digits") == entry_seed(seed, "a", "digits")
    others = {
        entry_seed(seed, "a", "digits"),
        entry_seed(seed, "b", "digits"),
        entry_seed(seed, "a", "tales"),
        entry_seed("0", "a", "digits"),
    }
    assert len(others) == 4
    assert is_seed(entry_seed(seed, "\udcff", "digits"))


def test_one_purpose_tells_nothing_about_another() -> None:
    assert random_for("1", "alone").integers(1 << 60) == random_for("1", "alone").integers(1 << 60)
    assert random_for("1", "alone").integers(1 << 60) != random_for("1", "proof").integers(1 << 60)


def test_a_sample_has_no_number_twice() -> None:
    assert sorted(sample("1", "alone", 32, 7)) == list(range(7))
    found = sample("1", "alone", 32, 500)
    assert len(set(found)) == 32
    assert max(found) < 500
