"""Is there a data-only model file that can be read?"""

import pytest

from micronet_verify.checks.verdict import Verdict
from micronet_verify.suite.settle import assert_passed


@pytest.mark.verdict("artifact")
def test_artifact(verdict: Verdict) -> None:
    assert_passed(verdict)
