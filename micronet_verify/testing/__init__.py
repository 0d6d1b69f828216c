"""The contract kit for authors of framework plugins: subclass ``PluginContract`` with one fixture (see docs/plugin.md)."""

from micronet_verify.testing.contract import PluginContract
from micronet_verify.testing.plugin import Plugin
from micronet_verify.testing.program import OPERATORS, Program, Step, Unsupported

__all__ = ["OPERATORS", "Plugin", "PluginContract", "Program", "Step", "Unsupported"]
