"""Plugins that are broken, each in one way: a name, its code, and the sentence that is told about it."""

from __future__ import annotations

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


# name: (code, what was found and what should be, advice if it is not to report it)
BROKEN: dict[str, tuple[str, str, str]] = {
    "no-module": (
        "import nothing_there\n",
        "got an import of 'nothing_there', which is not installed, but should have all that it imports",
        "install nothing_there, or do without the plugin: pip uninstall micronet-no-module",
    ),
    "other-core": (
        "from micronet_verify.framework.hooks import hookimpl\n",
        "got ModuleNotFoundError: No module named 'micronet_verify.framework.hooks' at import but should import micronet_verify.plugin and "
        "nothing else of it",
        "it was written for another version of micronet-verify: pip install --upgrade micronet-other-core micronet-verify",
    ),
    "syntax": ("def\n", "got SyntaxError: invalid syntax (micronet_syntax.py, line 1) at import but should import without that", ""),
    "raises": ("1 / 0\n", "got ZeroDivisionError: division by zero at import but should import without that", ""),
    "exits": ("import sys\nsys.exit('bye')\n", "got SystemExit: bye at import but should import without that", ""),
    "exits-at-once": ("import os\nos._exit(7)\n", "got Ended: a call of os._exit at import but should import without that", ""),
    "closes-output": (
        "import sys\nsys.stdout.close()\nprint('still')\n1 / 0\n",
        "got ZeroDivisionError: division by zero at import but should import without that",
        "",
    ),
    "interrupts": ("raise KeyboardInterrupt\n", "got KeyboardInterrupt at import but should import without that", ""),
    "base": ("raise BaseException('no\\nmore')\n", "got BaseException: no more at import but should import without that", ""),
    "reads": ("input()\n", "got EOFError: EOF when reading a line at import but should import without that", ""),
    "unprintable": (
        "class E(Exception):\n    def __str__(self): raise ValueError\nraise E\n",
        "got E at import but should import without that",
        "",
    ),
    "empty": ("", f"got a plugin without hooks but should have one at least: {HOOKS}", ""),
    "misspelt": (
        f"{HEAD}@hookimpl\ndef micronet_framwork():\n    pass\n",
        f"got the hook 'micronet_framwork' but should be one of {HOOKS}",
        "did you mean 'micronet_framework'? " + REPORT,
    ),
    "unknown-hook": (f"{HEAD}@hookimpl\ndef price():\n    pass\n", f"got the hook 'price' but should be one of {HOOKS}", ""),
    "unmarked": (
        SOUND.replace("@hookimpl\n", ""),
        "got the function 'micronet_framework' without @hookimpl but should be marked, or have a name that is no hook's (the hook is "
        "'micronet_framework')",
        "",
    ),
    "unmarked-too": (
        sound("unmarked-too") + "\n\ndef micronet_metrics():\n    pass\n",
        "got the function 'micronet_metrics' without @hookimpl but should be marked, or have a name that is no hook's (the hook is "
        "'micronet_metric')",
        "",
    ),
    "argument": (
        f"{HEAD}@hookimpl\ndef micronet_framework(config):\n    pass\n",
        "got the hook 'micronet_framework' with arguments: (config) but should take none",
        "",
    ),
    "no-interface": (
        sound("no-interface").replace("MICRONET_INTERFACE = (1, 0)\n", ""),
        "got a plugin without MICRONET_INTERFACE but should state it: MICRONET_INTERFACE = (1, 0)",
        "add it to its module: it says which interface the plugin is written for; " + REPORT,
    ),
    "odd-interface": (
        sound("odd-interface").replace("= (1, 0)", "= '1.0'"),
        "got MICRONET_INTERFACE = '1.0' but should be a pair of whole numbers, such as (1, 0)",
        "",
    ),
    "old-interface": (
        sound("old-interface").replace("= (1, 0)", "= (0, 9)"),
        "got a plugin for interface 0.9 but should be for 1.0, which this micronet-verify has",
        "upgrade the plugin: pip install --upgrade micronet-{0}",
    ),
    "new-interface": (
        sound("new-interface").replace("= (1, 0)", "= (1, 99)"),
        "got a plugin for interface 1.99 but should be for 1.0 at most, which this micronet-verify has",
        "upgrade micronet-verify: pip install --upgrade micronet-verify",
    ),
    "generator": (
        f"{HEAD}@hookimpl\ndef micronet_framework():\n    yield 1\n",
        "got the hook 'micronet_framework' as a wrapper, generator or coroutine but should be a plain function that returns",
        "",
    ),
    "hook-raises": (
        hook("raise ValueError('no')"),
        "got ValueError: no in micronet_framework but should return without an error",
        "",
    ),
    "hook-exits": (hook("raise SystemExit(3)"), "got SystemExit: 3 in micronet_framework but should return without an error", ""),
    "nothing": (hook("return None"), f"got None from micronet_framework but should {RETURNS}", ""),
    "dict": (hook("return {'name': 'odd'}"), f"got a dict in place of an answer from micronet_framework but should {RETURNS}", ""),
    "list-of-words": (hook("return ['odd']"), f"got a str in place of an answer from micronet_framework but should {RETURNS}", ""),
    "class": (hook("return Framework"), f"got a type in place of an answer from micronet_framework but should {RETURNS}", ""),
    "few-fields": (
        hook("return Framework('odd')"),
        "got TypeError: Framework.__init__() missing 4 required positional arguments: 'suffixes', 'loader', 'counter', and 'version' in "
        "micronet_framework but should return without an error",
        "",
    ),
    "odd-name": (
        framework(name="'two words'"),
        "got the name 'two words' from micronet_framework but should be a word of letters, digits, '_', '.', '+' and '-'",
        "",
    ),
    "list-of-suffixes": (
        framework(suffixes="['.odd']"),
        "got suffixes=['.odd'] from micronet_framework but should be a tuple of file endings, such as ('.onnx',)",
        "",
    ),
    "one-suffix": (
        framework(suffixes="'.odd'"),
        "got suffixes='.odd' from micronet_framework but should be a tuple of file endings, such as ('.onnx',)",
        "",
    ),
    "no-dot": (
        framework(suffixes="('odd',)"),
        "got suffixes=('odd',) from micronet_framework but should be a tuple of file endings, such as ('.onnx',)",
        "",
    ),
    "no-suffix": (framework(suffixes="()"), "got suffixes=() from micronet_framework but should name one file ending at least", ""),
    "no-counter": (framework(counter="3"), "got counter=3 from micronet_framework but should be a function", ""),
    "odd-devices": (
        framework(devices="['cuda']"),
        "got devices=['cuda'] from micronet_framework but should map the name of a device to a function that gives its loader",
        "",
    ),
    "claims-a-name": (
        framework(name="'onnx'"),
        "got the name 'onnx' from micronet_framework, which micronet-verify-onnx 0.1.0 has, too, but should be its own",
        "give it another, or uninstall one of the two: pip uninstall micronet-claims-a-name",
    ),
    "claims-a-suffix": (
        framework(name="'claims-a-suffix'", suffixes="('.cs', '.onnx')"),
        "got the name '.onnx' from micronet_framework, which micronet-verify-onnx 0.1.0 has, too, but should be its own",
        "give it another, or uninstall one of the two: pip uninstall micronet-claims-a-suffix",
    ),
}


def told(name: str) -> str:
    """The whole sentence about a broken plugin."""
    _, words, advice = BROKEN[name]
    return f"{words} [plugin '{name}' of micronet-{name} 1.0] ({(advice or REPORT).format(name)})"
