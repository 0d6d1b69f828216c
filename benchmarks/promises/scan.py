"""Scanning 36 million values for everything that the count asks, beside copying the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.figures import Limit, Row, seconds_row
from benchmarks.harness import Contender, Task, interleaved
from benchmarks.settings import Settings

LIMIT = Limit("ratio", 10.0)
SHAPE = (2500, 1600, 3, 3)
TINY = (20, 16, 3, 3)
# What the values are → words for the table.
TENSORS = {
    "dense": "float32, dense, normally distributed",
    "pruned": "float32, 80 % zeros",
    "blocks": "float32, 80 % zeros in blocks of 4×4 kernels",
    "grid": "float32 on one 8-bit grid",
    "grid per channel": "float32 on 4-bit grids per channel",
    "pruned grid": "float32, 80 % zeros, on one 8-bit grid",
    "int8": "int8",
    "int8 codes": "int8 with scales per channel",
    "pruned int8 codes": "int8 with scales per channel, 80 % zeros",
}


def rows(settings: Settings) -> Iterator[Row]:
    shape = TINY if settings.tiny else SHAPE
    for tensor, words in TENSORS.items():
        if (settings.only and tensor not in settings.only) or (settings.tiny and tensor not in ("grid per channel", "int8 codes")):
            continue
        arguments = {"tensor": tensor, "shape": shape}
        contenders: dict[str, Contender] = {
            "ours": Task("benchmarks.promises.scan:scanning", arguments),
            "copy": Task("benchmarks.promises.scan:copying", arguments),
        }
        found = interleaved(contenders, settings.repeats)
        yield seconds_row("scan", words, found["ours"], "np.copyto", found["copy"], LIMIT)


def scanning(tensor: str, shape: list[int]) -> Callable[[], dict[str, Any]]:
    """Non-zeros per row, grids, different values, and the cheapest form in both regimes."""
    import numpy as np

    from micronet_verify.analysis.tensors.constants import Codes, Constant
    from micronet_verify.analysis.tensors.measured import Measured
    from micronet_verify.counting.forms.cheapest import freebie_form, quantized_form
    from micronet_verify.facts.formats import FLOAT32, numeric_format
    from micronet_verify.track.rules import CountingRules

    rules = CountingRules()

    def constant(shape: tuple[int, ...]) -> Constant:
        data = values(tensor, shape)
        if "codes" not in tensor:
            return Constant("w", "w", data.shape, numeric_format(data.dtype.name), lambda: data)
        scales = _scales(shape[0])
        codes = Codes(lambda: data, scales.reshape(-1), 0, 0, 8)
        return Constant("w", "w", data.shape, FLOAT32, lambda: (data * scales).astype(np.float32), codes)

    def scanned(subject: Constant) -> dict[str, Any]:
        measured = Measured(subject, (0,))
        nonzeros, grid = int(measured.nonzeros_per_row.sum()), measured.grid
        forms = [freebie_form(measured, rules), quantized_form(measured, rules)]
        return {"nonzeros": nonzeros, "grid": grid.bits if grid else None, "bits": [form.bits for form in forms]}

    scanned(constant(TINY))  # parts of numpy are imported when they are first used; imports are not measured
    subject = constant(tuple(shape))
    return lambda: scanned(subject)


def copying(tensor: str, shape: list[int]) -> Callable[[], None]:
    """``np.copyto`` into memory that has been written before."""
    import numpy as np

    data = values(tensor, tuple(shape))
    target = np.ones_like(data)
    return lambda: np.copyto(target, data)


def values(tensor: str, shape: tuple[int, ...]) -> Any:
    """The tensor called so in ``TENSORS``, from a fixed seed."""
    import numpy as np

    random = np.random.default_rng(0)
    data = random.standard_normal(shape, np.float32)
    data[data == 0] = 1  # a few are drawn, and would break a block
    if tensor.endswith("grid"):
        data = np.rint(np.clip(data * 40, -127, 127)) * np.float32(0.0123)
    elif tensor == "grid per channel":
        data = np.rint(np.clip(data * 3, -7, 7)) * _scales(shape[0])
    elif "int8" in tensor:
        data = np.rint(np.clip(data * 40, -127, 127)).astype(np.int8)
    if "pruned" in tensor:
        data[random.random(shape, np.float32) < 0.8] = 0
    elif tensor == "blocks":
        kernels = random.random((shape[0] // 4, 1, shape[1] // 4, 1, 1, 1), np.float32) < 0.8
        view = data.reshape(shape[0] // 4, 4, shape[1] // 4, 4, *shape[2:])
        view *= ~kernels
    return data


def _scales(rows: int) -> Any:
    import numpy as np

    return (np.random.default_rng(1).random((rows, 1, 1, 1), np.float32) + np.float32(0.5)) * np.float32(0.01)
