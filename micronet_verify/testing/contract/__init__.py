"""The tests that every framework plugin passes: known counts, known answers, and files that are not what they should be.

from micronet_verify.testing import Plugin, PluginContract

class TestMyFramework(PluginContract):
    @pytest.fixture
    def plugin(self) -> Plugin:
        return Plugin("my-framework", "micronet_verify_mine", write, write_unknown)
"""

from __future__ import annotations

from micronet_verify.testing.contract.files import Files
from micronet_verify.testing.contract.manners import Manners
from micronet_verify.testing.contract.programs import Programs
from micronet_verify.testing.contract.steps import Steps


class PluginContract(Programs, Steps, Manners, Files):
    """Subclass it and give it the fixture ``plugin``; pytest collects the rest."""
