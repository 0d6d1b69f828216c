"""``explain --readings``: the whole command beside ``explain``, and in one process the prices under every reading beside one count."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from benchmarks import networks
from benchmarks.figures import Limit, Row, seconds_row
from benchmarks.harness import NotMeasured, Program, Task, interleaved
from benchmarks.settings import Settings
from micronet_verify.framework.requests import TranslateRequest

RATIO = Limit("ratio", 1.5)
SHOWN = ("efficientnet-b0", "mixnet-s", "resnet-50")
TRACK = "imagenet"


def rows(settings: Settings) -> Iterator[Row]:
    for name in ["tiny"] if settings.tiny else (settings.only or SHOWN):
        try:
            path = networks.network_file(name, "onnx", settings)
        except NotMeasured as reason:
            yield Row("readings", name, None, limit=RATIO, note=str(reason))
            continue
        command = (str(Path(sys.executable).parent / "micronet-verify"), "explain", str(path), "--track", TRACK)
        programs = {"all": Program((*command, "--readings")), "one": Program(command)}
        found = interleaved(programs, settings.repeats)
        yield seconds_row("readings", f"{path.name}, the command", found["all"], "explain", found["one"], RATIO)
        inside = interleaved({"core": Task("benchmarks.promises.readings:reading", {"path": str(path)})}, settings.repeats)["core"]
        cpu = (inside.figure("all"), inside.figure("one"))
        yield Row("readings", f"{path.name}, in one process", cpu[0], "one count", cpu[1], note=inside.reason, cpu=cpu)
        networks.discard(path, settings)


def reading(path: str) -> Callable[[], dict[str, Any]]:
    """Work that counts ``path`` and then prices it under every reading; processor time of the count, and of both."""
    from micronet_verify.counting.alternatives import read_again
    from micronet_verify.counting.analysed import analyse
    from micronet_verify.counting.price import price
    from micronet_verify.facts.serde import dump_graph, load_graph
    from micronet_verify.facts.tensors import ConstantStore
    from micronet_verify.facts.validate import validate
    from micronet_verify.framework.builder import GraphBuilder
    from micronet_verify.framework.registry import framework_of
    from micronet_verify.track.rules import CountingRules

    file = Path(path)
    counter = framework_of(file.name).counter()

    def work() -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="micronet-bench-") as folder:
            start = time.process_time()
            graph = load_graph(dump_graph(counter.translate(TranslateRequest(file), GraphBuilder(Path(folder)))))
            validate(graph)
            found = analyse(graph, ConstantStore(file.parent, Path(folder)))
            price(found, CountingRules())
            counted = time.process_time()

            def score(rules: CountingRules) -> Fraction | None:
                if rules.regimes == "freebie" and found.forfeited:
                    return None
                ledger = price(found, rules).cheapest(Fraction(6_900_000), Fraction(1_170_000_000))
                return ledger.storage / 6_900_000 + ledger.operations / 1_170_000_000

            read_again(score, CountingRules())
            return {"one": counted - start, "all": time.process_time() - start}

    return work
