from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from micronet_verify.reports.entry import Asked, EntryRecord
from micronet_verify.reports.junit import junit
from tests.reports.records import entry

VERDICTS = (
    Asked("manifest", "passed", "team Red"),
    Asked("quality", "failed", "got 474 of 500 correct but should be at least 475\ngot NaN but should be finite"),
    Asked("operators", "error", "got no plugin but should have one"),
    Asked("rule S3", "skipped", "it charges nothing here"),
)


def test_one_suite_per_entry_and_one_case_per_verdict():
    root = ElementTree.fromstring(junit([entry("digits/a", verdicts=VERDICTS), entry("digits/b")]))
    assert {name: root.get(name) for name in ("tests", "failures", "errors")} == {"tests": "7", "failures": "1", "errors": "1"}
    first, second = root.findall("testsuite")
    assert (first.get("name"), first.get("skipped"), second.get("name")) == ("digits/a", "1", "digits/b")
    assert [(case.get("classname"), case.get("name")) for case in first.findall("testcase")] == [
        ("digits/a", name) for name in ("manifest", "quality", "operators", "rule S3")
    ]


def test_messages_say_the_first_problem_and_the_text_all_of_them():
    cases = ElementTree.fromstring(junit([entry("a", verdicts=VERDICTS)])).findall(".//testcase")
    (failure,) = cases[1]
    assert failure.tag == "failure"
    assert failure.get("message") == "got 474 of 500 correct but should be at least 475 – and 1 more"
    assert failure.text == "got 474 of 500 correct but should be at least 475\ngot NaN but should be finite"
    assert [child.tag for case in cases for child in case] == ["system-out", "failure", "error", "skipped"]
    assert cases[2][0].get("message") == "got no plugin but should have one"


def test_properties_hold_the_exact_numbers():
    (suite,) = ElementTree.fromstring(junit([entry("a", storage="1/3", operations="1/4")])).findall("testsuite")
    found = {one.get("name"): one.get("value") for one in suite.findall("properties/property")}
    assert found == {
        "track": "digits",
        "team": "Team a",
        "title": "Entry a",
        "trust": "sealed",
        "score": "0.583333333333",
        "score_exact": "7/12",
        "storage": "3310",  # a third of 9,930 words
        "storage_exact": "3310/1",
        "operations": "155776",  # a quarter of 623,104
        "operations_exact": "155776/1",
        "regime": "freebie",
        "quality": "488/500",
        "quality_margin": "13 images above",
        "artifact_sha256": "ab" * 32,
    }


def test_a_message_is_never_lost_for_being_empty():
    (failure,) = ElementTree.fromstring(junit([entry("a", verdicts=(Asked("quality", "failed"),))])).findall(".//failure")
    assert failure.get("message") == "failed without a message"


def test_same_verdicts_same_bytes_and_no_time_of_day():
    text = junit([entry("a", verdicts=VERDICTS)])
    assert text == junit([entry("a", verdicts=VERDICTS)])
    assert "timestamp" not in text
    assert 'hostname="' not in text


@settings(max_examples=60)
@given(st.text(alphabet=st.characters()), st.text(alphabet=st.characters()))
def test_law_any_text_gives_xml_that_reads_back(title, message):
    record = EntryRecord("id", title=title, verdicts=(Asked("check", "failed", message), Asked("other", "passed", message)))
    root = ElementTree.fromstring(junit([record]))
    assert len(root.findall(".//testcase")) == 2
    assert len(root.findall(".//failure")) == 1
