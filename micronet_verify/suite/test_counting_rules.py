"""Does the ledger obey each rule of the price list?"""

import pytest

from micronet_verify.checks.rules.laws import LAWS
from micronet_verify.checks.verdict import Verdict
from micronet_verify.suite.settle import assert_passed


@pytest.mark.parametrize("rule", LAWS)
@pytest.mark.verdict("rule {rule}")
def test_counting_rule(verdict: Verdict, rule: str) -> None:
    assert_passed(verdict)
