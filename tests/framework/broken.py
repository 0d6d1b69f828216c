"""Plugins that are broken, each in one way: a name, its code, and the sentence that is told about it."""

from __future__ import annotations

from typing import NamedTuple

from tests.framework.plugin_site import SOUND, sound

HEAD = "from micronet_verify.plugin import Framework, hookimpl\nMICRONET_INTERFACE = (1, 0)\n"
REPORT = "report it to the authors of micronet-{0}, or do without: pip uninstall micronet-{0}"
HOOKS = "micronet_framework, micronet_reader, micronet_metric, micronet_check, micronet_report"
RETURNS = "be a Framework, or a tuple of them"


def hook(body: str) -> str:
    return f"{HEAD}@hookimpl\ndef micronet_framework():\n    {body}\n"


def framework(**fields: str) -> str:
    """A framework with some fields replaced by other expressions."""
    named = {"name": "'odd'", "suffixes": "('.odd',)", "loader": "dict", "counter": "dict", "version": "dict", **fields}
    return hook(f"return Framework({', '.join(f'{name}={value}' for name, value in named.items())})")


class Broken(NamedTuple):
    """A plugin's code, what is found in it and what should be, and the advice if it is not to report it."""

    code: str
    words: str
    advice: str = REPORT


def no_endings(suffixes: str) -> Broken:
    found = f"got suffixes={suffixes} from micronet_framework"
    return Broken(framework(suffixes=suffixes), f"{found} but should be a tuple of file endings, such as ('.onnx',)")


