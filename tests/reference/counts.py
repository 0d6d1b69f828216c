"""What a reference network costs in each format, as the tests ask for it; counted once per run, whatever runs beside it."""

from __future__ import annotations

import fcntl
import os
import pickle
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from micronet_verify.counting.count import Count
from micronet_verify.counting.ledger import Ledger, LedgerLine, Regime
from micronet_verify.framework.registry import framework_of
from micronet_verify.track.rules import BatchNorm, CountingRules
from tests.reference.arithmetic import Cost, total
from tests.reference.export import SAVE, save_unfused
from tests.reference.networks.layers import build
from tests.reference.networks.registry import NETWORKS
from tests.translated import translated

# A third file for networks whose norms fold everywhere, nearly everywhere, and nearly nowhere.
UNFUSED = ("efficientnet-b0", "wrn-28-10", "densenet-bc-100")
SUFFIX = {"pt2": "pt2"}
READINGS: tuple[BatchNorm, ...] = ("folded", "shift_only", "charged")


@dataclass(frozen=True)
class Counts:
    """Counts of one network by (format, reading of batch norm)."""

    name: str
    by: Mapping[tuple[str, str], Count] = field(default_factory=dict)

    def ledger(self, file_format: str = "pt2", regime: Regime = "freebie", batch_norm: BatchNorm = "folded") -> Ledger:
        return self.by[file_format, batch_norm].ledgers[regime]


def count_network(name: str) -> Counts:
    """Build, save and count a network in every format. At most one file is on disk at a time."""
    reference, found = NETWORKS[name], dict[tuple[str, str], Count]()
    model = build(reference.make)
    formats = SAVE | ({"unfused": save_unfused} if name in UNFUSED else {})
    for file_format, save in formats.items():
        with tempfile.TemporaryDirectory(prefix="micronet-reference-") as folder:
            path, sidecar = Path(folder) / "entry" / f"model.{SUFFIX.get(file_format, 'onnx')}", Path(folder) / "graph"
            path.parent.mkdir()
            sidecar.mkdir()
            save(model, reference.example(), path)
            file = translated(framework_of(path.name).counter(), path, sidecar)
            for reading in READINGS:
                found[file_format, reading] = file.count(CountingRules(batch_norm=reading))
    return Counts(name, found)


def counts_of(name: str, shared: Path) -> Counts:
    """As ``count_network``, once for all worker processes that share the folder ``shared``."""
    record = shared / f"{name}.pickle"
    with _locked(shared / f"{name}.lock"):
        if not record.exists():
            record.write_bytes(pickle.dumps(count_network(name)))
        found: Counts = pickle.loads(record.read_bytes())
    return found


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    handle = os.open(path, os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def rows(ledger: Ledger, names: Iterable[str]) -> dict[str, Cost]:
    """What the ledger charges, by the module called so or the one around it; whatever is in none of them stands under ``""``.

    ``macs`` are the products of dot products (rule O1).
    """
    found = {name: Cost() for name in ("", *names)}
    for line in ledger.lines:
        name = next((name for name in names if line.scope == name or line.scope.startswith(f"{name}.")), "")
        assert line.quantity.denominator == 1
        found[name] += _cost(line, int(line.quantity))
    return found


def _cost(line: LedgerLine, quantity: int) -> Cost:
    if line.axis == "storage":
        return Cost(bits=quantity) if line.bits == 1 else Cost(values=quantity)
    if line.operation == "add":
        return Cost(adds=quantity)
    return Cost(multiplies=quantity, macs=quantity if line.rule == "O1" else 0)


def agree(counts: Counts, definition: Mapping[str, Cost], batch_norm: BatchNorm = "folded") -> None:
    """Both files cost what the definition comes to, module by module and in all, under the freebie."""
    wanted = {"": Cost(), **{name: replace(cost, folded=0) for name, cost in definition.items()}}
    for file_format in SAVE:
        ledger = counts.ledger(file_format, batch_norm=batch_norm)
        if batch_norm == "folded" or file_format == "pt2":  # the file may have a norm's shift in another module than the definition
            assert rows(ledger, [name for name in definition if name]) == wanted
        whole = total(wanted.values())
        assert total(rows(ledger, ()).values()) == whole
        assert (ledger.storage, ledger.operations) == (whole.freebie_storage, whole.freebie_operations)
