"""Has the entry a score that ranks?"""

import pytest

from micronet_verify.checks.verdict import Verdict
from micronet_verify.suite.settle import assert_passed


@pytest.mark.verdict("score")
def test_final_score(verdict: Verdict) -> None:
    assert_passed(verdict)
