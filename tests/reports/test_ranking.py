"""Rules R1 to R4 on records whose numbers can be read."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from micronet_verify.reports.entry import Asked, Stopped
from micronet_verify.reports.ranking import cut, disqualified, rank
from tests.reports.records import PASSED, board, entry, price, quality


def ranks(*records, **keys):
    return {one.record.id: one.rank for one in rank(board(**keys), records).standings}


def marks(*records, **keys):
    return {one.record.id: one.marks for one in rank(board(**keys), records).standings}


def reason(record, *others):
    found = {one.record.id: one.reason for one in rank(board(), [record, *others]).unranked}
    return found.get(record.id, "")


class TestR1:
    def test_a_team_ranks_by_its_best_entry_and_its_others_are_shown(self):
        found = rank(board(), [entry("a", "Red", "3/10", "3/10"), entry("b", "Red", "1/10", "1/10"), entry("c", "Blue", "2/10", "2/10")])
        assert [(one.record.id, one.rank) for one in found.standings] == [("b", 1), ("c", 2), ("a", None)]

    def test_one_team_under_two_spellings_is_one_team(self):
        assert ranks(entry("a", "Red  Team", "1/10"), entry("b", "red team", "2/10"), entry("c", "Ｒed Team", "3/10")) == {
            "a": 1,
            "b": None,
            "c": None,
        }

    def test_a_missed_target_never_ranks_however_good_the_score(self):
        missed = entry("a", storage="1/100", quality=quality(474), verdicts=())
        assert ranks(missed, entry("b")) == {"b": 1}
        assert reason(missed) == "misses the quality target: 474 of 500 right, 1 image short"

    def test_exactly_on_the_target_ranks(self):
        assert ranks(entry("a", quality=quality(475))) == {"a": 1}

    def test_no_score_never_ranks(self):
        assert reason(entry("a", price=None)) == "it has no score"

    def test_no_quality_never_ranks(self):
        assert reason(entry("a", quality=None)) == "its quality was not measured"

    def test_a_failed_check_is_the_reason_with_how_many_others(self):
        failed = (
            Asked("manifest", "failed", "got x but should y [z]\ngot p but should q"),
            Asked("rule S3", "failed", "got m but should n"),
        )
        assert reason(entry("a", verdicts=failed)) == "manifest: got x but should y [z] – and 1 more (and 1 more check)"

    def test_an_error_is_told_before_a_failure(self):
        verdicts = (Asked("quality", "failed", "got 1 but should 2"), Asked("operators", "error", "got no plugin but should have one"))
        assert reason(entry("a", verdicts=verdicts)).startswith("operators: got no plugin")

    def test_a_wrong_claim_ranks_by_what_was_measured_and_says_so(self):
        verdicts = (*PASSED, Asked("claims", "failed", "got claims.score: 0.62 but should be 1.25 as measured"))
        (standing,) = rank(board(), [entry("a", verdicts=verdicts)]).standings
        assert (standing.rank, standing.note) == (1, "got claims.score: 0.62 but should be 1.25 as measured")

    def test_a_missing_data_set_is_the_reason(self):
        stopped = Stopped("predict", "operator", "got the data set 'imagenet' but should be here", True)
        assert reason(entry("a", quality=None, faults=(stopped,))) == "predict: got the data set 'imagenet' but should be here"

    def test_a_score_that_was_not_passed_does_not_rank(self):
        verdicts = (Asked("score", "skipped", "not ranked: the check 'sealing' did not pass"),)
        assert reason(entry("a", verdicts=verdicts)) == "not ranked: the check 'sealing' did not pass"


class TestR2:
    ELEVEN = tuple(entry(f"e{at:02d}", storage=f"{at}/100", operations=f"{20 - at}/100") for at in range(1, 12))

    def test_the_best_tenth_rounded_up_is_marked_on_each_axis(self):
        # 10 % of 11 entries is 1.1, by ceiling 2.
        found = marks(*self.ELEVEN)
        assert {id: mark for id, mark in found.items() if mark} == {"e01": "S", "e02": "S", "e10": "C", "e11": "C"}

    @pytest.mark.parametrize(("rounding", "population", "places"), [
        ("ceiling", 11, 2), ("floor", 11, 1), ("nearest", 11, 1), ("nearest", 15, 2), ("nearest", 14, 1), ("ceiling", 10, 1),
        ("floor", 9, 0), ("nearest", 4, 0), ("nearest", 5, 1), ("ceiling", 1, 1), ("ceiling", 0, 0),
    ])  # fmt: skip
    def test_rounding_is_the_tracks(self, rounding, population, places):
        assert cut(population, board(rounding=rounding)) == places

    def test_floor_of_less_than_one_marks_nobody(self):
        assert set(marks(entry("a"), entry("b"), rounding="floor").values()) == {""}

    def test_ties_at_the_cut_share_the_mark(self):
        # One place for three entries, and two of them tie for it.
        found = marks(
            entry("a", storage="1/10", operations="3/10"), entry("b", storage="1/10", operations="2/10"), entry("c", storage="2/10")
        )
        assert found == {"b": "SC", "a": "S", "c": ""}

    def test_the_population_is_each_teams_best_or_all_that_are_scored(self):
        # Red's second entry stores least, and counts only where all scored entries do.
        records = [entry("best", "Red", "2/10", "1/10"), entry("small", "Red", "1/10", "9/10"), entry("blue", "Blue", "3/10", "3/10")]
        assert marks(*records) == {"best": "SC", "blue": "", "small": ""}
        assert marks(*records, population="scored") == {"best": "C", "blue": "", "small": "S"}

    def test_unranked_entries_are_no_part_of_the_population(self):
        # Ten entries have one place, eleven would have two.
        records = [entry(f"e{at}", storage=f"{at}/100") for at in range(1, 11)]
        out = entry("out", storage="1/1000", verdicts=(Asked("operators", "failed", "got x but should y"),))
        assert [id for id, mark in marks(*records, out).items() if "S" in mark] == ["e1"]

    @given(st.lists(st.fractions(min_value=0, max_value=1, max_denominator=7), min_size=1, max_size=30), st.integers(1, 100))
    def test_law_every_marked_entry_is_at_least_as_good_as_every_other(self, ratios, percent):
        records = [entry(f"e{at}", storage=str(ratio)) for at, ratio in enumerate(ratios)]
        found = rank(board(top_percent=percent), records).standings
        marked = [one.price.storage_ratio.value for one in found if "S" in one.marks]
        others = [one.price.storage_ratio.value for one in found if "S" not in one.marks]
        assert len(marked) >= -(-len(ratios) * percent // 100)
        assert not others or max(marked) < min(others)


class TestR3:
    MIRA = ("mira", "Mira Holm")

    def four(self, **last):
        teams = ("Red", "Blue", "Red", "Green")
        found = [entry(f"e{at}", team, day=at, members=(self.MIRA, (f"m{at}", "M"))) for at, team in enumerate(teams, 1)]
        return [*found[:3], entry("e4", "Green", **{"day": 4, "members": (self.MIRA,)} | last)]

    def test_the_fourth_by_submission_is_out_with_the_sentence_through_which_teams(self):
        assert disqualified(self.four(), 3) == {
            "e4": "disqualified (R3): got one more entry of Mira Holm (mira) through team 'Green' but should be at most 3 entries per "
            "person: before it came e1 and e3 through team 'Red', e2 through team 'Blue'"
        }

    def test_order_is_by_time_of_submission_across_zones_not_by_id_or_score(self):
        # The 3rd, 23:00 at UTC-12 is the 4th, 11:00 in UTC: after e3, which came on the 3rd at 12:00.
        late = self.four(submitted="2026-01-03T23:00:00-12:00")
        early = self.four(submitted="2025-12-31T23:30:00+00:00")
        assert list(disqualified(late, 3)) == ["e4"]
        assert list(disqualified(early, 3)) == ["e3"]

    def test_an_entry_that_failed_was_handed_in_all_the_same(self):
        records = self.four()
        failed = entry("e1", "Red", day=1, members=(self.MIRA,), price=None, verdicts=(Asked("operators", "failed", "got x but should y"),))
        assert list(disqualified([failed, *records[1:]], 3)) == ["e4"]

    def test_an_entry_that_is_out_uses_up_nobodys_share(self):
        # Bo is in e4, which is out through Mira; e5, e6 and e7 are Bo's first three.
        bo = ("bo", "Bo")
        records = self.four(members=(self.MIRA, bo)) + [entry(f"e{at}", "Solo", day=at, members=(bo,)) for at in (5, 6, 7)]
        assert list(disqualified(records, 3)) == ["e4"]

    def test_it_never_ranks_and_its_teams_next_best_does(self):
        records = [*self.four(storage="1/100"), entry("e5", "Green", "4/10", day=5, members=(("g", "G"),))]
        assert ranks(*records) == {"e5": 1, "e1": 2, "e2": 3, "e3": None}
        assert reason(records[3], *records[:3]).startswith("disqualified (R3)")

    def test_the_limit_is_the_tracks(self):
        assert disqualified([entry("a", "Red", day=1), entry("b", "Red", day=2)], 1) == {
            "b": "disqualified (R3): got one more entry of Red (red) through team 'Red' but should be at most 1 entry per person: "
            "before it came a through team 'Red'"
        }

    def test_members_with_the_same_entries_are_named_in_one_sentence(self):
        people = (("ada", "Ada"), ("bo", "Bo"), ("cy", "Cy"))
        records = [entry(f"e{at}", "Red", day=at, members=people) for at in range(1, 4)]
        assert disqualified([*records, entry("e4", "Red", day=4, members=people)], 3) == {
            "e4": "disqualified (R3): got one more entry of Ada (ada), Bo (bo) and Cy (cy) through team 'Red' but should be at most "
            "3 entries per person: before it came e1, e2 and e3 through team 'Red'"
        }

    def test_members_are_told_apart_by_id_not_by_name(self):
        records = [entry(f"e{at}", day=at, members=((f"id{at}", "Wei Chen"),)) for at in range(1, 6)]
        assert disqualified(records, 3) == {}


class TestR4:
    def test_of_equal_scores_the_smaller_storage_is_first(self):
        assert ranks(entry("a", storage="3/10", operations="1/10"), entry("b", storage="1/10", operations="3/10")) == {"b": 1, "a": 2}

    def test_of_equal_storage_the_earlier_submission_is_first(self):
        assert ranks(entry("a", day=2), entry("b", day=1)) == {"b": 1, "a": 2}

    def test_equal_in_all_three_share_the_place_and_the_next_is_left_out(self):
        assert ranks(entry("a"), entry("b"), entry("c", storage="3/4")) == {"a": 1, "b": 1, "c": 3}

    def test_scores_are_compared_exactly(self):
        # They agree in the first 30 decimals.
        less = Fraction(1, 2) - Fraction(1, 10**31)
        assert ranks(entry("a", day=1), entry("b", day=2, price=price(less, "1/2"))) == {"b": 1, "a": 2}


@given(st.permutations([entry(f"e{at}", f"T{at % 3}", f"{at % 4}/10", day=1 + at) for at in range(8)]))
def test_the_order_in_which_records_come_changes_nothing(records):
    found = rank(board(), records)
    assert found == rank(board(), sorted(records, key=lambda record: record.id))


def test_every_entry_stands_once_ranked_or_not():
    start = datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    records = [entry(f"e{at}", "Red", submitted=(start + timedelta(days=at)).isoformat()) for at in range(6)]
    found = rank(board(), records)
    assert [one.record.id for one in found.standings] == ["e0", "e1", "e2"]
    assert [one.record.id for one in found.unranked] == ["e3", "e4", "e5"]
