"""Does the entry pass the organizers' own checks? There is no case where no plugin brings any."""

import pytest

from micronet_verify.checks.organizers import names
from micronet_verify.checks.verdict import Verdict
from micronet_verify.suite.settle import assert_passed

if NAMES := names():

    @pytest.mark.parametrize("question", NAMES)
    @pytest.mark.verdict("{question}")
    def test_organizers_check(verdict: Verdict, question: str) -> None:
        assert_passed(verdict)
