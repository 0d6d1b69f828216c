"""Is the manifest sound, and does the track that it names exist?"""

import pytest

from micronet_verify.checks.verdict import Verdict
from micronet_verify.suite.settle import assert_passed


@pytest.mark.verdict("manifest")
def test_manifest(verdict: Verdict) -> None:
    assert_passed(verdict)
