"""Does the entry reach the quality target?"""

import pytest

from micronet_verify.checks.verdict import Verdict
from micronet_verify.suite.settle import assert_passed


@pytest.mark.verdict("quality")
def test_quality_target(verdict: Verdict) -> None:
    assert_passed(verdict)
