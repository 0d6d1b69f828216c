"""Judge submissions with pytest: ``pytest --pyargs micronet_verify.suite --submissions DIR``.

Loaded by every pytest run of the environment, so it imports nothing but pytest and does nothing without
``--submissions``. With it, ``suite/cases.py`` takes over.

Organizers add cases of their own as ``test_*.py`` files, given beside ``--pyargs micronet_verify.suite``. A test that
asks for one of these fixtures runs once for each entry:

- ``entry``: the entry's id, such as ``digits/pruned-onnx``;
- ``evaluation``: all that was found out about it (``micronet_verify.evaluation.Evaluation``);
- ``verdicts``: the answers of the suite's own checks by name, such as ``verdicts["quality"].outcome``;
- ``verdict``: the one that the mark ``verdict(name)`` asks for; an error or a skip of it becomes the test's own.

There is nothing to rewrite here (PYTEST_DONT_REWRITE).
"""

from __future__ import annotations

import pytest

SUITE = "micronet_verify.suite"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("micronet", "judging submissions (micronet_verify)")
    group.addoption("--submissions", dest="micronet_submissions", metavar="DIR", help="the folder of entries to judge")
    group.addoption(
        "--tracks", dest="micronet_tracks", metavar="DIR", action="append", default=[], help="a folder of further track files (repeatable)"
    )
    group.addoption("--data", dest="micronet_data", metavar="DIR", help="the folder of data sets (default: $MICRONET_DATA)")
    group.addoption("--report", dest="micronet_report", metavar="DIR", help="where evidence, ledgers, junit.xml and leaderboard.md go")
    group.addoption(
        "--entry", dest="micronet_entries", metavar="GLOB", action="append", default=[], help="only entries whose id matches (repeatable)"
    )
    group.addoption("--limit", dest="micronet_limit", metavar="N", type=int, help="a smoke run: only the first N examples, no ranks")
    group.addoption("--judge-device", dest="micronet_device", metavar="NAME", default="cpu", help="cpu (default), or cuda")
    group.addoption(
        "--judge-batch-size",
        dest="micronet_batch_size",
        metavar="N",
        type=int,
        help="examples predicted at a time (default: what suits the machine)",
    )
    group.addoption(
        "--seed", dest="micronet_seed", metavar="HEX", help="draw the same samples as the run with this seed (default: a new seed)"
    )
    group.addoption(
        "--judges", dest="micronet_judges", metavar="N", type=int, help="entries that are judged at once (default: one for each processor)"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Before any conftest is loaded: nothing that lies among the submissions may steer the run."""
    if getattr(early_config.known_args_namespace, "micronet_submissions", None) is not None:
        from micronet_verify.suite.guard import keep_submissions_out

        keep_submissions_out(early_config)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "verdict(name): the check of micronet_verify whose verdict the test asserts")
    if config.getoption("micronet_submissions", None) is not None:
        from micronet_verify.suite.cases import activate

        activate(config)


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.getoption("micronet_submissions", None) is None:
        for item in session.items:
            if getattr(getattr(item, "module", None), "__name__", "").startswith(f"{SUITE}."):
                raise pytest.UsageError("got no --submissions but should name the folder of entries to judge (--submissions DIR)")
