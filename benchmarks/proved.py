"""Reference networks that answer differently to different inputs, as files with four examples, and the proof of such a file.

Norms have the statistics of noise pictures: with random ones every input gets the same answer, and nothing is proved about what
lies between. ``python -m benchmarks.proved NAME FORMAT FILE`` exports one, with inputs and answers beside it; it runs in a child.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from time import thread_time
from typing import Any

from benchmarks.harness import Program, measure
from benchmarks.settings import Settings
from micronet_verify.framework.requests import TranslateRequest

EXAMPLES, CALIBRATED_ON = 4, 8
# WideResNet-28-10: the operations of the challenge's baseline for each of its words.
PER_WORD = Fraction(10_490_000_000, 36_500_000)


def file_of(name: str, file_format: str, settings: Settings) -> Path:
    """The exported network, made unless it is there. Raises ``NotMeasured``."""
    path = settings.work / "lively" / f"{name}.{file_format}"
    if not path.with_suffix(".npz").exists() or not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        measure(Program((sys.executable, "-W", "ignore", "-m", "benchmarks.proved", name, file_format, str(path))))
    return path


def export(name: str, file_format: str, path: Path) -> None:
    """``path``, and beside it ``rows``, ``answers`` and the states before each row as ``.npz``."""
    import numpy as np
    import torch

    from benchmarks.networks import definition
    from tests.reference.export import SAVE
    from tests.reference.networks.layers import lively, pictures
    from tests.reference.networks.registry import NETWORKS, TOKEN, Reference

    reference = Reference(definition("tiny"), ((1, 8, 8),)) if name == "tiny" else NETWORKS[name]
    first, *others = reference.shapes
    generator = torch.Generator().manual_seed(1)

    def drawn(shape: tuple[int, ...]) -> torch.Tensor:
        if shape == TOKEN:
            return torch.randint(0, 1000, (EXAMPLES,), generator=generator)
        return torch.randn(EXAMPLES, *shape, generator=generator)

    fed = tuple(drawn(shape) for shape in others)
    if first == TOKEN:
        model = lively(reference.make)
        inputs = (drawn(TOKEN), *fed)
    else:
        model = lively(reference.make, pictures(CALIBRATED_ON, *first))
        inputs = (pictures(EXAMPLES, *first, seed=1),)
    SAVE[file_format](model, reference.example(), path)
    with torch.no_grad():
        found = [model(*(each[at : at + 1] for each in inputs)) for at in range(EXAMPLES)]
    answers = torch.cat([one[0] if isinstance(one, tuple) else one for one in found])
    states = {f"state{at}": state.numpy() for at, state in enumerate(inputs[1:])}
    np.savez(path.with_suffix(".npz"), rows=inputs[0].numpy(), answers=answers.numpy(), **states)


def proving(path: str, regime: str) -> Callable[[], dict[str, Any]]:
    """Work that proves ``path`` as the judge's step does, from the translated graph on; its figures say what came of it."""
    import numpy as np

    from micronet_verify.facts.serde import dump_graph, load_graph
    from micronet_verify.facts.tensors import ConstantStore
    from micronet_verify.framework.builder import GraphBuilder
    from micronet_verify.framework.registry import framework_of
    from micronet_verify.interpreter.run import constants_of
    from micronet_verify.proof.prove import prove
    from micronet_verify.proof.runs import Given, Lane
    from micronet_verify.proof.terms import Charge, Terms
    from micronet_verify.track.rules import CountingRules

    file, folder = Path(path), tempfile.TemporaryDirectory(prefix="micronet-bench-")
    graph = load_graph(dump_graph(framework_of(file.name).counter().translate(TranslateRequest(file), GraphBuilder(Path(folder.name)))))
    store = ConstantStore(file.parent, Path(folder.name))
    with np.load(file.with_suffix(".npz")) as kept:
        count = len(kept.files) - 2
        each = [tuple(kept[f"state{at}"][row : row + 1] for at in range(count)) for row in range(len(kept["rows"]))]
        given = Given(kept["rows"], kept["answers"], tuple(range(len(each))) if count else (), tuple(each) if count else ())

    def runs() -> float:
        """Seconds of the graph alone on the same examples."""
        start = thread_time()
        Lane(graph, constants_of(store)).all(given)
        return thread_time() - start

    run = runs()

    def work() -> dict[str, Any]:
        charge = Charge(CountingRules(), regime, PER_WORD)  # type: ignore[arg-type]
        found = prove(graph, store, given, charge, Terms(), np.random.default_rng(1))
        folder.cleanup()
        last = found.priced or found.translated
        figures = {"run": run, "outcome": last.outcome, "share": last.share, "noise": found.noise, "differs": found.translated.difference}
        return {**figures, "words": f"{last.words} {last.place}", "difference": last.difference, "allowed": last.allowed}

    return work


if __name__ == "__main__":
    export(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
