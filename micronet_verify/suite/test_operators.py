"""Has every operator a price?"""

import pytest

from micronet_verify.checks.verdict import Verdict
from micronet_verify.suite.settle import assert_passed


@pytest.mark.verdict("operators")
def test_operators_priced(verdict: Verdict) -> None:
    assert_passed(verdict)
