"""Fixtures of the suite's cases, and of organizers' own (``micronet_verify.pytest_plugin`` says how)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from micronet_verify.checks.verdict import Verdict
from micronet_verify.errors import MicronetError
from micronet_verify.evaluation import Evaluation
from micronet_verify.reports.texts import many_lines
from micronet_verify.suite.judging import Judged
from micronet_verify.suite.stash import CASES


@pytest.fixture(scope="session")
def judged(request: pytest.FixtureRequest, entry: str) -> Iterator[Judged]:
    """The entry, judged; waits for it."""
    judge = request.config.stash[CASES].judge
    try:
        found = judge.result(entry)
    except (MicronetError, OSError) as error:
        pytest.fail(many_lines(f"{type(error).__name__}: {error}"), pytrace=False)
    yield found
    judge.release(entry)


@pytest.fixture(scope="session")
def evaluation(judged: Judged) -> Evaluation:
    """All that was found out about the entry."""
    return judged.evaluation


@pytest.fixture(scope="session")
def verdicts(judged: Judged) -> Mapping[str, Verdict]:
    """The answers of the suite's checks about the entry, by name."""
    return judged.verdicts


@pytest.fixture
def verdict(request: pytest.FixtureRequest, entry: str, verdicts: Mapping[str, Verdict]) -> Verdict:
    """The verdict that the test's mark ``verdict(name)`` asks for; ``{rule}`` in the name is the test's parameter.

    Skips the test where the check was skipped, and ends in an error where the check did: neither is the entry's failure.
    """
    mark = request.node.get_closest_marker("verdict")
    if mark is None or not mark.args:
        pytest.fail("got a test without the mark verdict(name) but should have one to use this fixture", pytrace=False)
    found = verdicts[mark.args[0].format_map(request.node.callspec.params)]
    request.node.user_properties += [("entry", entry), ("check", found.check), *sorted(found.evidence.items())]
    if found.outcome == "error":
        pytest.fail(many_lines(found.message), pytrace=False)
    if found.outcome == "skipped":
        pytest.skip(many_lines(found.message))
    return found
