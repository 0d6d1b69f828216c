"""The contract kit for authors of framework plugins: subclass ``PluginContract`` with one fixture (see docs/plugin.md)."""

from micronet_verify.testing.contract import PluginContract
from micronet_verify.testing.operators import OPERATORS
from micronet_verify.testing.plugin import Plugin
from micronet_verify.testing.program import Program, State, Step, Unsupported, pair

__all__ = ["OPERATORS", "Plugin", "PluginContract", "Program", "State", "Step", "Unsupported", "pair"]
