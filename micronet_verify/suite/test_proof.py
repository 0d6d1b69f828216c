"""Is what was charged enough to compute the answers?"""

import pytest

from micronet_verify.checks.verdict import Verdict
from micronet_verify.suite.settle import assert_passed


@pytest.mark.verdict("proof")
def test_proof(verdict: Verdict) -> None:
    assert_passed(verdict)
