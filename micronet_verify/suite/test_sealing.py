"""Was the very file evaluated that was counted and handed in?"""

import pytest

from micronet_verify.checks.verdict import Verdict
from micronet_verify.suite.settle import assert_passed


@pytest.mark.verdict("sealing")
def test_sealed(verdict: Verdict) -> None:
    assert_passed(verdict)
