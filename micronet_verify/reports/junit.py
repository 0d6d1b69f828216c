"""JUnit XML for continuous integration: one suite per entry, one case per verdict, through the package ``junit-xml``."""

from __future__ import annotations

from collections.abc import Sequence

from junit_xml import TestCase, TestSuite, to_xml_report_string

from micronet_verify.reports.entry import Asked, EntryRecord
from micronet_verify.reports.texts import first_sentence, many_lines, one_line


def junit(records: Sequence[EntryRecord]) -> str:
    """The report as XML text. It holds no times, so that the same verdicts give the same bytes."""
    text: str = to_xml_report_string([_suite(record) for record in records])
    return text if text.endswith("\n") else f"{text}\n"


def _suite(record: EntryRecord) -> TestSuite:
    cases = [_case(record, verdict) for verdict in record.verdicts]
    return TestSuite(one_line(record.id), cases, properties=properties(record))


def properties(record: EntryRecord) -> dict[str, str]:
    """The entry's numbers in exact form and as decimals; what is unknown has no property."""
    found = {"track": record.track, "team": record.team, "title": record.title, "trust": record.trust}
    if record.price is not None:
        price = record.price
        found |= {
            "score": price.score.decimal,
            "score_exact": price.score.exact,
            "storage": price.storage.decimal,
            "storage_exact": price.storage.exact,
            "operations": price.operations.decimal,
            "operations_exact": price.operations.exact,
            "regime": price.regime,
        }
    if record.quality is not None:
        found["quality"] = record.quality.level or f"{record.quality.correct}/{record.quality.of}"
        found["quality_margin"] = record.quality.margin
    if record.partial is not None:
        found["quality"] = record.partial.words
        found["partial"] = f"{record.partial.examples}/{record.partial.of}"
    found["seed"] = record.seed
    found["artifact_sha256"] = record.artifact_sha256
    return {name: one_line(text) for name, text in found.items() if text}


def _case(record: EntryRecord, verdict: Asked) -> TestCase:
    case = TestCase(one_line(verdict.check), classname=one_line(record.id))
    # An attribute holds one line; the whole text is the element's.
    message, output = first_sentence(verdict.message) or f"{verdict.outcome} without a message", many_lines(verdict.message)
    if verdict.outcome == "failed":
        case.add_failure_info(message, output)
    elif verdict.outcome == "error":
        case.add_error_info(message, output)
    elif verdict.outcome == "skipped":
        case.add_skipped_info(message, output)
    elif output:
        case.stdout = output
    return case
