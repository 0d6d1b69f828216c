"""The plugin as the core finds it: light to import, described by its README, one line for each operator."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import micronet_verify_pytorch
import pytest
import torch
from micronet_verify_pytorch.lines import Line
from micronet_verify_pytorch.op_table import TABLE, lookup, operators

from micronet_verify.framework.registry import framework_named, framework_of
from micronet_verify.framework.translation.table import Unknown

README = Path(micronet_verify_pytorch.__file__).parents[1] / "README.md"


def test_the_core_finds_it_by_name_and_by_ending() -> None:
    framework = framework_named("pytorch")
    assert framework_of("model.pt2") is framework
    assert framework.export_suffixes == (".safetensors",)
    assert framework.version() == {"torch": torch.__version__.split("+")[0], "safetensors": framework.version()["safetensors"]} or (
        framework.version()["torch"] == torch.__version__
    )
    assert all(framework.version().values())


@pytest.mark.parametrize(
    "code",
    [
        "import micronet_verify_pytorch; micronet_verify_pytorch.micronet_framework().version()",
        "import micronet_verify_pytorch.counter; import micronet_verify_pytorch.op_table",
        "from micronet_verify.framework.registry import framework_named; framework_named('pytorch').counter()",
    ],
)
def test_counting_imports_no_torch(code: str) -> None:
    check = f"import sys; {code}; sys.exit('torch' in sys.modules or 'sympy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_a_whole_translation_imports_no_torch(networks: dict[str, Path], tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from micronet_verify_pytorch.counter import PyTorchCounter; "
        "from micronet_verify.framework.builder import GraphBuilder; "
        "from micronet_verify.framework.requests import TranslateRequest; "
        f"request = TranslateRequest(pathlib.Path({str(networks['attention'])!r})); "
        f"PyTorchCounter().translate(request, GraphBuilder(pathlib.Path({str(tmp_path)!r}))); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_readme_lists_every_operator() -> None:
    assert operators() in README.read_text(encoding="utf-8")


def test_the_table_is_sorted() -> None:
    names = [name for name, line in TABLE.items() if isinstance(line, Line) and line.treatment != "free" and name.startswith("aten.")]
    assert names == sorted(names)


@pytest.mark.parametrize(
    "name", [name for name, line in TABLE.items() if isinstance(line, Line) and name.startswith(("aten.", "quantized"))]
)
def test_every_line_and_overload_is_an_operator_of_torch(name: str) -> None:
    import torch.ao.quantization.fx._decomposed

    space, base = name.split(".")
    packet = getattr(getattr(torch.ops, space), base)
    line = TABLE[name]
    assert isinstance(line, Line)
    assert line.overloads & set(packet.overloads()), "at least one of the overloads exists"


def test_look_up_by_overload() -> None:
    assert lookup("aten.relu.default")[0] is TABLE["aten.relu"]
    changed, base = lookup("aten.relu_.default")
    assert isinstance(changed, Line)
    assert (changed.changes, base) == (True, "aten.relu_")
    assert lookup("aten.relu.out")[0] == Unknown("the operator aten.relu.out")
    assert lookup("aten.__and__.Tensor")[0] is TABLE["aten.__and__"]
    assert lookup("aten.rand.generator")[0] is TABLE["aten.rand"]
    assert lookup("nothing")[0] == Unknown("the operator nothing")
