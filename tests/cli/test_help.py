"""``--help`` imports nothing that takes time, for the group and for every command."""

from __future__ import annotations

import subprocess
import sys

import pytest

from micronet_verify.cli import main

SLOW = ("torch", "onnx", "onnxruntime", "tensorflow", "numpy", "pydantic", "pytest", "rich", "yaml", "sklearn", "pluggy", "junit_xml")
PROBE = """
import sys
from micronet_verify.cli import main
main(sys.argv[1:], prog_name="micronet-verify", standalone_mode=False)
print("imported:", *sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize("command", ["", *sorted(main.commands)])
def test_help_imports_no_framework_and_nothing_slow(command):
    arguments = [*filter(None, [command]), "--help"]
    found = subprocess.run([sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, check=True, timeout=60)
    told, _, imported = found.stdout.rpartition("imported:")
    assert "Usage: micronet-verify" in told
    assert not set(SLOW) & set(imported.split())
    assert "click" in imported.split()


def test_help_names_every_command_and_every_exit_code(cli):
    told = cli("--help").output
    assert all(name in told for name in ("run", "check", "explain", "count", "plugins"))
    assert "Exit codes: 0 all passed, 1 an entry failed, 2 wrong usage," in told


def test_every_option_is_explained():
    for command in main.commands.values():
        assert command.help
        for option in command.params:
            assert option.param_type_name == "argument" or option.help, f"{command.name} {option.name}"


def test_version(cli):
    assert cli("--version").output == "micronet-verify, version 0.1.0\n"


def test_an_unknown_command_is_answered_with_the_nearest(cli):
    result = cli("explian", "x")
    assert result.exit_code == 2
    assert "No such command 'explian'. Did you mean 'explain'?" in result.output
