"""Does the entry have what it claims?"""

import pytest

from micronet_verify.checks.verdict import Verdict
from micronet_verify.suite.settle import assert_passed


@pytest.mark.verdict("claims")
def test_claims(verdict: Verdict) -> None:
    assert_passed(verdict)