BROKEN: dict[str, Broken] = {
    "no-module": Broken(
        "import nothing_there\n",
        "got an import of 'nothing_there', which is not installed, but should have all that it imports",
        "install nothing_there, or do without the plugin: pip uninstall micronet-no-module",
    ),
    "other-core": Broken(
        "from micronet_verify.framework.hooks import hookimpl\n",
        "got ModuleNotFoundError: No module named 'micronet_verify.framework.hooks' at import but should import micronet_verify.plugin and "
        "nothing else of it",
        "it was written for another version of micronet-verify: pip install --upgrade micronet-other-core micronet-verify",
    ),
    "syntax": Broken("def\n", "got SyntaxError: invalid syntax (micronet_syntax.py, line 1) at import but should import without that"),
    "raises": Broken("1 / 0\n", "got ZeroDivisionError: division by zero at import but should import without that"),
    "exits": Broken("import sys\nsys.exit('bye')\n", "got SystemExit: bye at import but should import without that"),
    "exits-at-once": Broken("import os\nos._exit(7)\n", "got Ended: a call of os._exit at import but should import without that"),
    "closes-output": Broken(
        "import sys\nsys.stdout.close()\nprint('still')\n1 / 0\n",
        "got ZeroDivisionError: division by zero at import but should import without that",
    ),
    "interrupts": Broken("raise KeyboardInterrupt\n", "got KeyboardInterrupt at import but should import without that"),
    "base": Broken("raise BaseException('no\\nmore')\n", "got BaseException: no more at import but should import without that"),
    "reads": Broken("input()\n", "got EOFError: EOF when reading a line at import but should import without that"),
    "unprintable": Broken(
        "class E(Exception):\n    def __str__(self): raise ValueError\nraise E\n", "got E at import but should import without that"
    ),
    "empty": Broken("", f"got a plugin without hooks but should have one at least: {HOOKS}"),
    "misspelt": Broken(
        f"{HEAD}@hookimpl\ndef micronet_framwork():\n    pass\n",
        f"got the hook 'micronet_framwork' but should be one of {HOOKS}",
        "did you mean 'micronet_framework'? " + REPORT,
    ),
    "unknown-hook": Broken(f"{HEAD}@hookimpl\ndef price():\n    pass\n", f"got the hook 'price' but should be one of {HOOKS}"),
    "unmarked": Broken(
        SOUND.replace("@hookimpl\n", ""),
        "got the function 'micronet_framework' without @hookimpl but should be marked, or have a name unlike a hook (the hook is "
        "'micronet_framework')",
    ),
    "unmarked-too": Broken(
        sound("unmarked-too") + "\n\ndef micronet_metrics():\n    pass\n",
        "got the function 'micronet_metrics' without @hookimpl but should be marked, or have a name unlike a hook (the hook is "
        "'micronet_metric')",
    ),
    "argument": Broken(
        f"{HEAD}@hookimpl\ndef micronet_framework(config):\n    pass\n",
        "got the hook 'micronet_framework' with arguments: (config) but should take none",
    ),
    "no-interface": Broken(
        sound("no-interface").replace("MICRONET_INTERFACE = (1, 0)\n", ""),
        "got a plugin without MICRONET_INTERFACE but should state it: MICRONET_INTERFACE = (1, 0)",
        "add it to its module: it says which interface the plugin is written for; " + REPORT,
    ),
    "odd-interface": Broken(
        sound("odd-interface").replace("= (1, 0)", "= '1.0'"),
        "got MICRONET_INTERFACE = '1.0' but should be a pair of whole numbers, such as (1, 0)",
    ),
    "old-interface": Broken(
        sound("old-interface").replace("= (1, 0)", "= (0, 9)"),
        "got a plugin for interface 0.9 but should be for 1.0, which this micronet-verify has",
        "upgrade the plugin: pip install --upgrade micronet-{0}",
    ),
    "new-interface": Broken(
        sound("new-interface").replace("= (1, 0)", "= (1, 99)"),
        "got a plugin for interface 1.99 but should be for 1.0 at most, which this micronet-verify has",
        "upgrade micronet-verify: pip install --upgrade micronet-verify",
    ),
    "generator": Broken(
        f"{HEAD}@hookimpl\ndef micronet_framework():\n    yield 1\n",
        "got the hook 'micronet_framework' as a wrapper, generator or coroutine but should be a plain function that returns",
    ),
    "hook-raises": Broken(hook("raise ValueError('no')"), "got ValueError: no in micronet_framework but should return without an error"),
    "hook-exits": Broken(hook("raise SystemExit(3)"), "got SystemExit: 3 in micronet_framework but should return without an error"),
    "nothing": Broken(hook("return None"), f"got None from micronet_framework but should {RETURNS}"),
    "dict": Broken(hook("return {'name': 'odd'}"), f"got a dict in place of an answer from micronet_framework but should {RETURNS}"),
    "list-of-words": Broken(hook("return ['odd']"), f"got a str in place of an answer from micronet_framework but should {RETURNS}"),
    "class": Broken(hook("return Framework"), f"got a type in place of an answer from micronet_framework but should {RETURNS}"),
    "few-fields": Broken(
        hook("return Framework('odd')"),
        "got TypeError: Framework.__init__() missing 4 required positional arguments: 'suffixes', 'loader', 'counter', and 'version' in "
        "micronet_framework but should return without an error",
    ),
    "odd-name": Broken(
        framework(name="'two words'"),
        "got the name 'two words' from micronet_framework but should be a word of letters, digits, '_', '.', '+' and '-'",
    ),
    "list-of-suffixes": no_endings("['.odd']"),
    "one-suffix": no_endings("'.odd'"),
    "no-dot": no_endings("('odd',)"),
    "no-suffix": Broken(framework(suffixes="()"), "got suffixes=() from micronet_framework but should name one file ending at least"),
    "no-counter": Broken(framework(counter="3"), "got counter=3 from micronet_framework but should be a function"),
    "odd-devices": Broken(
        framework(devices="['cuda']"),
        "got devices=['cuda'] from micronet_framework but should map the name of a device to a function that gives its loader",
    ),
    "claims-a-name": Broken(
        framework(name="'onnx'"),
        "got the name 'onnx' from micronet_framework, which micronet-verify-onnx 0.1.0 has, too, but should be its own",
        "give it another, or uninstall one of the two: pip uninstall micronet-claims-a-name",
    ),
    "claims-a-suffix": Broken(
        framework(name="'claims-a-suffix'", suffixes="('.cs', '.onnx')"),
        "got the name '.onnx' from micronet_framework, which micronet-verify-onnx 0.1.0 has, too, but should be its own",
        "give it another, or uninstall one of the two: pip uninstall micronet-claims-a-suffix",
    ),
}


def told(name: str) -> str:
    """The whole sentence about a broken plugin."""
    broken = BROKEN[name]
    return f"{broken.words} [plugin '{name}' of micronet-{name} 1.0] ({broken.advice.format(name)})"
