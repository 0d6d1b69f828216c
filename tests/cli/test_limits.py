"""Lifted limits change nothing else of a track."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from micronet_verify.commands.limits import without_limits
from micronet_verify.track.library import load_track, spec_folder, track_names


def test_every_track_keeps_all_but_its_limits(tmp_path):
    without_limits((), tmp_path)
    for name in track_names():
        before, after = load_track(name), load_track(name, [tmp_path])
        assert before.limits.predict.seconds < after.limits.predict.seconds == 7 * 86400
        assert after.limits.export.memory == after.limits.output_bytes == 2**40
        assert replace(before, limits=after.limits) == after


def test_an_organizers_track_comes_before_the_packages_and_keeps_every_digit(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    text = (spec_folder() / "digits.yaml").read_text().replace("parameters: 9930", "parameters: 0.1234567890123456789012345678901234567")
    (folder / "digits.yaml").write_text(text.replace("title: Handwritten digits", 'title: "Quotes \\" and Ü"'))
    without_limits([folder], tmp_path / "wide")
    found = load_track("digits", [tmp_path / "wide"])
    assert found.baseline.parameters == Fraction("0.1234567890123456789012345678901234567")
    assert found.title == 'Quotes " and Ü'
